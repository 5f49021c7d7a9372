//! Examples in a script's header: `//! example: EXPRESSION => EXPRESSION`, both evaluated in the script itself.

use rhai::{Dynamic, EvalAltResult, Position, Scope};

use super::super::{Text, diagnostic};
use super::Suite;
use super::assert::{TOLERANCE, difference};
use crate::slots::{Budget, Fault, Kind};

/// What begins an example's line.
const HEAD: &str = "//! example:";

/// Between the two expressions; the last one of a line counts, as a `switch` has its own.
const ARROW: &str = " => ";

/// An example of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Its line, counted from 1.
    pub line: usize,
    /// The first expression, and the column of its first character, counted from 1.
    pub left: (String, usize),
    /// The second; nothing where the line has no arrow.
    pub right: Option<(String, usize)>,
}

/// The examples of a text.
pub fn examples(text: &str) -> Vec<Example> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| example(index + 1, line))
        .collect()
}

fn example(number: usize, line: &str) -> Option<Example> {
    let rest = line.trim_start().strip_prefix(HEAD)?;
    let expression = |text: &str| {
        let start = text.as_ptr() as usize - line.as_ptr() as usize;
        let blank = text.len() - text.trim_start().len();
        let column = line[..start + blank].chars().count() + 1;
        (text.trim().to_owned(), column)
    };
    let (left, right) = match rest.rsplit_once(ARROW) {
        Some((left, right)) => (expression(left), Some(expression(right))),
        None => (expression(rest), None),
    };
    Some(Example {
        line: number,
        left,
        right,
    })
}

impl Suite {
    /// Evaluates both sides of an example; they must be equal, floats within 1e-5.
    ///
    /// # Errors
    /// That they are not, or what went wrong in one.
    pub fn example(&mut self, example: &Example) -> Result<(), Fault> {
        let Example { line, left, right } = example;
        let place = Position::new(*line as u16, left.1 as u16);
        let Some(right) = right else {
            let message = format!("an example reads 'EXPRESSION{ARROW}EXPRESSION'");
            return Err(self.fault_at(place, &message, &[]));
        };
        let got = self.evaluate(*line, left)?;
        let expected = self.evaluate(*line, right)?;
        match difference("example", &got, &expected, Some(TOLERANCE)) {
            None => Ok(()),
            Some(failed) => Err(self.fault_at(place, &failed.message, &failed.notes)),
        }
    }

    /// Evaluates an expression as if it stood at the end of the script, below its imports and constants; faults show it where it is.
    fn evaluate(
        &mut self,
        line: usize,
        (text, column): &(String, usize),
    ) -> Result<Dynamic, Fault> {
        let main = self.source.main().text.trim_end_matches('\n');
        let end = main.lines().count();
        let whole = format!("{main}\n{}{text}", " ".repeat(column - 1));
        let slot = self.slot;
        let ast = self.engine.rhai().compile(&whole).map_err(|error| {
            let found = error.position();
            let column = match found.line() {
                Some(at) if at > end => found.position().unwrap_or(*column),
                _ => column + text.chars().count() - 1,
            };
            let message = diagnostic::lower(&error.err_type().to_string());
            let place = Position::new(line as u16, column.max(1) as u16);
            diagnostic::at(
                slot,
                Kind::Compile,
                self.source.main(),
                place,
                &message,
                &[],
            )
        })?;
        self.guarded(Budget::UPKEEP, |suite| {
            let mut scope = Scope::new();
            let value = suite
                .engine
                .rhai()
                .eval_ast_with_scope::<Dynamic>(&mut scope, &ast);
            value.map_err(|mut error| {
                relocate(&mut error, end, line);
                error
            })
        })
    }

    fn fault_at(&self, place: Position, message: &str, notes: &[String]) -> Fault {
        let text: &Text = self.source.main();
        diagnostic::at(self.slot, Kind::Call, text, place, message, notes)
    }
}

/// Moves the places below the script's last line to the example's line. Below a call of another text's function, places are of that
/// text.
fn relocate(error: &mut EvalAltResult, end: usize, line: usize) {
    let place = error.position();
    if place.line().is_some_and(|at| at > end) {
        error.set_position(Position::new(
            line as u16,
            place.position().unwrap_or(1) as u16,
        ));
    }
    if let EvalAltResult::ErrorInFunctionCall(_, source, inner, _) = error
        && source.is_empty()
    {
        relocate(inner, end, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_arrow_divides_and_columns_are_those_of_the_line() {
        let found = examples(
            "//! slot: sampler\n//! example: switch 1 { 1 => 2, _ => 3 } => 2\n//! example: f(1)\n",
        );
        assert_eq!(
            found,
            [
                Example {
                    line: 2,
                    left: ("switch 1 { 1 => 2, _ => 3 }".into(), 14),
                    right: Some(("2".into(), 45)),
                },
                Example {
                    line: 3,
                    left: ("f(1)".into(), 14),
                    right: None,
                },
            ]
        );
    }
}
