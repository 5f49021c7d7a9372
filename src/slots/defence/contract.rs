//! Slot `defence` as data.

use crate::slots::contract::{
    Answer, Contract, Form, Function, Input, Made, Need, Place, Range, Template, Type, When,
};
use crate::slots::{Asked, Budget, Slot};

/// Slot `defence`.
pub const CONTRACT: Contract = Contract {
    slot: Slot::Defence,
    name: "defence",
    folder: "defences",
    letter: 'd',
    title: "what image comes of one that may be attacked",
    about: "A small network learns each image from noise (deep image prior), and what it answers on the way is shown to `keep`: early images lack an attack, which is learned late. Without `keep` no network is fitted. `finish` is then asked for one image after another. A policy is built anew for each group of images that are fitted side by side, so `this` is empty at step 0. `ctx.step` is the step of the fit, of `ctx.steps`. A call of either may take 30 s, what the victim is asked included.",
    asked: Asked::WhereNamed,
    config: "embedded",
    without: "the defence is left out",
    place: Place::Evaluation("robustness"),
    stream: 25,
    plugin: None,
    functions: &[
        Function {
            name: "keep",
            doc: "which images of a step are kept for `finish`",
            when: When::Step,
            need: Need::Never,
            gets: &[
                Input::float32("images", "[N, C, H, W]", Made::Probabilities)
                    .is("what the networks answer at this step, 0 to 1"),
                Input::int64("predictions", "[N]", Made::Classes).is("the victim's class of each"),
                Input::float32("inputs", "[N, C, H, W]", Made::Probabilities)
                    .is("the images that they learn, which may be attacked"),
                Input::int64("input_predictions", "[N]", Made::Classes)
                    .is("the victim's class of each of these"),
                Input::float32("psnr", "[N]", Made::Probabilities)
                    .is("the least PSNR in dB of `images` to `inputs` over tiles of 32x32 pixels")
                    .lazy(),
            ],
            form: Form::Tensor,
            answers: &[Answer::bool("keep", "[N]").is("which of `images` are kept")],
            nothing: Some("none of this step is kept"),
            budget: Budget::STEP,
            gradient: false,
            finish: None,
        },
        Function {
            name: "finish",
            doc: "the image that the victim is to judge in the place of the input",
            when: When::Step,
            need: Need::Always,
            gets: &[
                Input::float32("input", "[C, H, W]", Made::Probabilities)
                    .is("an image that may be attacked, 0 to 1"),
                Input::int64("input_prediction", "[]", Made::Classes)
                    .is("the victim's class of it"),
                Input::float32("images", "[M, C, H, W]", Made::Probabilities)
                    .is("what was kept, in the order of the steps; the input alone where nothing was"),
                Input::int64("at", "[M]", Made::Numbered)
                    .is("the step of each, from 0; -1: the input"),
                Input::int64("predictions", "[M]", Made::Classes).is("the victim's class of each"),
                Input::value("victim", Type::Classifier, Made::Classifier)
                    .is("`ctx.victim.logits(images)` are the logits `[N, classes]` of any images `[N, C, H, W]`"),
            ],
            form: Form::Tensor,
            answers: &[
                Answer::float32("image", "[C, H, W]", Range::Unit).is("what comes of the input")
            ],
            nothing: Some("the input stays as it is"),
            budget: Budget::STEP,
            gradient: false,
            finish: None,
        },
    ],
    template: Template {
        script: include_str!("template.rhai"),
        tests: include_str!("template_test.rhai"),
    },
};
