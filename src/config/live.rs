//! Which values of a configuration may change while a run goes on, and the configuration with them changed.

use super::error::{Error, parse_error};
use super::load::{put, value_of};
use super::schema::Config;
use crate::ground::suggest;
use crate::policy::Params;
use crate::slots::Slot;

/// The keys that a live run takes; one that ends in a dot stands for its whole section. Everything else is part of what a
/// checkpoint is a state of: another model, other images, another batch.
const LIVE: &[&str] = &[
    "optim.lr",
    "optim.momentum",
    "optim.weight_decay",
    "optim.nesterov",
    "optim.betas",
    "optim.eps",
    "optim.trust",
    "optim.exclude_norm_and_bias",
    "optim.clip",
    "optim.schedule",
    "optim.milestones",
    "optim.gamma",
    "optim.final_fraction",
    "optim.warmup_epochs",
    "loss.intra",
    "loss.inter",
    "inter.temperature",
    "method.temperature",
    "method.momentum",
    "method.momentum_schedule",
    "method.margin_kind",
    "method.margin",
    "method.oupn.decay",
    "method.oupn.lr",
    "method.oupn.entropy",
    "method.oupn.new",
    "method.oupn.new_entropy",
    "method.oupn.new_target",
    "method.oupn.soft_targets",
    "method.oupn.straight_through",
    "method.oupn.relaxed_from",
    "method.oupn.relaxed_to",
    "method.oupn.relaxed_steps",
    "bank.momentum",
    "train.epochs",
    "train.steps",
    "eval.",
    "log.",
    "checkpoint.",
];

/// The configuration with `set`, keys with dots and their values, in the place of its own.
///
/// # Errors
/// An [`Error`] for a key that a live run does not take, or a value that the schema refuses.
pub fn with(config: &Config, set: &Params) -> Result<Config, Error> {
    for key in set.keys() {
        allowed(key)?;
    }
    let changed = replaced(config, set)?;
    if (config.loss.inter > 0.0) != (changed.loss.inter > 0.0) {
        return Err(Error::Value {
            key: "loss.inter".into(),
            message: format!(
                "expected {}, found {}: the branch is switched on or off for a whole run",
                if config.loss.inter > 0.0 {
                    "above 0"
                } else {
                    "0"
                },
                changed.loss.inter
            ),
        });
    }
    Ok(changed)
}

/// The configuration with any of its values replaced, before a run.
///
/// # Errors
/// An [`Error`] for a key or a value that the schema refuses.
pub fn replaced(config: &Config, set: &Params) -> Result<Config, Error> {
    let place = |key: &str| format!("set {key}");
    let mut tree = serde_yaml::to_value(config).map_err(|error| parse_error("config", &error))?;
    for (key, value) in set {
        let value =
            serde_yaml::to_value(value).map_err(|error| parse_error(&place(key), &error))?;
        put(&mut tree, key, value).map_err(|message| Error::Parse {
            place: place(key),
            message,
        })?;
    }
    let keys: Vec<_> = set.keys().map(String::as_str).collect();
    serde_yaml::from_value(tree).map_err(|error| parse_error(&place(&keys.join(" ")), &error))
}

/// `a.b=c` as key and value: the text itself for a key that holds a text, else what YAML reads.
///
/// # Errors
/// An [`Error`] for a text without `=`, or a value that is no YAML.
pub fn parse(text: &str) -> Result<(String, serde_json::Value), Error> {
    let bad = |message: String| Error::Parse {
        place: format!("--set {text}"),
        message,
    };
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| bad("expected KEY=VALUE, as in optim.lr=0.1".into()))?;
    let value = value_of(key, value).map_err(bad)?;
    let value = serde_json::to_value(value).map_err(|error| bad(error.to_string()))?;
    Ok((key.to_owned(), value))
}

/// The slot whose parameter a key names, and the parameter.
pub fn parameter(key: &str) -> Option<(Slot, &str)> {
    let (slot, name) = key.split_once('.')?;
    let slot = Slot::named(slot)?;
    (!["script", "plugin"].contains(&name)).then_some((slot, name))
}

fn allowed(key: &str) -> Result<(), Error> {
    let live = LIVE.iter().any(|live| match live.ends_with('.') {
        true => key.starts_with(live),
        false => key == *live,
    });
    if live || parameter(key).is_some() {
        return Ok(());
    }
    let meant = suggest::nearest(key, LIVE.iter().copied());
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let message = match key.split_once('.') {
        Some((slot, "script" | "plugin")) if Slot::named(slot).is_some() => {
            format!("a live run changes its policies by swap: sandbox swap RUN {slot} FILE")
        }
        _ => format!(
            "cannot change while a run goes on; what can: {} and parameters of the slots{meant}",
            LIVE.iter()
                .map(|live| live.trim_end_matches('.'))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    Err(Error::Value {
        key: key.into(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(key: &str, value: serde_json::Value) -> Params {
        Params::from_iter([(key.to_owned(), value)])
    }

    #[test]
    fn live_values_change_and_nothing_else() {
        let config = Config::default();
        let changed = with(&config, &set("optim.lr", json!(0.5))).unwrap();
        assert_eq!(changed.optim.lr, 0.5);
        let back = with(&changed, &set("optim.lr", json!(config.optim.lr))).unwrap();
        assert_eq!(back, config);
        let changed = with(&config, &set("sampler.pool", json!(0.3))).unwrap();
        assert_eq!(changed.slot(Slot::Sampler).params["pool"], json!(0.3));
        assert_eq!(
            changed.slot(Slot::Sampler).script,
            config.slot(Slot::Sampler).script
        );
    }

    #[test]
    fn a_text_is_a_text_whatever_yaml_reads_in_it() {
        for (text, value) in [
            ("optim.schedule=2019", json!("2019")),
            ("method.margin_kind=none #2", json!("none #2")),
            ("optim.schedule='cosine'", json!("cosine")),
            ("optim.lr=0.1", json!(0.1)),
            ("eval.every=3", json!(3)),
        ] {
            let (key, _) = text.split_once('=').unwrap();
            assert_eq!(parse(text).unwrap(), (key.to_owned(), value), "{text}");
        }
    }

    /// The key, its value, and what is said of it.
    const REFUSED: &[(&str, &str, &str)] = &[
        ("model.dim", "64", "cannot change while a run goes on"),
        ("optim.lrr", "1", "did you mean 'optim.lr'"),
        ("optim.lr", "\"fast\"", "expected a number"),
        ("loss.inter", "0", "switched on or off for a whole run"),
        (
            "sampler.script",
            "\"x.rhai\"",
            "sandbox swap RUN sampler FILE",
        ),
        ("log.evry", "3", "did you mean 'every'"),
    ];

    #[test]
    fn what_is_refused_says_why() {
        for (key, value, expected) in REFUSED {
            let value = serde_json::from_str(value).unwrap();
            let error = with(&Config::default(), &set(key, value)).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(expected), "{key}: {text}");
        }
    }
}
