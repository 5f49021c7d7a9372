//! A sampler written in Rhai.

use std::rc::Rc;

use rhai::Dynamic;

use super::{Context, Pairs, Sampler};
use crate::policy::Fault;
use crate::policy::script::vocabulary::{Handle, Rng};
use crate::policy::script::{Budget, Fields, Script, answer};

impl Sampler for Script {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Pairs, Fault> {
        let similarity = Rc::clone(ctx.similarity);
        let fields = Fields::new("sampler", ctx.bank.rows())
            .at(ctx.now)
            .with(
                "queries",
                Handle::new(ctx.similarity.queries().shallow_clone()),
            )
            .with("index", Handle::new(ctx.index.shallow_clone()))
            .with("labels", Handle::new(ctx.labels.shallow_clone()))
            .with("bank", answer::bank(ctx.bank))
            .with("rng", Dynamic::from(Rng::new(ctx.index.device())))
            .with_lazy("similarity", move || {
                Ok(Dynamic::from(Handle::new(similarity.get().shallow_clone())))
            });
        let decision = self.call("decide", fields, Budget::DECIDE)?;
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
