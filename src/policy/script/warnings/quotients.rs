//! Quotients of two integers, which are whole in Rhai: the share of the run that is over would be 0 to its end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{ASTNode, EvalAltResult, Expr, INT, NativeCallContext, Position};

use super::Found;
use crate::policy::Unknown;
use crate::policy::script::Script;
use crate::slots::Fault;
use crate::slots::contract::{COMMON, Type};

const MESSAGE: &str =
    "a quotient of integers is whole, 7 / 2 is 3: write '1.0 * ctx.step / ctx.steps'";

/// Where, in its main text, a script has divided an integer by a larger one and got 0.
#[derive(Clone, Default)]
pub struct Quotients(Rc<RefCell<BTreeSet<Position>>>);

impl Quotients {
    pub(super) fn found(&self) -> Vec<Found> {
        let places = self.0.borrow();
        places.iter().map(|at| (*at, MESSAGE.to_owned())).collect()
    }

    fn divide(
        &self,
        call: &NativeCallContext<'_>,
        number: INT,
        by: INT,
    ) -> Result<INT, Box<EvalAltResult>> {
        let quotient = number.checked_div(by);
        // What an import divides is its own text's.
        if quotient == Some(0) && number != 0 && call.call_source().is_none() {
            self.0.borrow_mut().insert(call.call_position());
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

    /// Quotients that are whole by what is written, whether or not they were come by.
    pub(super) fn whole_quotients(&self) -> Vec<Found> {
        let ints = COMMON.iter().filter(|input| input.kind == Type::Int);
        let ints: Vec<_> = ints.map(|input| input.name).collect();
        let is_int = |expr: &Expr| match expr {
            Expr::IntegerConstant(..) => true,
            Expr::Dot(of, ..) => {
                matches!(&of.rhs, Expr::Property(name, _) if ints.contains(&name.2.as_str()))
                    && matches!(of.lhs, Expr::Variable(..))
            }
            _ => false,
        };
        let mut found = Vec::new();
        self.ast().walk(&mut |path| {
            let Some(ASTNode::Expr(Expr::FnCall(call, place))) = path.last() else {
                return true;
            };
            let constant = |expr: &Expr| matches!(expr, Expr::IntegerConstant(..));
            if call.name == "/" && call.args.iter().all(is_int) && !call.args.iter().all(constant) {
                found.push((*place, MESSAGE.to_owned()));
            }
            true
        });
        found
    }
}
