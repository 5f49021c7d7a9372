//! Text of others for a terminal: names of files, policies and hosts may hold what a terminal obeys.

use std::borrow::Cow;
use std::path::Path;

/// What stands in the place of a character that a terminal would obey.
const SIGN: char = '\u{fffd}';

/// The text with a sign in the place of each control character, line ends and tabs apart, and of those that turn the direction of
/// writing.
pub fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(is_obeyed) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace(is_obeyed, &SIGN.to_string())),
    }
}

/// A path as it stands within a line: a name may hold ends of lines too.
pub fn in_line(path: &Path) -> String {
    let text = path.to_string_lossy();
    plain(&text).replace('\n', &SIGN.to_string())
}

fn is_obeyed(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for (text, expected) in [
            ("a\x1b[31mred", "a\u{fffd}[31mred"),
            ("one\r\ntwo\tthree", "one\u{fffd}\ntwo\tthree"),
            ("\u{9b}31m\u{7f}\u{202e}", "\u{fffd}31m\u{fffd}\u{fffd}"),
            ("café · ±", "café · ±"),
        ] {
            assert_eq!(plain(text), expected);
        }
        let odd = Path::new("cat\nwarning: all is lost.png");
        assert_eq!(in_line(odd), "cat\u{fffd}warning: all is lost.png");
    }
}
