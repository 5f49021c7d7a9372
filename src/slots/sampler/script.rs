//! A sampler written in Rhai.

use std::rc::Rc;

use rhai::Dynamic;

use super::{Context, Pairs, Sampler};
use crate::policy::script::vocabulary::Handle;
use crate::policy::script::{Fields, Script, answer};
use crate::slots::{Budget, Fault, Slot};

/// What a script finds in `ctx`.
pub fn fields(ctx: &Context<'_>) -> Fields {
    let similarity = Rc::clone(ctx.similarity);
    Fields::new(Slot::Sampler, ctx.bank.rows(), ctx.bank.device(), ctx.now)
        .tensor("queries", ctx.similarity.queries())
        .tensor("index", ctx.index)
        .tensor("labels", ctx.labels)
        .with("bank", answer::bank(ctx.bank))
        .with_lazy("similarity", move || {
            Ok(Dynamic::from(Handle::new(similarity.get().shallow_clone())))
        })
}

impl Sampler for Script {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Pairs, Fault> {
        let decision = self.call("decide", fields(ctx), Budget::DECIDE)?;
        let refuse = |message| self.output_fault("decide", message);
        let map = answer::map(&decision, &["positives", "negatives"]).map_err(refuse)?;
        Ok(Pairs {
            positives: answer::tensor(&map, "positives").map_err(refuse)?,
            negatives: answer::tensor(&map, "negatives").map_err(refuse)?,
        })
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}
