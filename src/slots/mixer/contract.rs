//! Slot `mixer` as data.

use crate::slots::contract::{
    Answer, Contract, Form, Function, Input, Made, Need, Place, Range, Template, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `mixer`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Mixer,
    name: "mixer",
    folder: "mixers",
    letter: 'm',
    title: "which mixtures of a batch's images are contrasted beside them, with which keys and how much",
    about: "Row i of the extra view goes with the key of row `targets[m, i]`, and counts `weights[m]` or `weights[m, i]`, in term m. For each term of the method's loss (both directions of a symmetric one) the same loss of the extra view against the keys in that order comes beside it. In the inter-image branch row i has the positives and negatives of row `targets[m, i]`, the boundary is asked once more for each m, and the term counts by the mean of its weights. Bank, queue and diagnostics see the images as they are.",
    asked: Asked::WhereNamed,
    config: "embedded",
    without: "images are not mixed",
    place: Place::Step,
    stream: 11,
    plugin: None,
    functions: &[Function {
        name: "decide",
        doc: "one extra view of the batch",
        when: When::Step,
        need: Need::Always,
        gets: &[Input::float32("images", "[B, C, H, W]", Made::Pixels)
            .is("the batch's first views, normalised as the encoder sees them")],
        form: Form::Map,
        answers: &[
            Answer::float32("images", "[B, C, H, W]", Range::Finite).is("the extra view"),
            Answer::int64("targets", "[M, B]", Range::Below(0, 'B'))
                .is("rows of the batch whose keys the rows of the extra view go with"),
            Answer::float32("weights", "[M] | [M, B]", Range::FromZero)
                .is("how much each term counts, beside the base loss's 1"),
        ],
        nothing: Some("this batch is not mixed"),
        budget: Budget::DECIDE,
        gradient: false,
        finish: None,
    }],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
