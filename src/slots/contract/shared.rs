//! What several functions are given.

use super::{Input, Made, Type};

/// What every function is given.
pub const COMMON: &[Input] = &[
    Input::value("params", Type::Params, Made::Given)
        .is("the parameters: defaults(), with the configuration's values in their place"),
    Input::value("rng", Type::Rng, Made::Given)
        .is("random numbers, a function of (seed, slot, step)"),
    Input::value("step", Type::Int, Made::Given).is("steps done before this one"),
    Input::value("epoch", Type::Int, Made::Given).is("epochs done before this one"),
    Input::value("steps", Type::Int, Made::Given).is("steps of the whole run"),
    Input::value("steps_per_epoch", Type::Int, Made::Given).is("steps of an epoch"),
];

/// What `ctx.bank` holds.
pub const BANK: &[Input] = &[
    Input::float32("features", "[N, D]", Made::Rows).is("unit rows, one of each training image"),
    Input::int64("labels", "[N]", Made::Labels).is("their pseudo-labels, in 0..C"),
    Input::float32("centroids", "[C, D]", Made::Centroids).is("the clusters' centroids"),
];
