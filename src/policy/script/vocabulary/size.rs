//! How many bytes a verb's answer takes at the most, from the shapes of its arguments: asked before anything is allocated.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::Handle;
use super::arguments::Arguments;
use super::extent::{diag, einsum, greatest, pairs, products, segments, selected, steps};
use super::held::{Held, Owner};
use super::record::map_of;

/// Bytes of a handle and of what libtorch keeps of a view.
const HANDLE: f64 = 512.0;

/// No classifier that a script is given has more classes: those of ImageNet-21K.
const MOST_CLASSES: f64 = 21_843.0;

/// The most bytes that a verb's answer takes.
pub(super) type Rule = fn(&Arguments<'_>) -> f64;

/// Whose memory a verb's answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// Its own.
    New,
    /// That of its first argument.
    View,
    /// An index by tensors makes a new one, any other a view.
    Index,
}

impl Makes {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "unsqueeze" | "squeeze" | "t" | ".T" | "transpose" | "permute" | "expand"
            | "expand_as" | "split" | "chunk" | "unbind" | "narrow" | "select" | "slice"
            | "diagonal" | "detach" => Self::View,
            "[]" => Self::Index,
            _ => Self::New,
        }
    }

    /// The owner of what is made of these arguments.
    pub(super) fn owner(self, a: &Arguments<'_>) -> Owner {
        let view = self == Self::View || self == Self::Index && !a.is_tensor(1);
        let first = a.values().first().filter(|_| view);
        let base = first.and_then(|value| Some(Rc::clone(&value.read_lock::<Handle>()?.0)));
        base.map_or(Owner::Script, Owner::Tensor)
    }
}

/// The rule of a verb; where none is told, elements as broadcasting makes them, or those of all tensors together.
pub(super) fn rule(name: &str) -> Rule {
    match name {
        "tensor" | "new_tensor" => |a| a.values().last().map_or(0.0, |value| leaves(value)) * 8.0,
        "to_array" | "to_list" | "tolist" | "to_string" | "to_debug" | "item" => |_| 0.0,
        "zeros" | "ones" => |a| a.product(0) * 4.0,
        "full" => |a| a.product(0) * 8.0,
        "new_zeros" | "new_ones" | "new_full" => |a| a.product(1) * a.width(),
        "rand" | "randn" => |a| a.product(1) * 4.0,
        "randint" => |a| a.product(3) * 8.0,
        "beta" => |a| a.product(3) * 16.0,
        "bernoulli" => |a| a.product(2) * 4.0 + a.elements() * 8.0,
        "eye" => |a| a.count(0).powi(2) * 4.0,
        "new_eye" => |a| a.count(1).powi(2) * 8.0,
        "arange" => |a| steps(a, 0) * 8.0,
        "new_arange" => |a| steps(a, 1) * 8.0,
        "randperm" | "choose" => |a| a.count(1) * 8.0,
        "multinomial"
        | "choose_where"
        | "choose_from"
        | "choose_distinct_where"
        | "choose_distinct_from" => |a| a.rows(1) * a.count(2) * 16.0 + a.elements() * 8.0,
        "choose_members" | "choose_others" => {
            |a| a.numel(2) * a.count(3) * 16.0 + a.elements() * 8.0
        }
        "repeat" => |a| a.numel(0) * a.product(1) * a.width(),
        "repeat_interleave" => |a| a.numel(0) * a.count(1) * a.width(),
        "unbind" => |a| a.size(0, a.dim(1, 0)) * HANDLE,
        "chunk" => |a| a.count(1).min(a.size(0, a.dim(2, 0))) * HANDLE,
        "split" => |a| a.size(0, a.dim(2, 0)) / a.count(1).max(1.0) * HANDLE,
        "matmul" | "mm" | "mv" | "bmm" | "dot" => |a| products(a) * a.width(),
        "outer" => |a| a.numel(0) * a.numel(1) * a.width(),
        "logits" => |a| a.size(1, 0) * MOST_CLASSES * 4.0,
        "cdist" => |a| pairs(a) * a.width(),
        "einsum" => |a| einsum(a) * a.width(),
        "one_hot" => |a| a.numel(0) * a.count(1) * 8.0,
        "diag" => |a| diag(a) * a.width(),
        "index_select" => |a| selected(a, a.dim(1, 0), 2) * a.width(),
        "[]" => |a| {
            if a.is_tensor(1) {
                selected(a, 0, 1) * a.width()
            } else {
                0.0
            }
        },
        "take_along_dim" => |a| a.elements() * 2.0 * a.width(),
        "nonzero" => |a| a.numel(0) * a.shape(0).len() as f64 * 8.0,
        "bincount" => |a| (greatest(a).max(a.count(1)) + a.numel(0)) * 8.0,
        "segment_sum" | "segment_mean" => |a| segments(a) * a.width(),
        "histogram" | "segment_count" => |a| a.count(1) * 8.0,
        // Centroids, labels, and a copy of what is clustered.
        "kmeans" => {
            |a| a.count(1) * a.size(0, 1) * 4.0 + a.size(0, 0) * 8.0 + a.elements() * a.width()
        }
        // Values and indices.
        "topk" | "sort" | "argsort" | "kthvalue" | "median" | "quantile" => {
            |a| a.elements() * (8.0 + a.width())
        }
        "unique" => |a| a.elements() * (16.0 + a.width()),
        "long" | "double" | "to" | "type_as" | "sum" | "prod" | "cumsum" | "cumprod"
        | "searchsorted" | "argmax" | "argmin" | "count_nonzero" => |a| a.elements() * 8.0,
        name if Makes::of(name) == Makes::View => |_| 0.0,
        _ => |a| a.elements() * a.width(),
    }
}

/// A smaller tensor is worth no look at where it lies.
const LEAST: usize = 1 << 16;

/// Where a verb may or may not have copied (`reshape`, `to`, `contiguous`): an answer that lies where an argument does is a view.
pub(super) fn know_again(answer: &Dynamic, a: &Arguments<'_>) {
    let Some(answer) = answer.read_lock::<Handle>() else {
        return;
    };
    if answer.numel() < LEAST {
        return;
    }
    let place = answer.data_ptr();
    let tensors = a.all_tensors().into_iter();
    let mut others = tensors.filter(|tensor| !tensor.is(&answer));
    if let Some(base) = others.find(|tensor| tensor.data_ptr() == place) {
        answer.0.lies_in(&base.0);
    }
}

/// Bytes that the tensors of a value keep, those of maps and arrays in it included; memory that several share is counted once.
pub(in crate::policy::script) fn of(value: &Dynamic) -> u64 {
    let mut all = BTreeMap::new();
    enter(value, &mut all);
    all.values().sum()
}

/// How many values a list of lists holds.
fn leaves(value: &Dynamic) -> f64 {
    match value.read_lock::<Array>() {
        Some(items) => items.iter().map(leaves).sum(),
        None => 1.0,
    }
}

fn enter(value: &Dynamic, all: &mut BTreeMap<*const Held, u64>) {
    if let Some(handle) = value.read_lock::<Handle>() {
        handle.0.enter(all);
    } else if let Some(items) = value.read_lock::<Array>() {
        items.iter().for_each(|item| enter(item, all));
    } else if let Some(map) = map_of(value) {
        map.values().for_each(|value| enter(value, all));
    }
}
