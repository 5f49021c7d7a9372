//! What numbers of a configuration meet: single precision, in which the host computes, and the machine's memory. Both are looked at
//! before anything is made of them.

use serde_yaml::Value;

use super::error::Error;
use super::schema::{Config, Model};
use crate::ground::memory;

/// That each number is finite in single precision.
pub(super) fn check_finite(config: &Config) -> Result<(), Error> {
    let tree = serde_yaml::to_value(config).unwrap_or_default();
    let fine = |_: &str, number: f64| number.is_finite() && number.abs() <= f64::from(f32::MAX);
    match odd(&tree, "", &fine) {
        None => Ok(()),
        Some((key, found)) => Err(Error::Value {
            key,
            message: format!(
                "expected a number that is finite in single precision, found {found:?}"
            ),
        }),
    }
}

/// The key of the first number that is not, and the number.
/// Epochs that nobody trains for: so many times the steps of one is still a number.
const EPOCHS: f64 = 1e9;

/// That no number of epochs is beyond all measure.
pub(super) fn check_epochs(config: &Config) -> Result<(), Error> {
    let tree = serde_yaml::to_value(config).unwrap_or_default();
    let fine = |key: &str, number: f64| !key.ends_with("epochs") || number <= EPOCHS;
    match odd(&tree, "", &fine) {
        None => Ok(()),
        Some((key, found)) => Err(Error::Value {
            key,
            message: format!("expected at most {EPOCHS} epochs, found {found}"),
        }),
    }
}

/// The first number, with its key, that is not fine.
fn odd(tree: &Value, key: &str, fine: &impl Fn(&str, f64) -> bool) -> Option<(String, f64)> {
    match tree {
        Value::Number(number) => {
            let number = number.as_f64()?;
            (!fine(key, number)).then(|| (key.to_owned(), number))
        }
        Value::Mapping(fields) => fields.iter().find_map(|(name, value)| {
            let name = name.as_str().unwrap_or_default();
            let key = if key.is_empty() {
                name.to_owned()
            } else {
                format!("{key}.{name}")
            };
            odd(value, &key, fine)
        }),
        Value::Sequence(items) => items.iter().find_map(|item| odd(item, key, fine)),
        _ => None,
    }
}

/// Bytes of a number in single precision.
const FLOAT: f64 = 4.0;

/// Copies of each weight: the encoder's, its momentum encoder's, the gradient, the optimiser's history.
const COPIES: f64 = 4.0;

/// That what the sizes ask for at the least is not more than the machine has. What is computed on the way comes on top.
pub(super) fn check_sizes(config: &Config) -> Result<(), Error> {
    let Some(memory) = memory::total() else {
        return Ok(());
    };
    let memory = memory as f64;
    let mut asked = asked(config).into_iter();
    match asked.find(|(_, bytes)| *bytes > memory) {
        None => Ok(()),
        Some((key, bytes)) => Err(Error::Value {
            key: key.into(),
            message: format!(
                "expected what fits into memory, found what takes at least {:.0} GB of this machine's {:.0} GB",
                bytes / 1e9,
                memory / 1e9
            ),
        }),
    }
}

/// The features of an encoder, and the weights that its width asks for, between its layers alone.
fn encoder(model: &Model) -> (f64, f64) {
    let width = model.width as f64;
    match model.encoder.as_str() {
        // Three stages of two 3x3 convolutions, each of twice the channels of the one before, and two shortcuts.
        "small" => (4.0 * width, (9.0 * 32.0 + 10.0) * width.powi(2)),
        "conv4" => (width, 9.0 * 3.0 * width.powi(2)),
        // Four blocks of three 3x3 convolutions and a shortcut, each of twice the channels of the one before.
        "resnet12" => (8.0 * width, (9.0 * 212.0 + 42.0) * width.powi(2)),
        "resnet50" => (2048.0, 0.0),
        // What goes into the head is known where the layers are.
        "ckn" => (model.dim as f64, 0.0),
        _ => (512.0, 0.0),
    }
}

/// Bytes that each size asks for; nothing where it is not used.
fn asked(config: &Config) -> [(&'static str, f64); 8] {
    let Config {
        model,
        method,
        views,
        train,
        ..
    } = config;
    let [hidden, dim] = [model.hidden, model.dim].map(|size| size as f64);
    let weights = |count: f64| count * FLOAT * COPIES;
    let (features, of_width) = encoder(model);
    let used = |holds: bool, bytes: f64| if holds { bytes } else { 0.0 };
    let (batch, size) = (train.batch as f64, views.size as f64);
    let channels = views.mean.len() as f64;
    let view = channels * size.powi(2);
    // Of what is multiplied, the largest is blamed.
    let largest = match batch.max(size).max(channels) {
        most if most == size => "views.size",
        most if most == batch => "train.batch",
        _ => "views.mean",
    };
    let filters = model.ckn.filters.iter().map(|filters| *filters as f64);
    let filters: f64 = filters.map(|filters| filters.powi(2)).sum();
    let predictor = 2.0 * method.predictor as f64 * dim;
    [
        ("model.width", weights(of_width)),
        // Each layer has a square of them.
        (
            "model.ckn.filters",
            used(model.encoder == "ckn", weights(filters)),
        ),
        // Before the hidden layer, which would be blamed for it.
        ("model.dim", weights(dim * dim.min(features))),
        ("model.hidden", weights(hidden * (features + dim))),
        (
            "method.predictor",
            used(method.name == "byol", weights(predictor)),
        ),
        // Each frame of a window leaves the prototypes anew, and what they were computed of, in its graph.
        (
            "method.oupn.prototypes",
            used(
                method.name == "oupn",
                4.0 * batch * method.oupn.prototypes as f64 * features * FLOAT,
            ),
        ),
        (
            "method.queue",
            used(method.name == "moco", method.queue as f64 * dim * FLOAT),
        ),
        (largest, 2.0 * batch * view * FLOAT),
    ]
}

#[cfg(test)]
mod tests {
    use crate::config::load::{Request, load};
    use crate::config::{Loaded, Plan};

    fn refused(set: &str) -> Option<String> {
        let request = Request {
            config: None,
            set: vec![set.to_owned()],
        };
        let planned = load(&request).and_then(|loaded: Loaded| Plan::new(loaded).map(drop));
        planned.err().map(|error| error.to_string())
    }

    #[test]
    fn what_single_precision_does_not_hold_is_refused_under_its_key() {
        for set in [
            "optim.lr=1e308",
            "optim.lr=.inf",
            "optim.weight_decay=1e39",
            "optim.warmup_epochs=.inf",
            "views.mean=[.nan]",
            "views.std=[1e39]",
            "views.jitter.brightness=1e308",
            "loss.inter=-.inf",
            "train.epochs=9223372036854775807",
            "inter.warmup_epochs=18446744073709551615",
            "eval.finetune.epochs=1000000001",
        ] {
            let key = set.split('=').next().unwrap();
            let said = refused(set).unwrap_or_default();
            assert!(said.contains(key), "{set}: {said}");
        }
        assert_eq!(refused("optim.lr=1e3"), None);
    }

    #[test]
    fn what_no_machine_holds_is_refused_with_what_it_would_take() {
        for set in [
            "model.width=2147483648",
            "model={width: 2147483648, encoder: conv4}",
            "model={width: 2147483648, encoder: resnet12}",
            "model.hidden=9223372036854775807",
            "model.dim=1000000000000",
            "method.queue=1000000000000",
            "views.size=1000000",
            "train.batch=1000000000",
        ] {
            let key = match set.split_once('=').unwrap().0 {
                "model" => "model.width",
                key => key,
            };
            let said = refused(set).unwrap_or_default();
            let start =
                format!("{key}: expected what fits into memory, found what takes at least ");
            assert!(said.starts_with(&start), "{set}: {said}");
        }
        assert_eq!(refused("model.width=64"), None);
        assert_eq!(refused("method.queue=65536"), None);
    }
}
