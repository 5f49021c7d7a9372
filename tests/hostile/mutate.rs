//! Bytes and texts that are almost what they were.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use regex::Regex;

/// Numbers that a header or a label may hold, as bytes.
const NUMBERS: &[&[u8]] = &[
    &[0],
    &[255],
    &[0; 4],
    &[255; 4],
    &[127, 255, 255, 255],
    &[128, 0, 0, 0],
    &[0; 8],
    &[255; 8],
];

/// Texts that stand in JSON and YAML for something else than what was there.
const WORDS: &[&str] = &[
    "null",
    "-1",
    "1e308",
    "1e999",
    "18446744073709551616",
    "[]",
    "{}",
    "\"\"",
    "true",
    "NaN",
    "\u{0}",
    "\u{202e}",
    "../../..",
    "\n",
    ":",
    ",",
    "9223372036854775807",
    "&a *a",
    "!!binary",
    "<<",
];

/// Changes one to four places.
pub(crate) fn bytes(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(1..=8)).min(bytes.len());
        match rng.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let number = NUMBERS.choose(rng).unwrap();
                let end = (at + number.len()).min(bytes.len());
                bytes.splice(at..end, number.iter().copied());
            }
            6 => {
                let word = WORDS.choose(rng).unwrap();
                bytes.splice(at..at, word.bytes());
            }
            _ => {
                // Headers are short, and most of what is believed stands in them.
                let at = rng.random_range(0..16);
                if at < bytes.len() {
                    bytes[at] = rng.random();
                }
            }
        }
    }
}

/// What stands between two tokens belongs to the one before it.
const TOKEN: &str =
    r#"(?:[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|"(?:[^"\\]|\\.)*"|`[^`]*`|[-+*/=<>!&|.?]+|.)\s*"#;

/// Texts in the place of a number: bounds, and what makes a NaN.
const EXTREMES: &[&str] = &[
    "0",
    "-1",
    "1e38",
    "1e300",
    "1e-300",
    "9223372036854775807",
    "1000000000",
    "(0.0/0.0)",
    "(1.0/0.0)",
    "(-1.0).sqrt()",
    "[]",
    "()",
];

/// A script with one or two tokens that are gone, twice there, exchanged, misspelt or out of all bounds. Its comments stay.
pub(crate) fn script(rng: &mut ChaCha8Rng, text: &str) -> String {
    let token = Regex::new(TOKEN).unwrap();
    let mut tokens: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.trim_start().starts_with("//") {
            true => tokens.push(line.to_owned()),
            false => tokens.extend(token.find_iter(line).map(|token| token.as_str().to_owned())),
        }
    }
    let code = |token: &String| !token.starts_with("//") && !token.trim().is_empty();
    for _ in 0..rng.random_range(1..=2) {
        let places: Vec<_> = (0..tokens.len()).filter(|at| code(&tokens[*at])).collect();
        let (at, other) = (*places.choose(rng).unwrap(), *places.choose(rng).unwrap());
        let numbers: Vec<_> = places
            .iter()
            .copied()
            .filter(|at| tokens[*at].starts_with(|first: char| first.is_ascii_digit()))
            .collect();
        match (rng.random_range(0..7), numbers.choose(rng)) {
            (0, _) => tokens[at].clear(),
            (1, _) => tokens[at] = tokens[at].repeat(2),
            (2, _) => tokens.swap(at, other),
            (3, _) => tokens[at] = tokens[other].clone(),
            (4, _) => tokens[at] = misspelt(rng, &tokens[at]),
            (_, Some(number)) => tokens[*number] = format!("{} ", EXTREMES.choose(rng).unwrap()),
            (_, None) => tokens[at] = format!("{} ", EXTREMES.choose(rng).unwrap()),
        }
    }
    tokens.concat()
}

fn misspelt(rng: &mut ChaCha8Rng, token: &str) -> String {
    let mut letters: Vec<char> = token.chars().collect();
    let at = rng.random_range(0..letters.len());
    match rng.random_range(0..3) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        _ => letters.swap(at, 0),
    }
    letters.into_iter().collect()
}
