//! Quotients of two integers, which are whole in Rhai: the share of the run that is over would be 0 to its end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{ASTNode, EvalAltResult, Expr, INT, NativeCallContext, Position};

use super::Found;
use crate::policy::Unknown;
use crate::policy::script::Script;
use crate::slots::Fault;
use crate::slots::contract::{COMMON, Type};

const MESSAGE: &str =
    "a quotient of integers is whole, 7 / 2 is 3, and this one is 0: write '1.0 * a / b'";

/// Where, in its main text, a script has divided integers that are not 0, and whether it ever got something else than 0.
#[derive(Clone, Default)]
pub struct Quotients(Rc<RefCell<BTreeMap<Position, bool>>>);

impl Quotients {
    pub(super) fn found(&self) -> Vec<Found> {
        let places = self.0.borrow();
        let lost = places.iter().filter(|(_, kept)| !**kept);
        lost.map(|(at, _)| (*at, MESSAGE.to_owned())).collect()
    }

    fn divide(
        &self,
        call: &NativeCallContext<'_>,
        number: INT,
        by: INT,
    ) -> Result<INT, Box<EvalAltResult>> {
        let quotient = number.checked_div(by);
        // What an import divides is its own text's.
        if let Some(quotient) = quotient
            && number != 0
            && call.call_source().is_none()
        {
            let mut places = self.0.borrow_mut();
            *places.entry(call.call_position()).or_default() |= quotient != 0;
        }
        quotient.ok_or_else(|| format!("{number} / {by} is no integer").into())
    }
}

impl Script {
    /// The same script with no state, whose quotients are looked at while it is asked something.
    ///
    /// # Errors
    /// As [`Script::build`].
    pub fn watching_quotients(&self) -> Result<(Self, Quotients), Fault> {
        let (source, quotients) = (self.source().clone(), Quotients::default());
        let [own, assigned] = [quotients.clone(), quotients.clone()];
        let watch = |engine: &mut rhai::Engine| {
            // Else Rhai divides by itself.
            engine.set_fast_operators(false);
            engine.register_fn("/", move |call: NativeCallContext<'_>, a: INT, b: INT| {
                own.divide(&call, a, b)
            });
            engine.register_fn(
                "/=",
                move |call: NativeCallContext<'_>, a: &mut INT, b: INT| {
                    assigned.divide(&call, *a, b).map(|quotient| *a = quotient)
                },
            );
        };
        let script = Self::made(
            self.slot(),
            source,
            (self.params(), Unknown::Refused),
            watch,
        )?;
        Ok((script, quotients))
    }

    /// Quotients of an integer of `ctx` and the steps of the run, which are 0 to its end, whether or not they were come by.
    pub(super) fn whole_quotients(&self) -> Vec<Found> {
        let ints = COMMON.iter().filter(|input| input.kind == Type::Int);
        let ints: Vec<_> = ints.map(|input| input.name).collect();
        let is = |expr: &Expr, names: &[&str]| {
            matches!(expr, Expr::Dot(of, ..)
                if matches!(&of.rhs, Expr::Property(name, _) if names.contains(&name.2.as_str()))
                    && matches!(of.lhs, Expr::Variable(..)))
        };
        let mut found = Vec::new();
        self.ast().walk(&mut |path| {
            if let Some(ASTNode::Expr(Expr::FnCall(call, place))) = path.last()
                && let [number, by] = &call.args[..]
                && call.name == "/"
                && is(number, &ints)
                && is(by, &["steps"])
            {
                found.push((*place, MESSAGE.to_owned()));
            }
            true
        });
        found
    }
}
