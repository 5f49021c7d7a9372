//! A rehearsal on synthetic data: before a run has any of its own, and for `sandbox check`.

use std::sync::OnceLock;

use tch::{Device, Kind as Dtype, Tensor};

use crate::bank::Bank;
use crate::config::{Config, Loaded, Plan};
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::policy::script::{Origin, Script, Source};
use crate::policy::{Cost, Params, Policy, Unknown};
use crate::slots::labels::{self, Clusters};
use crate::slots::schedule::{self, Last, Number, Offer};
use crate::slots::{Fault, Kind, Slot};
use crate::train::frozen::Frozen;
use crate::train::hyperparameters::{self, Hyperparameters};

/// The moment in which the synthetic run stands.
const NOW: Now = Now {
    step: 9,
    epoch: 0,
    steps: 100,
    steps_per_epoch: 10,
    seed: 0,
    part: 0,
};
/// Images in the synthetic batch.
const BATCH: i64 = 8;
/// Dimension of the synthetic embeddings.
const DIM: i64 = 16;

/// Asks a policy everything that a run would ask it, on random unit rows.
///
/// # Errors
/// The policy's fault.
pub fn synthetic(policy: &mut Policy) -> Result<(), Fault> {
    let bank = bank(rows(policy));
    let fault = policy.without_trace(|policy| {
        let bank = started(policy, bank)?;
        if policy.slot() == Slot::Labels {
            labels::after_epoch(policy, &bank, NOW)?;
        }
        Frozen::synthetic(&bank, BATCH, NOW).rehearse(policy.slot(), policy, &bank)?;
        policy.save_state().map(drop)
    });
    policy.take_cost();
    fault
}

/// Whether a policy, asked once more, answers as a twin does that has its saved state: a run that goes on from a checkpoint is such
/// a twin.
///
/// # Errors
/// The policy's fault, and one of kind state where the answers differ.
pub fn state(policy: &mut Policy) -> Result<(), Fault> {
    let (slot, bank) = (policy.slot(), bank(rows(policy)));
    let bank = started(policy, bank)?;
    let frozen = Frozen::synthetic(&bank, BATCH, NOW);
    frozen.rehearse(slot, policy, &bank)?;
    let twin = policy.without_trace(|twin| frozen.rehearse(slot, twin, &bank))?;
    let own = frozen.rehearse(slot, policy, &bank)?;
    let equal = own.len() == twin.len() && own.iter().zip(&twin).all(|(a, b)| a.equal(b));
    match equal {
        true => Ok(()),
        false => Err(Fault::new(
            slot,
            Kind::State,
            "it answers otherwise after its state was saved and restored: it keeps something that it does not save, or draws random \
             numbers that are not the host's",
        )),
    }
}

/// What a step costs on the synthetic data, with whatever was lazily set up paid for before.
///
/// # Errors
/// The policy's fault.
pub fn decide(policy: &mut Policy) -> Result<Cost, Fault> {
    let bank = bank(rows(policy));
    let frozen = Frozen::synthetic(&bank, BATCH, NOW);
    // A plugin's twin acts, and has the cost.
    policy.without_trace(|policy| {
        policy.take_cost();
        frozen.rehearse(policy.slot(), policy, &bank)?;
        Ok(policy.take_cost())
    })
}

/// The bank with the labels and centroids of a labels policy's start; as it is for the other slots.
fn started(policy: &mut Policy, bank: Bank) -> Result<Bank, Fault> {
    if policy.slot() != Slot::Labels {
        return Ok(bank);
    }
    let Clusters { labels, centroids } = labels::start(policy, bank.features(), NOW)?;
    let mut begun = Bank::new(bank.rows(), DIM, centroids.size()[0], 1.0, Device::Cpu);
    begun
        .fill(bank.features(), &labels, &centroids)
        .map_err(|error| policy.output_fault("start", error.to_string()))?;
    Ok(begun)
}

/// Enough rows for as many clusters and for twice the counts that the parameters ask for.
fn rows(policy: &Policy) -> i64 {
    let params = policy.params();
    let clusters = params
        .get("clusters")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0);
    let counts: i64 = params
        .values()
        .filter_map(serde_json::Value::as_i64)
        .filter(|count| *count > 0)
        .sum();
    (4 * clusters).max(2 * counts).clamp(256, 65_536)
}

/// Asks a schedule about the first step of a run, which has none before it, and about a later one; returns the numbers that it gave.
///
/// # Errors
/// The policy's fault.
pub(super) fn schedule(policy: &mut Policy, offer: &Offer) -> Result<Tensor, Fault> {
    let number = |value: f64| Tensor::from(value);
    let (loss, norm) = (number(5.0), number(1.0));
    let moments = [
        (Now { step: 0, ..NOW }, Last::default()),
        (NOW, Last::new(&loss, &loss, &norm, Some(&loss))),
    ];
    let mut all = Vec::new();
    for (now, last) in &moments {
        let ctx = schedule::Context {
            lr: 0.03,
            offer,
            last,
            rows: 256,
            now: *now,
        };
        let numbers = schedule::run(policy, &ctx)?;
        all.extend(numbers.values().map(|number| number.value()));
    }
    Ok(Tensor::from_slice(&all))
}

/// What a schedule may give at the beginning of a run of this plan, which asks these policies.
pub(super) fn numbers(plan: &Plan, policies: &[Policy]) -> Offer {
    let rate = plan.rate(NOW.steps_per_epoch);
    let rate = rate.expect("a plan's schedule of the learning rate was looked up");
    hyperparameters::offer(plan, Hyperparameters::of(plan, &rate, NOW), policies.iter())
}

/// What a schedule may give in some run: every name, with the numbers of the configuration and the scripts that hold unless
/// others are named.
pub fn any_numbers() -> &'static Offer {
    static OFFER: OnceLock<Offer> = OnceLock::new();
    OFFER.get_or_init(make_any_numbers)
}

fn make_any_numbers() -> Offer {
    const FINE: &str = "the defaults are whole";
    let (config, folder) = (Config::default(), None);
    let plan = Plan::new(Loaded { config, folder }).expect(FINE);
    let scripts = Slot::INTER.map(|slot| {
        let script = plan.slot(slot).script.display().to_string();
        let source = Source::read(slot, &Origin::Shipped(script)).expect(FINE);
        let script = Script::build(slot, source, &Params::new(), Unknown::Refused);
        Policy::from(script.expect(FINE))
    });
    let mut offer = numbers(&plan, &scripts);
    for name in schedule::NAMES {
        offer.put_unless_there(name.key, Number::Real(0.0));
    }
    offer.take_unseen();
    offer
}

fn bank(rows: i64) -> Bank {
    const CLUSTERS: i64 = 8;
    seed_torch(0, Purpose::Rehearsal, 0, 0);
    let float = (Dtype::Float, Device::Cpu);
    let centroids = Tensor::randn([CLUSTERS, DIM], float);
    let labels = Tensor::arange(rows, (Dtype::Int64, Device::Cpu)).remainder(CLUSTERS);
    let features = centroids.index_select(0, &labels) + 0.5 * Tensor::randn([rows, DIM], float);
    let mut bank = Bank::new(rows, DIM, CLUSTERS, 1.0, Device::Cpu);
    bank.fill(&features, &labels, &centroids)
        .expect("the synthetic rows have the shapes that the bank was made for");
    bank
}
