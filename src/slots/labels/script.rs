//! A labels policy written in Rhai.

use tch::Tensor;

use super::{Clusters, Context, Labels, Upkeep};
use crate::bank::Bank;
use crate::ground::Now;
use crate::policy::script::{Fields, Script, answer};
use crate::slots::{Budget, Fault, Kind, Slot};

/// What `start` finds in `ctx`.
pub fn start_fields(features: &Tensor, now: Now) -> Fields {
    Fields::new(Slot::Labels, features.size()[0], features.device(), now)
        .of("start")
        .tensor("features", features)
}

/// What `decide` finds in `ctx`.
pub fn decide_fields(ctx: &Context<'_>) -> Fields {
    Fields::new(Slot::Labels, ctx.bank.rows(), ctx.bank.device(), ctx.now)
        .tensor("keys", ctx.keys)
        .tensor("index", ctx.index)
        .with("bank", answer::bank(ctx.bank))
}

/// What `after_step` or `after_epoch` finds in `ctx`.
pub fn upkeep_fields(function: &'static str, bank: &Bank, now: Now) -> Fields {
    Fields::new(Slot::Labels, bank.rows(), bank.device(), now)
        .of(function)
        .with("bank", answer::bank(bank))
}

impl Labels for Script {
    fn start(&mut self, features: &Tensor, now: Now) -> Result<Clusters, Fault> {
        if !self.has("start") {
            let message = "the inter-image branch begins with 'fn start(ctx)', which this script does not have";
            return Err(Fault::new(self.slot(), Kind::Contract, message));
        }
        let clusters = self.call("start", start_fields(features, now), Budget::UPKEEP)?;
        let refuse = |message| self.output_fault("start", message);
        let map = answer::map(&clusters, &["labels", "centroids"]).map_err(refuse)?;
        Ok(Clusters {
            labels: answer::tensor(&map, "labels").map_err(refuse)?,
            centroids: answer::tensor(&map, "centroids").map_err(refuse)?,
        })
    }

    fn decide(&mut self, ctx: &Context<'_>) -> Result<Option<Tensor>, Fault> {
        let labels = self.call("decide", decide_fields(ctx), Budget::DECIDE)?;
        if labels.is_unit() {
            return Ok(None);
        }
        let expected = "labels of the batch [B], or () to keep the old ones";
        answer::handle(&labels, expected)
            .map(Some)
            .map_err(|message| self.output_fault("decide", message))
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
    script: &mut Script,
    function: &'static str,
    bank: &Bank,
    now: Now,
    budget: Budget,
) -> Result<Upkeep, Fault> {
    if !script.has(function) {
        return Ok(Upkeep::default());
    }
    let changes = script.call(function, upkeep_fields(function, bank, now), budget)?;
    if changes.is_unit() {
        return Ok(Upkeep::default());
    }
    let refuse = |message| script.output_fault(function, message);
    let map = answer::map(&changes, &["labels", "centroids"]).map_err(refuse)?;
    Ok(Upkeep {
        labels: answer::optional_tensor(&map, "labels").map_err(refuse)?,
        centroids: answer::optional_tensor(&map, "centroids").map_err(refuse)?,
    })
}
