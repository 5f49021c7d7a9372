//! Slot `stream` as data.

use crate::slots::contract::{
    Answer, Contract, Form, Function, Input, Made, Need, Place, Range, Template, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `stream`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Stream,
    name: "stream",
    folder: "streams",
    letter: 'w',
    title: "how classes follow each other in a window of a stream",
    about: "It is asked once a window for each of the streams side by side, where `data.stream.process` is `restaurant`, and takes that process's place. It sees the sizes of classes and which are together in a context, and never an image or its label: the host draws the images.",
    asked: Asked::WhereNamed,
    config: "oupn",
    without: "the process of `data.stream` holds",
    place: Place::Step,
    stream: 12,
    plugin: None,
    functions: &[Function {
        name: "decide",
        doc: "the class of each frame of a window",
        when: When::Step,
        need: Need::Always,
        gets: &[
            Input::int64("sizes", "[C]", Made::ClassSizes).is("images of each class"),
            Input::int64("contexts", "[G, M]", Made::Contexts)
                .is("the classes of each context of this window; -1 where a context has fewer"),
            Input::int64("frames", "[T]", Made::Numbered).is("the numbers of the frames, from 0"),
        ],
        form: Form::Tensor,
        answers: &[
            Answer::int64("classes", "[T]", Range::Below(0, 'C')).is("the class of each frame")
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
