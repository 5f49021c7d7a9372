//! Contexts that tests ask for: the fields that they give, and synthetic ones, drawn from a seed, in the place of all others.

use std::rc::Rc;

use rhai::Map;
use tch::{Device, Kind, Tensor};

use super::contexts::{self, BANK, MOMENT};
use super::schedules;
use super::sizes::Sizes;
use crate::bank::{Bank, segment_mean, unit_rows};
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::ground::suggest;
use crate::policy::script::testing::MakeUp;
use crate::policy::script::{Fields, vocabulary};
use crate::slots::Slot;
use crate::slots::sampler::Similarity;
use crate::slots::{boundary, labels, sampler};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
const INT: (Kind, Device) = (Kind::Int64, Device::Cpu);

/// What makes contexts for tests.
pub fn make_up() -> MakeUp {
    Rc::new(make_up_context)
}

/// The fields of a context of a slot: those that `given` names, and in the place of the others unit rows, labels and cosines that
/// are a function of `given.seed`.
///
/// # Errors
/// A text that names the field that is unknown or does not fit.
pub fn make_up_context(slot: Slot, given: &Map) -> Result<Fields, String> {
    let given = Given(given);
    let function = match given.text("function")? {
        None => "decide",
        Some(name) => contexts::function(slot, &name)?,
    };
    let fields = contexts::of(slot, function).map(|field| field.name);
    let common = ["params", "slot", "function", "seed"]
        .into_iter()
        .chain(MOMENT);
    let known: Vec<_> = fields
        .filter(|name| *name != "missing")
        .chain(common)
        .collect();
    given.only("", &known)?;
    let now = moment(&given)?;
    seed_torch(now.seed, Purpose::Rehearsal, 0, 0);
    tch::no_grad(|| match slot {
        Slot::Schedule => {
            let (base, last) = (given.map("base")?, given.map("last")?);
            schedules::fields(base, last, given.number("lr", 0.03)?, now)
        }
        Slot::Labels => of_labels(&given, function, now),
        Slot::Sampler => of_sampler(&given, now),
        Slot::Boundary => of_boundary(&given, now),
    })
}

/// When the script is asked; the synthetic run of `sandbox check`, unless it is given.
fn moment(given: &Given<'_>) -> Result<Now, String> {
    let steps_per_epoch = given.count("steps_per_epoch", 10)?.max(1);
    let step = given.count("step", 9)?;
    Ok(Now {
        step,
        epoch: given.count("epoch", step / steps_per_epoch)?,
        steps: given.count("steps", 100)?.max(1),
        steps_per_epoch,
        seed: given.count("seed", 0)?,
        part: 0,
    })
}

fn of_labels(given: &Given<'_>, function: &'static str, now: Now) -> Result<Fields, String> {
    let mut sizes = Sizes::default();
    if function == "start" {
        let features = given.rows("features", "ND", &mut sizes)?;
        let (n, d) = (sizes.or('N', 32), sizes.or('D', 8));
        let features = features.unwrap_or_else(|| clustered(n, d, 4).0);
        return Ok(labels::script::start_fields(&features, now));
    }
    let keys = given.rows("keys", "BD", &mut sizes)?;
    let index = given.tensor("index", Kind::Int64, "B", &mut sizes)?;
    let bank = bank(given, &mut sizes, None)?;
    if function != "decide" {
        return Ok(labels::script::upkeep_fields(function, &bank, now));
    }
    let index = rows(index, &bank, &mut sizes)?;
    let keys = keys.unwrap_or_else(|| near(&bank, &index));
    let (keys, index, bank) = (&keys, &index, &bank);
    let ctx = labels::Context {
        keys,
        index,
        bank,
        now,
    };
    Ok(labels::script::decide_fields(&ctx))
}

fn of_sampler(given: &Given<'_>, now: Now) -> Result<Fields, String> {
    let mut sizes = Sizes::default();
    let queries = given.rows("queries", "BD", &mut sizes)?;
    let index = given.tensor("index", Kind::Int64, "B", &mut sizes)?;
    let labels = given.tensor("labels", Kind::Int64, "B", &mut sizes)?;
    let product = given.tensor("similarity", Kind::Float, "BN", &mut sizes)?;
    let bank = bank(given, &mut sizes, labels.as_ref())?;
    let index = rows(index, &bank, &mut sizes)?;
    let queries = queries.unwrap_or_else(|| near(&bank, &index));
    let labels = labels.unwrap_or_else(|| bank.labels().index_select(0, &index));
    let similarity = Rc::new(Similarity::new(&queries, bank.features()));
    let fields = sampler::script::fields(&sampler::Context {
        index: &index,
        labels: &labels,
        similarity: &similarity,
        bank: &bank,
        now,
    });
    Ok(match product {
        Some(product) => fields.tensor("similarity", &product),
        None => fields,
    })
}

fn of_boundary(given: &Given<'_>, now: Now) -> Result<Fields, String> {
    let mut sizes = Sizes::default();
    let positives = given.tensor("positives", Kind::Float, "BP", &mut sizes)?;
    let negatives = given.tensor("negatives", Kind::Float, "BK", &mut sizes)?;
    let valid = given.tensor("valid", Kind::Bool, "BP", &mut sizes)?;
    let (b, p, k) = (sizes.or('B', 4), sizes.or('P', 1), sizes.or('K', 8));
    // Cosines as after some training: positives high, negatives around 0.
    let positives = positives.unwrap_or_else(|| Tensor::rand([b, p], FLOAT) * 0.5 + 0.4);
    let negatives = negatives.unwrap_or_else(|| Tensor::rand([b, k], FLOAT) - 0.5);
    let valid = valid.unwrap_or_else(|| Tensor::ones([b, p], (Kind::Bool, Device::Cpu)));
    let tracked = |cosines: Tensor| cosines.detach().set_requires_grad(true);
    Ok(boundary::script::fields(&boundary::Context {
        positives: &tracked(positives),
        negatives: &tracked(negatives),
        valid: &valid,
        temperature: given.number("temperature", 0.2)?,
        now,
    }))
}

/// The bank of which some parts may be given; `queried` are labels that must be clusters of it.
fn bank(given: &Given<'_>, sizes: &mut Sizes, queried: Option<&Tensor>) -> Result<Bank, String> {
    let empty = Map::new();
    let inside = given.map("bank")?;
    let part = Given(inside.as_ref().unwrap_or(&empty));
    part.only(" in 'bank'", &BANK.map(|field| field.name))?;
    let features = part.rows("features", "ND", sizes)?;
    let labels = part.tensor("labels", Kind::Int64, "N", sizes)?;
    let centroids = part.tensor("centroids", Kind::Float, "CD", sizes)?;
    let (n, d) = (sizes.or('N', 32), sizes.or('D', 8));
    let end = |labels: &Tensor| labels.max().int64_value(&[]) + 1;
    let own = labels.as_ref().map_or(n.min(4), end);
    let c = sizes.or('C', queried.map_or(1, end).max(own).max(1));

    let (drawn, even) = clustered(n, d, c);
    let features = features.unwrap_or(drawn);
    let labels = labels.unwrap_or(even);
    let mut bank = Bank::new(n, d, c, 1.0, Device::Cpu);
    let centroids = match centroids {
        Some(centroids) => centroids,
        None if (0..c).contains(&labels.min().int64_value(&[])) => {
            segment_mean(&features, &labels, c, None)
        }
        None => Tensor::zeros([c, d], FLOAT),
    };
    let filled = bank.fill(&features, &labels, &centroids);
    filled.map_err(|error| format!("bank: {error}"))?;
    if let Some(queried) = queried {
        within("labels", queried, c)?;
    }
    Ok(bank)
}

/// Unit rows `[N, D]` around C random directions, and the labels `[N]` of these, each as often as any other.
fn clustered(n: i64, d: i64, c: i64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(n, INT).remainder(c);
    let centres = Tensor::randn([c, d], FLOAT).index_select(0, &labels);
    let rows = centres + 0.5 * Tensor::randn([n, d], FLOAT);
    (unit_rows(&rows), labels)
}

/// The rows of the bank of the batch, the first ones unless they are given.
fn rows(index: Option<Tensor>, bank: &Bank, sizes: &mut Sizes) -> Result<Tensor, String> {
    let b = sizes.or('B', 4);
    let index = index.unwrap_or_else(|| Tensor::arange(b, INT).remainder(bank.rows()));
    within("index", &index, bank.rows())?;
    Ok(index)
}

/// Unit rows near the bank's, as embeddings of the same images are.
fn near(bank: &Bank, index: &Tensor) -> Tensor {
    let rows = bank.features().index_select(0, index);
    unit_rows(&(&rows + 0.1 * rows.randn_like()))
}

fn within(field: &str, values: &Tensor, end: i64) -> Result<(), String> {
    let ends = [values.min(), values.max()].map(|end| end.int64_value(&[]));
    match ends.into_iter().find(|value| !(0..end).contains(value)) {
        None => Ok(()),
        Some(odd) => Err(format!("'{field}' holds {odd}, expected 0..{end}")),
    }
}

/// What a test gives.
struct Given<'a>(&'a Map);

impl Given<'_> {
    fn only(&self, place: &str, known: &[&str]) -> Result<(), String> {
        let Some(name) = self.0.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let meant = suggest::nearest(name, known.iter().copied());
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        Err(format!(
            "unknown key '{name}'{place}, known are {}{meant}",
            known.join(", ")
        ))
    }

    /// A tensor, or an array that becomes one.
    fn tensor(
        &self,
        field: &'static str,
        kind: Kind,
        letters: &str,
        sizes: &mut Sizes,
    ) -> Result<Option<Tensor>, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(None);
        };
        let tensor =
            vocabulary::tensor(value, kind).map_err(|found| format!("'{field}': {found}"))?;
        if tensor.kind() != kind {
            return Err(format!(
                "'{field}' must be {kind:?}, got {:?}",
                tensor.kind()
            ));
        }
        sizes.take(field, &tensor, letters)?;
        Ok(Some(tensor))
    }

    /// Unit rows.
    fn rows(
        &self,
        field: &'static str,
        letters: &str,
        sizes: &mut Sizes,
    ) -> Result<Option<Tensor>, String> {
        let Some(rows) = self.tensor(field, Kind::Float, letters, sizes)? else {
            return Ok(None);
        };
        let norms = rows.norm_scalaropt_dim(2.0, [1i64], false);
        let odd = (&norms - 1.0).abs().le(1e-3).logical_not();
        if odd.any().int64_value(&[]) == 0 {
            return Ok(Some(rows));
        }
        let at = odd.to_kind(Kind::Int64).argmax(0, false).int64_value(&[]);
        let norm = norms.double_value(&[at]);
        Err(format!(
            "'{field}[{at}]' has norm {norm:.3}, expected 1: the host gives unit rows ('x.normalize()' makes some)"
        ))
    }

    fn text(&self, field: &str) -> Result<Option<String>, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(None);
        };
        let text = value.clone().into_string();
        text.map(Some)
            .map_err(|found| format!("'{field}' must be a text, got {found}"))
    }

    fn map(&self, field: &str) -> Result<Option<Map>, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(None);
        };
        let map = value.clone().try_cast::<Map>();
        map.map(Some).ok_or_else(|| {
            format!(
                "'{field}' must be a map #{{ .. }}, got {}",
                vocabulary::kind_of(value)
            )
        })
    }

    fn count(&self, field: &str, default: u64) -> Result<u64, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(default);
        };
        let count = value.as_int().ok().and_then(|int| u64::try_from(int).ok());
        count.ok_or_else(|| format!("'{field}' must be a count, got {value}"))
    }

    fn number(&self, field: &str, default: f64) -> Result<f64, String> {
        let Some(value) = self.0.get(field) else {
            return Ok(default);
        };
        let number = value
            .as_float()
            .ok()
            .or(value.as_int().ok().map(|int| int as f64));
        number.ok_or_else(|| format!("'{field}' must be a number, got {value}"))
    }
}
