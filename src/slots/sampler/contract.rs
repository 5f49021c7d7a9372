//! Slot `sampler` as data.

use crate::slots::contract::{
    Answer, BANK, Contract, Form, Function, Input, Made, Need, Place, Range, Template, Type, When,
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
    config: "embedded",
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
            Input::float32("queries", "[B, D]", Made::Near).is("unit rows of the batch"),
            Input::int64("index", "[B]", Made::Index).is("their own rows of the bank"),
            Input::int64("labels", "[B]", Made::LabelsOfIndex)
                .is("their pseudo-labels, as they stood before this step"),
            Input::value("bank", Type::Map(BANK), Made::Given)
                .is("the bank as it stood before this step"),
            Input::float32("similarity", "[B, N]", Made::Similarity)
                .is("cosines of the queries with all rows of the bank, computed at the first use")
                .lazy(),
        ],
        form: Form::Map,
        answers: &[
            Answer::int64("positives", "[B, P]", Range::Below(-1, 'N')).is("rows of the bank"),
            Answer::int64("negatives", "[B, K]", Range::Below(-1, 'N')).is("rows of the bank"),
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
