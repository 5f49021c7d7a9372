//! Slot `sampler` as data.

use crate::slots::contract::{
    BANK, Contract, Form, Function, Made, Need, Place, Range, Template, Type, When, answer, tensor,
    value,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `sampler`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Sampler,
    name: "sampler",
    folder: "samplers",
    letter: 's',
    title: "which rows of the bank are a query's positives and its negatives",
    about: "The similarity is computed once a step and shared with the boundary. A query that finds fewer gets fewer: -1 takes part in no loss, and `sampler/missing` (negatives) and `sampler/missing_positives` count it. Draws are made without rejection, so none can go on for ever.",
    asked: Asked::InBranch("samplers/semi_hard.rhai"),
    without: "the inter-image branch rests",
    place: Place::Step,
    stream: 6,
    plugin: Some(2),
    functions: &[Function {
        name: "decide",
        doc: "positives and negatives of each query",
        when: When::Step,
        need: Need::Always,
        gets: &[
            tensor(
                "queries",
                "[B, D]",
                Type::Float32,
                Made::Near,
                "unit rows of the batch",
            ),
            tensor(
                "index",
                "[B]",
                Type::Int64,
                Made::Index,
                "their own rows of the bank",
            ),
            tensor(
                "labels",
                "[B]",
                Type::Int64,
                Made::LabelsOfIndex,
                "their pseudo-labels, as they stood before this step",
            ),
            value(
                "bank",
                Type::Map(BANK),
                Made::Given,
                "the bank as it stood before this step",
            ),
            tensor(
                "similarity",
                "[B, N]",
                Type::Float32,
                Made::Similarity,
                "cosines of the queries with all rows of the bank, computed at the first use",
            )
            .lazy(),
        ],
        form: Form::Map,
        answers: &[
            answer(
                "positives",
                "[B, P]",
                Type::Int64,
                Range::Below(-1, 'N'),
                "rows of the bank",
            ),
            answer(
                "negatives",
                "[B, K]",
                Type::Int64,
                Range::Below(-1, 'N'),
                "rows of the bank",
            ),
        ],
        nothing: None,
        budget: Budget::DECIDE,
        gradient: false,
        finish: None,
    }],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
