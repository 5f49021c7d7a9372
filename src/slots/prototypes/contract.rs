//! Slot `prototypes` as data.

use crate::slots::contract::{
    Answer, Contract, Form, Function, Input, Made, Need, Place, Range, Template, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `prototypes`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Prototypes,
    name: "prototypes",
    folder: "prototypes",
    letter: 'p',
    title: "where a frame of a stream is written: how much of it each prototype takes, and which one makes room for it where it is new",
    about: "It is asked once for each frame of a window, about all streams side by side: the upkeep of method `oupn`. Of a frame that is not new each prototype takes its share into the mean of what was written to it; one that is new takes its place alone, and what stood there is forgotten. What the share depends on by tracked operations learns through it; a plugin's has no gradient. Tensors in `this` lose their gradient at the window's end.",
    asked: Asked::WhereNamed,
    config: "oupn",
    without: "the paper's rule holds: shares are the softmax of the scores times the probability of being old, the place is the least used one",
    place: Place::Step,
    stream: 14,
    plugin: Some(5),
    functions: &[Function {
        name: "decide",
        doc: "the shares and the place of each frame",
        when: When::Step,
        need: Need::Always,
        gets: &[
            Input::float32("scores", "[B, K]", Made::Scores)
                .is("how close the frame is to each prototype, -1e6 where there is none; with the window's graph"),
            Input::float32("usage", "[B, K]", Made::Usage)
                .is("what was written to each prototype, less what has decayed; 0 where there is none"),
            Input::float32("age", "[B, K]", Made::Ages).is("frames since each prototype began; 0 where there is none, too"),
            Input::float32("novelty", "[B]", Made::Probabilities)
                .is("the probability that the frame is new; with the window's graph"),
        ],
        form: Form::Map,
        answers: &[
            Answer::float32("share", "[B, K]", Range::Unit)
                .is("how much of a frame that is not new each prototype takes"),
            Answer::int64("place", "[B]", Range::Below(0, 'K'))
                .is("where a frame that is new begins a prototype"),
        ],
        nothing: None,
        budget: Budget::DECIDE,
        gradient: true,
        finish: None,
    }],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
