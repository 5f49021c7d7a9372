//! A sampler in a shared library.

use tch::Kind as Dtype;

use super::{Context, Pairs, Sampler};
use crate::ground::seed::Purpose;
use crate::policy::plugin::{Plugin, Question, Size};
use crate::slots::{Budget, Fault};

impl Sampler for Plugin {
    fn decide(&mut self, ctx: &Context<'_>) -> Result<Pairs, Fault> {
        let Context {
            index,
            labels,
            similarity,
            bank,
            now,
        } = ctx;
        let batch = Size::Is(index.size()[0]);
        let shape = [batch, Size::UpTo(bank.rows())];
        let question = Question::new("decide", Purpose::Sampler, bank.rows(), bank.device(), *now)
            .tensor("queries", similarity.queries())
            .tensor("index", index)
            .tensor("labels", labels)
            .bank(bank)
            .lazy("similarity", || similarity.get().shallow_clone())
            .answer("positives", Dtype::Int64, &shape)
            .answer("negatives", Dtype::Int64, &shape);
        let mut answers = self.ask(&question, Budget::DECIDE)?;
        let mut take = |name| answers.remove(name).expect("the question requires it");
        Ok(Pairs {
            positives: take("positives"),
            negatives: take("negatives"),
        })
    }

    fn refuse(&self, message: String) -> Fault {
        self.output_fault("decide", message)
    }
}
