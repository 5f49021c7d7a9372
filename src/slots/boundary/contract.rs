//! Slot `boundary` as data.

use super::finish;
use crate::slots::contract::{
    Answer, By, Contract, Form, Function, Input, Made, Need, Place, Range, Template, Type, When,
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
    config: "embedded",
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
            Input::float32("positives", "[B, P]", Made::Alike)
                .is("cosines of the queries with their positives, tracked")
                .tracked(),
            Input::float32("negatives", "[B, K]", Made::Unlike)
                .is("cosines with their negatives, tracked; 'missing' where there is none")
                .tracked(),
            Input::of("valid", "[B, P]", Type::Bool, Made::Ones).is("which positives exist"),
            Input::value("missing", Type::Float, Made::Constant(MISSING))
                .is("the cosine of a negative that does not exist, -10000"),
            Input::value("temperature", Type::Float, Made::Number(0.2))
                .is("the branch's own temperature"),
        ],
        form: Form::Tensor,
        answers: &[
            Answer::float32("logits", "[B, P + K]", Range::Any)
                .is("logits, positives first and the temperature applied")
                .by(By::Script),
            Answer::float32("loss", "[]", Range::Any).is("a loss of its own, taken as it is: loss.inter alone weighs it"),
            Answer::float32("d_positives", "[B, P]", Range::Any)
                .is("its gradient on the positives, before loss.inter weighs it; 0 where valid is false")
                .by(By::Plugin),
            Answer::float32("d_negatives", "[B, K]", Range::Any)
                .is("its gradient on the negatives, likewise; 0 where one is missing")
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
