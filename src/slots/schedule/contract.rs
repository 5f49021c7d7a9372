//! Slot `schedule` as data.

use super::finish;
use crate::slots::contract::{
    Contract, Form, Function, Input, Made, Need, Place, Template, Type, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `schedule`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Schedule,
    name: "schedule",
    folder: "schedules",
    letter: 'e',
    title: "which numbers hold in a step: learning rate, temperatures, momentum, weights of the losses, margins, parameters of other slots",
    about: "It is asked before anything else of a step, also where the inter-image branch is off. What it does not name holds as the configuration says; `#{}` gives nothing.",
    asked: Asked::WhereNamed,
    config: "embedded",
    without: "the configured numbers hold",
    place: Place::Step,
    stream: 10,
    plugin: None,
    functions: &[Function {
        name: "decide",
        doc: "the numbers of the step that begins",
        when: When::Step,
        need: Need::Always,
        gets: &[
            Input::value("base", Type::Numbers, Made::Given).is("every name that may be given, with the number that holds in this step without the schedule: the learning rate on its configured way, the weights, the other slots' parameters"),
            Input::value("last", Type::Numbers, Made::Given).is("numbers of the step before: loss.total, loss.intra, grad_norm (before clipping), and loss.inter where the branch took part; empty before the first")
            .lazy(),
            Input::value("lr", Type::Float, Made::Number(0.03)).is("optim.lr of the configuration, before its own way through the run"),
        ],
        form: Form::Numbers,
        answers: &[],
        nothing: None,
        budget: Budget::DECIDE,
        gradient: false,
        finish: Some(finish),
    }],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
