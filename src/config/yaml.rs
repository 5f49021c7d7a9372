//! YAML as text, read with a bound on how deep it is nested.

use serde::de::{DeserializeOwned, Error as _};

/// What the parser itself takes at most; it finds out only after a time that grows with the square of the depth.
const DEEPEST: usize = 128;

/// Reads a text.
///
/// # Errors
/// A text that is no YAML, is nested too deep, or says something else than a `T`.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_yaml::Error> {
    if let Some(line) = too_deep(text) {
        return Err(serde_yaml::Error::custom(format!(
            "line {line}: expected lists and maps nested at most {DEEPEST} deep, found more"
        )));
    }
    serde_yaml::from_str(text)
}

/// The first line in which more brackets are open than the parser takes. Those in texts and comments count too: nobody writes so many
/// and closes none.
fn too_deep(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (number, line) in (1..).zip(text.lines()) {
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > DEEPEST {
                return Some(number);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_refused_before_it_is_parsed() {
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            let nested = |depth| {
                let text = format!("name: {}{}", open.repeat(depth), close.repeat(depth));
                from_str::<Value>(&text).map_err(|error| error.to_string())
            };
            assert!(nested(100).is_ok());
            for depth in [DEEPEST + 1, 1_000_000] {
                let error = nested(depth).unwrap_err();
                assert!(
                    error.contains("line 1: expected lists and maps nested at most 128 deep"),
                    "{error}"
                );
            }
        }
        let many = format!("a: [1, {{b: 2}}]\n{}", "# ] [ ]\n".repeat(1000));
        assert!(from_str::<Value>(&many).is_ok());
    }
}
