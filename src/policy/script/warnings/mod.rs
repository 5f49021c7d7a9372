//! What a script says that is no fault, and is hardly meant so.

mod keys;
mod quotients;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use rhai::{ASTNode, Expr, Position, Stmt, StmtBlock};

use super::vocabulary::names;
use super::{Script, diagnostic};
use crate::ground::suggest;
use crate::slots::fault::Place;

pub use quotients::Quotients;

/// Functions that the host calls beside those of the contract.
const OTHERS: [&str; 2] = ["defaults", "restore"];

/// Words that arrays have too, where they change them in place.
const IN_PLACE: [&str; 6] = ["sort", "fill", "append", "insert", "clear", "set"];

/// A place and what is odd there.
type Found = (Position, String);

impl Script {
    /// What is odd in its main text, each as a diagnostic; `quotients` are those that a rehearsal came by.
    pub fn warnings(&self, quotients: &Quotients) -> Vec<String> {
        let mut found = self.unused_answers();
        found.extend(self.whole_quotients());
        found.extend(quotients.found());
        found.extend(self.unset_state());
        found.extend(self.unknown_params());
        found.extend(self.misspelt_answers());
        found.extend(self.uncalled());
        found.sort_by_key(|(place, _)| at(*place));
        found.dedup();
        let text = self.source().main();
        let all = found.into_iter().map(|(at, message)| {
            let place = Place {
                file: text.name.clone(),
                line: at.line().unwrap_or(1),
                column: at.position().unwrap_or(1),
            };
            diagnostic::warning(text, &place, &message, &[])
        });
        all.collect()
    }

    /// Words whose answer nobody takes.
    fn unused_answers(&self) -> Vec<Found> {
        let words: BTreeSet<_> = names().into_iter().collect();
        let mut found = Vec::new();
        // What stands in a function itself, in the order of the text.
        let mut outermost = Vec::new();
        self.ast().walk(&mut |path| {
            if let [ASTNode::Stmt(statement)] = path {
                outermost.push((statement.position(), discarded(statement)));
                within(statement, &mut |inner| found.extend(discarded(inner)));
            }
            true
        });
        // What a closure answers stands within another function.
        let closures = self.ast().iter_fn_def();
        let closures = closures.filter(|function| function.name.starts_with("anon$"));
        let closures: Vec<_> = closures
            .map(|closure| at(closure.body.start_position())..=at(closure.body.end_position()))
            .collect();
        for function in self.ast().iter_fn_def() {
            let (start, end) = (
                at(function.body.start_position()),
                at(function.body.end_position()),
            );
            let own = outermost.iter().filter(|(place, _)| {
                let place = at(*place);
                let within_closure = |closure: &RangeInclusive<_>| {
                    // Of one that is an expression only the start is known.
                    *closure != (start..=end)
                        && (closure.contains(&place) || *closure.start() == place)
                };
                (start..=end).contains(&place) && !closures.iter().any(within_closure)
            });
            let own: Vec<_> = own.collect();
            // The last one is what the function answers.
            let others = own.split_last().map_or(&[][..], |(_, others)| others);
            found.extend(others.iter().filter_map(|(_, word)| word.clone()));
        }
        let odd = found
            .into_iter()
            .filter(|(_, word)| words.contains(word) && !IN_PLACE.contains(&word.as_str()));
        odd.map(|(place, word)| {
            (
                place,
                format!("nobody takes what '{word}' answers, and nothing changes in place"),
            )
        })
        .collect()
    }

    /// Functions that nobody calls and that are called nearly as one that the host calls.
    fn uncalled(&self) -> Vec<Found> {
        let known = self.slot().contract().functions.iter();
        let known: Vec<_> = known.map(|function| function.name).chain(OTHERS).collect();
        let text = &self.source().main().text;
        let calls = |name: &str| {
            text.matches(&format!("{name}(")).count() > 1 || text.contains(&format!("{name}\""))
        };
        let mut found = Vec::new();
        for function in self.ast().iter_fn_def() {
            let name = function.name.as_str();
            if known.contains(&name) || name.starts_with("anon$") || calls(name) {
                continue;
            }
            if let Some(near) = suggest::nearest(name, known.iter().copied()) {
                let message = format!("nobody calls '{name}': did you mean '{near}'?");
                found.push((position(text, name), message));
            }
        }
        found
    }
}

/// The line that defines a function, counted from 1.
fn position(text: &str, function: &str) -> Position {
    let start = format!("fn {function}(");
    let line = text.lines().position(|line| line.contains(&start));
    Position::new(line.map_or(1, |index| index as u16 + 1), 1)
}

/// A place that can be compared.
fn at(place: Position) -> (usize, usize) {
    (place.line().unwrap_or(0), place.position().unwrap_or(0))
}

/// Shows `look` each statement in the blocks of a statement whose value is not its block's.
fn within<'a>(statement: &'a Stmt, look: &mut impl FnMut(&'a Stmt)) {
    let blocks: Vec<&StmtBlock> = match statement {
        Stmt::Block(block) => vec![block],
        Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) | Stmt::TryCatch(flow, _) => {
            vec![&flow.body, &flow.branch]
        }
        Stmt::For(of, _) => vec![&of.2.body],
        _ => Vec::new(),
    };
    // Of a loop's body nobody takes the last value either.
    let looped = matches!(statement, Stmt::While(..) | Stmt::Do(..) | Stmt::For(..));
    for block in blocks {
        let statements = block.statements();
        let unused = match statements.split_last() {
            Some((_, others)) if !looped => others,
            _ => statements,
        };
        unused.iter().for_each(&mut *look);
        statements.iter().for_each(|inner| within(inner, look));
    }
}

/// The function whose answer a statement throws away.
fn discarded(statement: &Stmt) -> Option<Found> {
    match statement {
        Stmt::FnCall(call, place) => Some((*place, call.name.to_string())),
        Stmt::Expr(expr) => last_call(expr),
        _ => None,
    }
}

/// The last call of a chain, as `masked_fill` of `x.t().masked_fill(m, 0)`.
fn last_call(expr: &Expr) -> Option<Found> {
    match expr {
        Expr::FnCall(call, place) if call.op_token.is_none() => {
            Some((*place, call.name.to_string()))
        }
        Expr::MethodCall(call, place) => Some((*place, call.name.to_string())),
        Expr::Dot(of, ..) => last_call(&of.rhs),
        _ => None,
    }
}
