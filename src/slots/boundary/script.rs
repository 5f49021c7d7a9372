//! A boundary written in Rhai.

use super::{Boundary, Context, Decision, MISSING};
use crate::policy::script::{Fields, Script, answer};
use crate::slots::{Budget, Fault, Slot};

/// What a script finds in `ctx`.
pub fn fields(ctx: &Context<'_>) -> Fields {
    Fields::new(Slot::Boundary, 1, ctx.positives.device(), ctx.now)
        .tensor("positives", ctx.positives)
        .tensor("negatives", ctx.negatives)
        .tensor("valid", ctx.valid)
        .with("missing", MISSING)
        .with("temperature", ctx.temperature)
}

impl Boundary for Script {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Decision, Fault> {
        let decision = self.call("decide", fields(ctx), Budget::DECIDE)?;
        let tensor = answer::handle(&decision, "logits [B, P + K] or a loss []");
        let tensor = tensor.map_err(|message| self.output_fault("decide", message))?;
        Ok(match tensor.dim() {
            0 => Decision::Loss(tensor),
            _ => Decision::Logits(tensor),
        })
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}
