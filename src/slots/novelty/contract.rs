//! Slot `novelty` as data.

use super::finish;
use crate::method::oupn::EMPTY;
use crate::slots::contract::{
    Answer, By, Contract, Form, Function, Input, Made, Need, Place, Range, Template, Type, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `novelty`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Novelty,
    name: "novelty",
    folder: "novelties",
    letter: 'n',
    title: "whether a frame of a stream is new, or belongs to a prototype that there is",
    about: "It is asked once for each frame of a window, about all streams side by side: the decision boundary of method `oupn`. A frame is new where the sigmoid of its logit is above a half. `beta` and `gamma` are learnt through the answer: keep them in it. The scores carry no gradient, so that the encoder is not trained by the decision (Ren et al. 2021, arXiv 2109.05675). Tensors in `this` lose their gradient at the window's end.",
    asked: Asked::WhereNamed,
    config: "oupn",
    without: "the paper's rule holds: (-max s - beta) / gamma",
    place: Place::Step,
    stream: 13,
    plugin: Some(4),
    functions: &[Function {
        name: "decide",
        doc: "the logit of each frame's being new",
        when: When::Step,
        need: Need::Always,
        gets: &[
            Input::float32("scores", "[B, K]", Made::Scores)
                .is("how close the frame is to each prototype, tau times the cosine; 'empty' where there is none"),
            Input::float32("usage", "[B, K]", Made::Usage)
                .is("what was written to each prototype, less what has decayed; 0 where there is none"),
            Input::float32("beta", "[B]", Made::Each(-9.0))
                .is("how far a frame may be from all prototypes, learnt; the same number for each stream"),
            Input::float32("gamma", "[B]", Made::Each(1.0))
                .is("how gradually a frame becomes new, learnt; likewise"),
            Input::value("empty", Type::Float, Made::Constant(EMPTY))
                .is("the score of a prototype that does not exist, -1e6"),
        ],
        form: Form::Tensor,
        answers: &[
            Answer::float32("logit", "[B]", Range::Finite).is("above 0: the frame is new"),
            Answer::float32("d_beta", "[B]", Range::Finite)
                .is("its derivative by beta; 0 where it is left out")
                .by(By::Plugin)
                .optional(),
            Answer::float32("d_gamma", "[B]", Range::Finite)
                .is("its derivative by gamma, likewise")
                .by(By::Plugin)
                .optional(),
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
