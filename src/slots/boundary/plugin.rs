//! A boundary in a shared library. It takes no part in libtorch's graph, so it answers with the gradient on the cosines itself.

use tch::Kind as Dtype;

use super::{Boundary, Context, Decision, MISSING, Outcome};
use crate::ground::seed::Purpose;
use crate::policy::plugin::{Plugin, Question, Size};
use crate::slots::{Budget, Fault};

impl Boundary for Plugin {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Decision, Fault> {
        let shape = |of: &tch::Tensor| of.size().into_iter().map(Size::Is).collect::<Vec<_>>();
        let device = ctx.positives.device();
        let question = Question::new("decide", Purpose::Boundary, 1, device, ctx.now)
            .tensor("positives", ctx.positives)
            .tensor("negatives", ctx.negatives)
            .tensor("valid", ctx.valid)
            .number("missing", MISSING)
            .number("temperature", ctx.temperature)
            .answer("loss", Dtype::Float, &[])
            .answer("d_positives", Dtype::Float, &shape(ctx.positives))
            .answer("d_negatives", Dtype::Float, &shape(ctx.negatives));
        let mut answers = self.ask(&question, Budget::DECIDE)?;
        let mut take = |name| answers.remove(name).expect("the question requires it");
        Ok(Decision::Gradient(Outcome {
            loss: take("loss"),
            positives: take("d_positives"),
            negatives: take("d_negatives"),
        }))
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}
