//! Text on a given width: cleaned of what would move the cursor, wrapped, and diagnostics whose underline stays below its place.

use ratatui::text::Span;

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text without escape sequences, control characters and tabs: a policy may print anything.
pub(super) fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\x1b' => {
                // CSI: up to the letter that ends it. Others have one more character.
                if chars.next() == Some('[') {
                    let _ = chars.by_ref().find(|char| ('@'..='~').contains(char));
                }
            }
            '\t' => kept.push_str("    "),
            '\n' => kept.push('\n'),
            control if control.is_control() => {}
            other => kept.push(other),
        }
    }
    kept
}

/// The first columns of a text, with a mark where something is left out.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (head, _) = split(text, columns.saturating_sub(1));
    match columns {
        0 => String::new(),
        _ => format!("{head}…"),
    }
}

/// The part of a text that fits, and the rest.
fn split(text: &str, columns: usize) -> (&str, &str) {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        taken += width(char.encode_utf8(&mut [0; 4]));
        if taken > columns {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// A line in lines of that width, broken at spaces where there are any; what is broken goes on under the line's own indent.
pub(super) fn wrap(line: &str, columns: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let indent = " ".repeat(indent.min(columns / 2));
    let mut lines = Vec::new();
    let mut rest = line.trim_end().to_owned();
    while width(&rest) > columns.max(1) {
        let (head, tail) = split(&rest, columns.max(1));
        let (head, tail) = match head.rfind(' ') {
            Some(at) if !head[..at].trim().is_empty() && !tail.starts_with(' ') => {
                rest.split_at(at)
            }
            _ => (head, tail),
        };
        if head.is_empty() {
            // A character that is wider than the column.
            return lines;
        }
        lines.push(head.trim_end().to_owned());
        rest = format!("{indent}{}", tail.trim_start());
    }
    lines.push(rest);
    lines
}

/// The lines of a diagnostic on that width. A line of source and the one that underlines a place in it are not wrapped but moved to
/// the left, both by the same, so that the place is seen and stays underlined.
pub(super) fn report(text: &str, columns: usize) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let mut fitted = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let below = lines.get(at + 1).copied().filter(|line| underlines(line));
        match below {
            Some(marks) => {
                fitted.extend(moved(lines[at], marks, columns));
                at += 2;
            }
            None => {
                fitted.extend(wrap(lines[at], columns));
                at += 1;
            }
        }
    }
    fitted
}

/// Whether a line of a diagnostic underlines a place in the line above it.
pub(super) fn underlines(line: &str) -> bool {
    let after_gutter = line.trim_start().strip_prefix('|');
    after_gutter.is_some_and(|rest| rest.trim_start().starts_with('^'))
}

/// A line of source and its underline, without as many columns after the gutter as the place needs to be seen.
fn moved(source: &str, marks: &str, columns: usize) -> [String; 2] {
    let gutter = marks.find('|').map_or(0, |bar| bar + 2);
    let first = marks.find('^').unwrap_or(gutter);
    let end = marks.rfind('^').map_or(first, |last| last + 1);
    let longest = width(source).max(end);
    if longest <= columns || gutter + 4 > columns {
        return [source, marks].map(|line| cut(line, columns));
    }
    // The end of the place is to be seen, but its beginning rather.
    let room = columns - gutter;
    let skip = (end.saturating_sub(gutter) + 4).saturating_sub(room);
    let skip = skip.min(first.saturating_sub(gutter + 4));
    [source, marks].map(|line| {
        let (head, tail) = split(line, gutter);
        let (_, tail) = split(tail, skip);
        cut(&format!("{head}{tail}"), columns)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
error: unknown function 'topkk'
  --> scripts/samplers/mine.rhai:10:55
   |
10 |     let near = ctx.similarity.masked_fill(same, -2.0).topkk(p.skip + p.negatives);
   |                                                       ^^^^^
   |
note: did you mean 'topk'?";

    #[test]
    fn a_wide_diagnostic_stays_as_it_is() {
        assert_eq!(report(REPORT, 100).join("\n"), REPORT);
    }

    #[test]
    fn the_place_stays_underlined_on_every_width() {
        for columns in 12..100 {
            let lines = report(REPORT, columns);
            let marks = lines.iter().position(|line| underlines(line)).unwrap();
            let at = lines[marks].find('^').unwrap();
            let end = lines[marks].rfind('^').unwrap() + 1;
            let above: String = lines[marks - 1].chars().skip(at).take(end - at).collect();
            let shown: String = "topkk".chars().take(end - at).collect();
            assert!(
                above == shown || above.ends_with('…'),
                "{columns}: '{above}' in\n{}",
                lines.join("\n")
            );
            assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
        }
    }

    #[test]
    fn lines_are_wrapped_at_spaces_and_keep_their_indent() {
        assert_eq!(wrap("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(wrap("onetwothree", 5), ["onetw", "othre", "e"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("日本語", 1), Vec::<String>::new());
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }

    #[test]
    fn what_would_move_the_cursor_is_left_out() {
        assert_eq!(
            clean("\x1b[33m WARN\x1b[0m a\tb\r\n\x07c\x1b]"),
            " WARN a    b\nc"
        );
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut("ab", 0), "");
    }
}
