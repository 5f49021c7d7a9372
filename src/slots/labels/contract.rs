//! Slot `labels` as data.

use crate::slots::contract::{
    Answer, BANK, Contract, Form, Function, Input, Made, Need, Place, Range, Template, Type, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `labels`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Labels,
    name: "labels",
    folder: "labels",
    letter: 'l',
    title: "how pseudo-labels are made and kept",
    about: "What `decide` answers is written with the batch's features after the step; the sampler of the same step still sees the old labels.",
    asked: Asked::InBranch("labels/online.rhai"),
    config: "embedded",
    without: "the inter-image branch rests",
    place: Place::Step,
    stream: 5,
    plugin: Some(1),
    functions: &[
        Function {
            name: "start",
            doc: "the first labels of all images, when the inter-image branch begins",
            when: When::Start,
            need: Need::First("the inter-image branch begins"),
            gets: &[Input::float32("features", "[N, D]", Made::Rows).is("unit rows of all images")],
            form: Form::Map,
            answers: &[
                Answer::int64("labels", "[N]", Range::Below(0, 'C')).is("the label of each image"),
                Answer::float32("centroids", "[C, D]", Range::Finite)
                    .is("the centroid of each cluster"),
            ],
            nothing: None,
            budget: Budget::UPKEEP,
            gradient: false,
            finish: None,
        },
        Function {
            name: "decide",
            doc: "new labels of the batch",
            when: When::Step,
            need: Need::Always,
            gets: &[
                Input::float32("keys", "[B, D]", Made::Near)
                    .is("unit rows of the batch that the bank will hold"),
                Input::int64("index", "[B]", Made::Index).is("their rows of the bank"),
                Input::value("bank", Type::Map(BANK), Made::Given)
                    .is("the bank as it stood before this step"),
            ],
            form: Form::Tensor,
            answers: &[Answer::int64("labels", "[B]", Range::Below(0, 'C'))
                .is("new labels of the batch")
                .optional()],
            nothing: Some("the old ones are kept"),
            budget: Budget::DECIDE,
            gradient: false,
            finish: None,
        },
        Function {
            name: "after_step",
            doc: "what to change after a step",
            when: When::AfterStep,
            need: Need::Never,
            gets: BANK_AFTER,
            form: Form::Map,
            answers: UPKEEP,
            nothing: Some("nothing changes"),
            budget: Budget::STEP,
            gradient: false,
            finish: None,
        },
        Function {
            name: "after_epoch",
            doc: "what to change after the last step of an epoch",
            when: When::AfterEpoch,
            need: Need::Never,
            gets: BANK_AFTER,
            form: Form::Map,
            answers: UPKEEP,
            nothing: Some("nothing changes"),
            budget: Budget::UPKEEP,
            gradient: false,
            finish: None,
        },
    ],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};

const BANK_AFTER: &[Input] = &[Input::value("bank", Type::Map(BANK), Made::Given)
    .is("the bank, to which the batch has been written")];

const UPKEEP: &[Answer] = &[
    Answer::int64("labels", "[N]", Range::Below(0, 'C'))
        .is("new labels of all images")
        .optional(),
    Answer::float32("centroids", "[C, D]", Range::Finite)
        .is("new centroids")
        .optional(),
];
