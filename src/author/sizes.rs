//! The sizes of a made-up context: what one given tensor says of them, the others must fit.

use std::collections::BTreeMap;

use tch::Tensor;

/// Sizes by their letters: B, D, N, C, P, K.
#[derive(Default)]
pub(super) struct Sizes(BTreeMap<char, Size>);

struct Size {
    size: i64,
    /// The field that said so.
    by: &'static str,
}

impl Sizes {
    /// Takes the sizes that a tensor has for the letters of its dimensions, as in "BD".
    ///
    /// # Errors
    /// Another number of dimensions, or a size that an earlier field contradicts.
    pub(super) fn take(
        &mut self,
        field: &'static str,
        tensor: &Tensor,
        letters: &str,
    ) -> Result<(), String> {
        let shape = tensor.size();
        let spelt: Vec<_> = letters.chars().map(|letter| letter.to_string()).collect();
        let spelt = spelt.join(", ");
        if shape.len() != letters.len() {
            return Err(format!("'{field}' must be [{spelt}], got {shape:?}"));
        }
        for (letter, size) in letters.chars().zip(&shape) {
            let known = self.0.entry(letter).or_insert(Size {
                size: *size,
                by: field,
            });
            if known.size != *size || *size == 0 {
                let Size { size: expected, by } = known;
                let why = match *size {
                    0 => format!("{letter} is at least 1"),
                    _ => format!("{letter} is {expected} in '{by}'"),
                };
                return Err(format!("'{field}' must be [{spelt}], got {shape:?}: {why}"));
            }
        }
        Ok(())
    }

    /// The size of a letter, or this one, which it then has.
    pub(super) fn or(&mut self, letter: char, size: i64) -> i64 {
        let default = Size {
            size,
            by: "what is made up",
        };
        self.0.entry(letter).or_insert(default).size
    }
}
