//! What a panic says, in a line.

use std::any::Any;

/// The first line of what a panic says. What libtorch adds are the frames of its own functions, escaped into one line.
pub fn first_line(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let line = text.unwrap_or("no message").lines().next();
    let line = line.unwrap_or_default();
    line.split("\\nException raised from")
        .next()
        .unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn frames_are_left_out() {
        for (text, line) in [
            (
                "called on: Torch(\"no\\nException raised from f\\nframe #0\")",
                "called on: Torch(\"no",
            ),
            ("one\ntwo", "one"),
            ("", ""),
        ] {
            assert_eq!(first_line(&text.to_owned()), line);
        }
        assert_eq!(first_line(&7), "no message");
    }
}
