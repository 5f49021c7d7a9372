//! What the sections of the two branches may say: `method`, `bank`, `inter`, `loss`, and one for each slot.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ckn::Fitting;
use super::oupn::Oupn;

/// The intra-image branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Method {
    /// `moco` (queue and momentum encoder; v1 and v2 differ in `model.hidden`, views and temperature), `npid` (one view
    /// against a memory of all images), `simclr` (NT-Xent within the batch), `byol` (predictor, no negatives), `oupn` (prototypes of a stream) or
    /// `ckn` (fits a kernel network without gradients).
    pub name: String,
    /// Keys in MoCo's queue.
    pub queue: i64,
    /// Temperature of the softmax; BYOL has none.
    pub temperature: f64,
    /// Momentum of the momentum encoder (MoCo, BYOL).
    pub momentum: f64,
    /// `constant`, or `cosine`: the momentum rises to 1 over the run, as in BYOL.
    pub momentum_schedule: String,
    /// Whether each view takes both parts (MoCo, BYOL); the loss is then the sum of both directions.
    pub symmetric: bool,
    /// `none`, `cosine` or `arc`: the margin on the positive cosine (not in BYOL).
    pub margin_kind: String,
    /// The margin, in units of the cosine or in radians.
    pub margin: f64,
    /// Shuffled groups in which MoCo's keys are batch-normalised: what one device has in the place of shuffling among several.
    pub key_groups: i64,
    /// Width of the hidden layer of BYOL's predictor.
    pub predictor: i64,
    /// What `oupn` alone has.
    pub oupn: Oupn,
    /// What `ckn` alone has.
    pub ckn: Fitting,
}

impl Default for Method {
    fn default() -> Self {
        Self {
            name: "moco".into(),
            queue: 65_536,
            temperature: 0.2,
            momentum: 0.999,
            momentum_schedule: "constant".into(),
            symmetric: false,
            margin_kind: "none".into(),
            margin: 0.0,
            key_groups: 1,
            predictor: 512,
            oupn: Oupn::default(),
            ckn: Fitting::default(),
        }
    }
}

/// The memory bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bank {
    /// Weight of the new feature when a row is renewed, in the bank and in NPID's memory; 1 replaces it (NPID: 0.5).
    pub momentum: f64,
}

impl Default for Bank {
    fn default() -> Self {
        Self { momentum: 1.0 }
    }
}

/// The inter-image branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inter {
    /// Temperature of the boundary.
    pub temperature: f64,
    /// Epochs with the intra-image loss alone, before the bank is filled and the first labels are made.
    pub warmup_epochs: u64,
    /// Another run, of whose features the first labels are made in the place of this run's own: its folder, or a part of the name of
    /// one. Empty: none.
    pub start_from: PathBuf,
}

impl Default for Inter {
    fn default() -> Self {
        Self {
            temperature: 0.2,
            warmup_epochs: 0,
            start_from: PathBuf::new(),
        }
    }
}

/// Weights of the two branches' losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// Weight of the intra-image loss.
    pub intra: f64,
    /// Weight of the inter-image loss; 0 switches the branch, the bank and its slots off.
    pub inter: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            intra: 0.75,
            inter: 0.25,
        }
    }
}
