//! A labels policy in a shared library.

use tch::{Kind as Dtype, Tensor};

use super::{Clusters, Context, Labels, Upkeep};
use crate::bank::Bank;
use crate::ground::Now;
use crate::ground::seed::Purpose;
use crate::policy::plugin::{Plugin, Question, Size};
use crate::slots::{Budget, Fault};

impl Labels for Plugin {
    fn start(&mut self, features: &Tensor, now: Now) -> Result<Clusters, Fault> {
        let (n, d) = (features.size()[0], features.size()[1]);
        let question = Question::new("start", Purpose::Labels, n, features.device(), now)
            .tensor("features", features)
            .answer("labels", Dtype::Int64, &[Size::Is(n)])
            .answer("centroids", Dtype::Float, &[Size::UpTo(n), Size::Is(d)]);
        let mut answers = self.ask(&question, Budget::UPKEEP)?;
        let mut take = |name| answers.remove(name).expect("the question requires it");
        Ok(Clusters {
            labels: take("labels"),
            centroids: take("centroids"),
        })
    }

    fn decide(&mut self, ctx: &Context<'_>) -> Result<Option<Tensor>, Fault> {
        let (bank, batch) = (ctx.bank, Size::Is(ctx.index.size()[0]));
        let question = Question::new(
            "decide",
            Purpose::Labels,
            bank.rows(),
            bank.device(),
            ctx.now,
        )
        .tensor("keys", ctx.keys)
        .tensor("index", ctx.index)
        .bank(bank)
        .optional("labels", Dtype::Int64, &[batch]);
        Ok(self.ask(&question, Budget::DECIDE)?.remove("labels"))
    }

    fn after_step(&mut self, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
        upkeep(self, "after_step", bank, now, Budget::STEP)
    }

    fn after_epoch(&mut self, bank: &Bank, now: Now) -> Result<Upkeep, Fault> {
        upkeep(self, "after_epoch", bank, now, Budget::UPKEEP)
    }

    fn refuse(&self, function: &str, message: String) -> Fault {
        self.output_fault(function, message)
    }
}

fn upkeep(
    plugin: &mut Plugin,
    function: &'static str,
    bank: &Bank,
    now: Now,
    budget: Budget,
) -> Result<Upkeep, Fault> {
    let (n, c, d) = (bank.rows(), bank.clusters(), bank.dim());
    let question = Question::new(function, Purpose::Labels, n, bank.device(), now)
        .bank(bank)
        .optional("labels", Dtype::Int64, &[Size::Is(n)])
        .optional("centroids", Dtype::Float, &[Size::Is(c), Size::Is(d)]);
    let mut answers = plugin.ask(&question, budget)?;
    Ok(Upkeep {
        labels: answers.remove("labels"),
        centroids: answers.remove("centroids"),
    })
}
