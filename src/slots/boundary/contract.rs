//! Slot `boundary` as data.

use super::finish;
use crate::slots::contract::{
    By, Contract, Form, Function, Made, Need, Place, Range, Template, Type, When, answer, tensor,
    value,
};
use crate::slots::sampler::MISSING;
use crate::slots::{Asked, Budget, Slot};

/// Slot `boundary`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Boundary,
    name: "boundary",
    folder: "boundaries",
    letter: 'b',
    title: "how far positives must lie from negatives, as logits or as a loss",
    about: "Of logits the host takes InfoNCE, the mean over the positives of those queries that have a negative. A script's answer depends on the cosines by tracked operations, of which the host takes the gradient; a plugin gives the gradient itself.",
    asked: Asked::InBranch("boundaries/cosine_margin.rhai"),
    without: "the inter-image branch rests",
    place: Place::Step,
    stream: 7,
    plugin: Some(3),
    functions: &[Function {
        name: "decide",
        doc: "the boundary, as logits or as a loss",
        when: When::Step,
        need: Need::Always,
        gets: &[
            tensor(
                "positives",
                "[B, P]",
                Type::Float32,
                Made::Alike,
                "cosines of the queries with their positives, tracked",
            )
            .tracked(),
            tensor(
                "negatives",
                "[B, K]",
                Type::Float32,
                Made::Unlike,
                "cosines with their negatives, tracked; 'missing' where there is none",
            )
            .tracked(),
            tensor(
                "valid",
                "[B, P]",
                Type::Bool,
                Made::Ones,
                "which positives exist",
            ),
            value(
                "missing",
                Type::Float,
                Made::Constant(MISSING),
                "the cosine of a negative that does not exist, -10000",
            ),
            value(
                "temperature",
                Type::Float,
                Made::Number(0.2),
                "the branch's own temperature",
            ),
        ],
        form: Form::Tensor,
        answers: &[
            answer(
                "logits",
                "[B, P + K]",
                Type::Float32,
                Range::Any,
                "logits, positives first and the temperature applied",
            )
            .by(By::Script),
            answer("loss", "[]", Type::Float32, Range::Any, "a loss of its own"),
            answer(
                "d_positives",
                "[B, P]",
                Type::Float32,
                Range::Any,
                "its gradient on the positives",
            )
            .by(By::Plugin),
            answer(
                "d_negatives",
                "[B, K]",
                Type::Float32,
                Range::Any,
                "its gradient on the negatives",
            )
            .by(By::Plugin),
        ],
        nothing: None,
        budget: Budget::DECIDE,
        gradient: true,
        finish: Some(finish),
    }],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
