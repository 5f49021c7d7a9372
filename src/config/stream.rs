//! What `data.stream` and `method.oupn` mean, and what goes together with a stream.

use super::error::Error;
use super::schema::{Config, Oupn};
use super::values::{above_0, at_least, choose, fraction, need};
use crate::data::stream::{Process, Spec};
use crate::method::oupn::{Comparison, Course, Fall, Numbers, Similarity, Start, Weights};
use crate::slots::Slot;

/// In which order the images come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Shuffled anew in each epoch.
    Shuffled,
    /// As the source has them.
    Own,
    /// As a stream of the labelled images.
    Stream(Spec),
}

/// A frame is new above this probability.
const THRESHOLD: f64 = 0.5;

/// The order that `data.stream` names.
///
/// # Errors
/// An unknown name.
pub(super) fn order(config: &Config) -> Result<Order, Error> {
    let known = [
        ("none", Order::Shuffled),
        ("order", Order::Own),
        ("restaurant", Order::Stream(spec(config))),
    ];
    choose("data.stream.process", &config.data.stream.process, &known)
}

/// The stream that `data.stream` describes, whichever process it names.
pub(crate) fn spec(config: &Config) -> Spec {
    let stream = &config.data.stream;
    let streams = stream.parallel.max(1);
    Spec {
        frames: (config.train.batch / streams) as usize,
        streams: streams as usize,
        contexts: stream.contexts,
        classes: stream.classes,
        rotations: stream.rotations,
        process: Process {
            concentration: stream.concentration,
            discount: stream.discount,
            per_class: stream.per_class,
            switch: stream.switch,
        },
    }
}

/// How `oupn` goes through a window, and how its decisions compare.
///
/// # Errors
/// An unknown name.
pub(crate) fn course(config: &Config) -> Result<Course, Error> {
    let Oupn {
        similarity,
        weighted,
        ..
    } = &config.method.oupn;
    let known = [
        ("cosine", Similarity::Cosine),
        ("euclidean", Similarity::Euclidean),
    ];
    let comparison = Comparison {
        similarity: choose("method.oupn.similarity", similarity, &known)?,
        weighted: *weighted,
    };
    Ok(Course {
        comparison,
        decay: config.method.oupn.decay,
        threshold: THRESHOLD,
        symmetric: config.method.symmetric,
    })
}

/// The numbers of `oupn` that may change while a run goes on.
pub(crate) fn numbers(config: &Config) -> Numbers {
    let oupn = &config.method.oupn;
    Numbers {
        decay: oupn.decay,
        weights: Weights {
            entropy: oupn.entropy,
            new: oupn.new,
            new_entropy: oupn.new_entropy,
            target: oupn.new_target,
            soft: Some(oupn.soft_targets).filter(|temperature| *temperature > 0.0),
        },
        fall: oupn.straight_through.then_some(Fall {
            from: oupn.relaxed_from,
            to: oupn.relaxed_to,
            steps: oupn.relaxed_steps,
        }),
    }
}

/// Where what `oupn` learns beside its encoder begins.
pub(crate) fn start(config: &Config) -> Start {
    let Oupn {
        beta, gamma, tau, ..
    } = config.method.oupn;
    Start { beta, gamma, tau }
}

/// The ranges of all numbers of both sections, and that what is named goes together.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    check_stream(config)?;
    check_oupn(config)?;
    check_method(config)?;
    match order(config)? {
        Order::Stream(_) => check_bank(config)?,
        Order::Own => check_own_order(config)?,
        Order::Shuffled => {}
    }
    check_slots(config)
}

fn check_stream(config: &Config) -> Result<(), Error> {
    let stream = &config.data.stream;
    at_least("data.stream.contexts", stream.contexts as f64, 1.0)?;
    at_least("data.stream.classes", stream.classes as f64, 1.0)?;
    at_least("data.stream.per_class", stream.per_class as f64, 1.0)?;
    above_0("data.stream.concentration", stream.concentration)?;
    let discount = stream.discount;
    let holds = (0.0..1.0).contains(&discount);
    need(
        "data.stream.discount",
        holds,
        "0 or more, and below 1",
        discount,
    )?;
    fraction("data.stream.switch", stream.switch)?;
    let (streams, batch) = (stream.parallel, config.train.batch);
    at_least("data.stream.parallel", streams as f64, 1.0)?;
    let expected = format!("a divisor of train.batch, which is {batch}");
    need(
        "data.stream.parallel",
        batch % streams == 0,
        &expected,
        streams as f64,
    )
}

fn check_oupn(config: &Config) -> Result<(), Error> {
    let oupn = &config.method.oupn;
    at_least("method.oupn.prototypes", oupn.prototypes as f64, 1.0)?;
    above_0("method.oupn.decay", oupn.decay)?;
    fraction("method.oupn.decay", oupn.decay)?;
    above_0("method.oupn.gamma", oupn.gamma)?;
    above_0("method.oupn.tau", oupn.tau)?;
    fraction("method.oupn.new_target", oupn.new_target)?;
    above_0("method.oupn.relaxed_from", oupn.relaxed_from)?;
    above_0("method.oupn.relaxed_to", oupn.relaxed_to)?;
    let from_0 = [
        ("lr", oupn.lr),
        ("entropy", oupn.entropy),
        ("new", oupn.new),
        ("new_entropy", oupn.new_entropy),
        ("soft_targets", oupn.soft_targets),
    ];
    for (name, number) in from_0 {
        at_least(&format!("method.oupn.{name}"), number, 0.0)?;
    }
    course(config).map(drop)
}

/// A bank has one row of each image, whichever way it is turned and however often it comes in a window.
fn check_bank(config: &Config) -> Result<(), Error> {
    let accumulate = config.train.accumulate;
    let why = "1 with data.stream.process restaurant, whose batch is a window";
    need("train.accumulate", accumulate == 1, why, accumulate as f64)?;
    let inter = config.loss.inter;
    let why = "0 with data.stream.process restaurant: an image may come several times in a window, and a bank has one row of it";
    need("loss.inter", inter == 0.0, why, inter)?;
    match config.method.name.as_str() {
        "npid" => Err(refused(
            "method.name",
            "expected moco, simclr, byol or oupn with data.stream.process restaurant, found 'npid': its memory has one row of an image, \
             which may come several times in a window",
        )),
        _ => Ok(()),
    }
}

fn check_own_order(config: &Config) -> Result<(), Error> {
    let streams = config.data.stream.parallel;
    let why = "1 with data.stream.process order: images have one order";
    need("data.stream.parallel", streams == 1, why, streams as f64)?;
    match config.data.stream.rotations {
        false => Ok(()),
        true => Err(refused(
            "data.stream.rotations",
            "expected false with data.stream.process order, found true: only contexts turn their images",
        )),
    }
}

/// What `oupn` cannot do without, and what it does not have.
fn check_method(config: &Config) -> Result<(), Error> {
    if config.method.name != "oupn" {
        return Ok(());
    }
    if order(config)? == Order::Shuffled {
        return Err(refused(
            "data.stream.process",
            "method 'oupn' learns from a stream: expected restaurant or order, found 'none'",
        ));
    }
    let inter = config.loss.inter;
    let why = "0 with method 'oupn', which has prototypes in the place of a bank";
    need("loss.inter", inter == 0.0, why, inter)?;
    let accumulate = config.train.accumulate;
    let why = "1 with method 'oupn', whose step is a window";
    need("train.accumulate", accumulate == 1, why, accumulate as f64)
}

/// That a run of this configuration has a place for a slot.
///
/// # Errors
/// A text that says why it has none.
pub(crate) fn takes(config: &Config, slot: Slot) -> Result<(), &'static str> {
    let prototypes = config.method.name == "oupn";
    let streams = config.data.stream.process == "restaurant";
    match slot {
        Slot::Mixer if prototypes => Err("method 'oupn' takes no mixture of frames"),
        Slot::Mixer if config.method.name == "ckn" => {
            Err("method 'ckn' contrasts nothing that could be mixed")
        }
        Slot::Novelty | Slot::Prototypes if !prototypes => Err("method.name is not oupn"),
        Slot::Stream if !streams => Err("data.stream.process is not restaurant"),
        _ => Ok(()),
    }
}

/// Only slots are named that have a place.
fn check_slots(config: &Config) -> Result<(), Error> {
    for slot in Slot::all() {
        let said = config.slot(slot);
        let named = [("script", &said.script), ("plugin", &said.plugin)];
        let mut named = named.into_iter();
        let named = named.find(|(_, path)| !path.as_os_str().is_empty());
        if let (Err(why), Some((carrier, path))) = (takes(config, slot), named) {
            let message = format!(
                "expected none, found '{}': {why}\nhelp: --set {slot}.{carrier}= takes it away",
                path.display()
            );
            return Err(refused(&format!("{slot}.{carrier}"), &message));
        }
    }
    Ok(())
}

fn refused(key: &str, message: &str) -> Error {
    Error::Value {
        key: key.into(),
        message: message.into(),
    }
}
