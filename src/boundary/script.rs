//! A boundary written in Rhai.

use rhai::Dynamic;

use super::{Boundary, Context, Decision, MISSING};
use crate::policy::Fault;
use crate::policy::script::vocabulary::{Handle, Rng};
use crate::policy::script::{Budget, Fields, Script, answer};

impl Boundary for Script {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Decision, Fault> {
        let fields = Fields::new("boundary", 1)
            .at(ctx.now)
            .with("positives", Handle::new(ctx.positives.shallow_clone()))
            .with("negatives", Handle::new(ctx.negatives.shallow_clone()))
            .with("valid", Handle::new(ctx.valid.shallow_clone()))
            .with("missing", MISSING)
            .with("temperature", ctx.temperature)
            .with("rng", Dynamic::from(Rng::new(ctx.positives.device())));
        let decision = self.call("decide", fields, Budget::DECIDE)?;
        let logits = answer::handle(&decision, "logits [B, P + K] or a loss []");
        let tensor = logits.map_err(|message| self.output_fault("decide", message))?;
        Ok(if tensor.dim() == 0 {
            Decision::Loss(tensor)
        } else {
            Decision::Logits(tensor)
        })
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}
