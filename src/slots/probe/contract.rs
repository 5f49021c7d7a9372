//! Slot `probe` as data.

use crate::slots::contract::{
    Answer, Contract, Form, Function, Input, Made, Need, Place, Range, Template, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `probe`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Probe,
    name: "probe",
    folder: "probes",
    letter: 'q',
    title: "what features are asked about the visual words of an image",
    about: "It is asked once for the images of both splits together; then a classifier of the features of each image is fitted to each task on the first split, and scored on the second (Basaj et al. 2021, arXiv 2106.11054). It sees the words that superpixels were given, and never an image or its label.",
    asked: Asked::WhereNamed,
    config: "probing",
    without: "the task is left out",
    place: Place::Evaluation("probing"),
    stream: 24,
    plugin: None,
    functions: &[Function {
        name: "decide",
        doc: "the class of each image in each task",
        when: When::Step,
        need: Need::Always,
        gets: &[
            Input::int64("counts", "[N, V]", Made::Counts)
                .is("superpixels of each image that have each word"),
            Input::float32("areas", "[N, V]", Made::Probabilities)
                .is("the part of each image that they cover; they may overlap"),
            Input::int64("neighbours", "[N, V, V]", Made::Counts)
                .is("pairs of superpixels that touch, by their words, both ways round")
                .lazy(),
        ],
        form: Form::Tensor,
        answers: &[Answer::int64("targets", "[N, T]", Range::Below(-1, 'N'))
            .is("the class of each image in each of T tasks; -1: it is not asked about")],
        nothing: None,
        budget: Budget::STEP,
        gradient: false,
        finish: None,
    }],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
