//! How things look on this terminal: colours unless NO_COLOR is set, and signs beyond ASCII only where the locale has them.

use ratatui::buffer::Buffer;
use ratatui::style::Color;
use ratatui::symbols::Marker;

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether there are colours.
    pub(super) colour: bool,
    /// Whether there are signs beyond ASCII.
    pub(super) unicode: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: true,
            unicode: true,
        }
    }
}

impl Style {
    /// What the environment says.
    pub(super) fn from_environment() -> Self {
        Self::read(|name| std::env::var(name).unwrap_or_default())
    }

    /// What these variables say; one that is not set is empty.
    fn read(variable: impl Fn(&str) -> String) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(&variable);
        let locale = locale.into_iter().find(|value| !value.is_empty());
        let locale = locale.unwrap_or_default().to_lowercase().replace('-', "");
        Self {
            colour: variable("NO_COLOR").is_empty(),
            unicode: locale.contains("utf8"),
        }
    }

    /// What the points of a curve are drawn with: where colours cannot tell the curves apart, signs must.
    pub(super) fn marker(self, curve: usize) -> Marker {
        match self.colour && self.unicode {
            true => Marker::Braille,
            false => Marker::Custom(['*', '+', 'o'][curve % 3]),
        }
    }

    /// Takes from a screen that is drawn what the terminal cannot show.
    pub(super) fn plain(self, screen: &mut Buffer) {
        for cell in &mut screen.content {
            if !self.colour {
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
            if !self.unicode && !cell.symbol().is_ascii() {
                let sign = cell.symbol().chars().next().map_or(' ', ascii);
                cell.set_char(sign);
            }
        }
    }
}

/// The nearest sign that every terminal has.
fn ascii(sign: char) -> char {
    match sign {
        '│' | '┃' => '|',
        '─' | '━' => '-',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╯' | '╰' => {
            '+'
        }
        '…' => '~',
        '·' => '-',
        '█' => '#',
        '░' => '.',
        '▸' => '>',
        '↑' => '^',
        '↓' => 'v',
        '–' | '−' => '-',
        '≥' => '>',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_and_no_color_decide() {
        let read = |set: &[(&str, &str)]| {
            let set = set.to_vec();
            let style = Style::read(|name| {
                let found = set.iter().find(|(of, _)| *of == name);
                found.map_or(String::new(), |(_, value)| (*value).to_owned())
            });
            (style.colour, style.unicode)
        };
        assert_eq!(read(&[]), (true, false));
        assert_eq!(read(&[("LANG", "en_US.UTF-8")]), (true, true));
        assert_eq!(read(&[("LANG", "C.utf8"), ("LC_ALL", "C")]), (true, false));
        assert_eq!(
            read(&[("LC_CTYPE", "de_DE.UTF-8"), ("NO_COLOR", "1")]),
            (false, true)
        );
        assert_eq!(read(&[("NO_COLOR", "")]), (true, false));
    }
}
