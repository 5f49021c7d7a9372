//! What `optim` of a configuration means: an optimiser, and the learning rate's way through the run.

use super::error::Error;
use super::schema::{Config, Optim};
use super::values::{at_least, choose, need};
use crate::optim::{self, Adam, Lars, LearningRate, Optimizer, Schedule, Sgd};

/// Which rule changes the weights.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    Sgd,
    Lars,
    Adam,
    AdamW,
}

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy)]
enum Shape {
    Cosine,
    Step,
    Constant,
}

/// The ranges of all numbers of `optim`.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    let optim = &config.optim;
    at_least("optim.lr", optim.lr, 0.0)?;
    at_least("optim.warmup_epochs", optim.warmup_epochs, 0.0)?;
    at_least("optim.clip", optim.clip, 0.0)?;
    let rising = optim.milestones.is_sorted_by(|one, next| one < next);
    if !rising {
        return Err(Error::Value {
            key: "optim.milestones".into(),
            message: format!("expected epochs that rise, found {:?}", optim.milestones),
        });
    }
    optimizer(optim)?;
    rate(config, 1)?.check().map_err(setting)
}

/// The optimiser, without history.
pub(super) fn optimizer(optim: &Optim) -> Result<Box<dyn Optimizer>, Error> {
    let known = [
        ("sgd", Rule::Sgd),
        ("lars", Rule::Lars),
        ("adam", Rule::Adam),
        ("adamw", Rule::AdamW),
    ];
    let rule = choose("optim.name", &optim.name, &known)?;
    if optim.nesterov && rule != Rule::Sgd {
        return Err(Error::Value {
            key: "optim.nesterov".into(),
            message: format!("expected false with '{}', found true", optim.name),
        });
    }
    let exclude = optim.exclude_norm_and_bias;
    let made: Result<Box<dyn Optimizer>, optim::Error> = match rule {
        Rule::Sgd => Sgd::new(optim.momentum, optim.weight_decay, optim.nesterov)
            .map(|sgd| Box::new(sgd.exclude_norm_and_bias(exclude)) as _),
        Rule::Lars => Lars::new(optim.momentum, optim.weight_decay, optim.trust)
            .map(|lars| Box::new(lars) as _),
        Rule::Adam => Adam::new(optim.betas, optim.eps, optim.weight_decay)
            .map(|adam| Box::new(adam.exclude_norm_and_bias(exclude)) as _),
        Rule::AdamW => Adam::decoupled(optim.betas, optim.eps, optim.weight_decay)
            .map(|adamw| Box::new(adamw.exclude_norm_and_bias(exclude)) as _),
    };
    made.map_err(setting)
}

/// The learning rate of a run whose epochs have so many steps.
pub(super) fn rate(config: &Config, steps_per_epoch: u64) -> Result<LearningRate, Error> {
    let optim = &config.optim;
    let known = [
        ("cosine", Shape::Cosine),
        ("step", Shape::Step),
        ("constant", Shape::Constant),
    ];
    let schedule = match choose("optim.schedule", &optim.schedule, &known)? {
        Shape::Cosine => Schedule::Cosine,
        Shape::Constant => Schedule::Constant,
        Shape::Step => Schedule::Step {
            milestones: optim
                .milestones
                .iter()
                .map(|epoch| epoch.saturating_mul(steps_per_epoch))
                .collect(),
            gamma: optim.gamma,
        },
    };
    Ok(LearningRate {
        base: optim.lr,
        warmup_steps: (optim.warmup_epochs * steps_per_epoch as f64).round() as u64,
        total_steps: config.train.epochs.saturating_mul(steps_per_epoch),
        final_fraction: optim.final_fraction,
        schedule,
    })
}

/// The optimiser's own complaint as one about a key.
fn setting(error: optim::Error) -> Error {
    match error {
        optim::Error::Setting {
            setting,
            expected,
            found,
        } => {
            let key = format!("optim.{setting}");
            need(&key, false, expected, found).expect_err("it does not hold")
        }
        other => Error::Value {
            key: "optim".into(),
            message: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut Optim)) -> Config {
        let mut config = Config::default();
        change(&mut config.optim);
        config
    }

    #[test]
    fn each_rule_is_made() {
        for name in ["sgd", "lars", "adam", "adamw"] {
            let config = config(|optim| optim.name = name.into());
            check(&config).unwrap();
            let state = optimizer(&config.optim).unwrap().state();
            assert_eq!(state[0].0, format!("{name}.step"));
        }
    }

    #[test]
    fn epochs_become_steps() {
        let config = config(|optim| {
            optim.schedule = "step".into();
            optim.milestones = vec![3, 5];
            optim.gamma = 0.5;
            optim.warmup_epochs = 1.5;
        });
        let rate = rate(&config, 10).unwrap();
        assert_eq!((rate.warmup_steps, rate.total_steps), (15, 2000));
        let lr = config.optim.lr;
        let cases = [(29, 1.0), (30, 0.5), (49, 0.5), (50, 0.25), (1999, 0.25)];
        for (step, factor) in cases {
            assert_eq!(rate.at(step), lr * factor, "{step}");
        }
    }

    #[test]
    fn the_cosine_ends_at_the_final_fraction() {
        let config = config(|optim| optim.final_fraction = 0.25);
        let rate = rate(&config, 10).unwrap();
        assert!((rate.at(2000) - 0.25 * config.optim.lr).abs() < 1e-12);
    }

    #[test]
    fn what_makes_no_sense_names_its_key() {
        type Change = fn(&mut Optim);
        let cases: &[(Change, &str)] = &[
            (
                |o| o.name = "adamv".into(),
                "optim.name: expected one of sgd, lars, adam, adamw, found 'adamv'; did you mean 'adam'?",
            ),
            (
                |o| o.schedule = "steps".into(),
                "optim.schedule: expected one of cosine, step, constant, found 'steps'; did you mean 'step'?",
            ),
            (|o| o.lr = -1.0, "optim.lr: expected at least 0, found -1"),
            (
                |o| o.lr = f64::INFINITY,
                "optim.lr: expected 0 or more, and finite, found inf",
            ),
            (
                |o| o.momentum = 1.0,
                "optim.momentum: expected 0 or more, and below 1, found 1",
            ),
            (
                |o| o.weight_decay = -1.0,
                "optim.weight_decay: expected 0 or more, found -1",
            ),
            (
                |o| o.clip = -1.0,
                "optim.clip: expected at least 0, found -1",
            ),
            (
                |o| o.final_fraction = 2.0,
                "optim.final_fraction: expected 0 to 1, found 2",
            ),
            (
                |o| o.milestones = vec![5, 5],
                "optim.milestones: expected epochs that rise, found [5, 5]",
            ),
            (
                |o| (o.schedule, o.gamma) = ("step".into(), 0.0),
                "optim.gamma: expected more than 0, and finite, found 0",
            ),
            (
                |o| (o.name, o.nesterov) = ("lars".into(), true),
                "optim.nesterov: expected false with 'lars', found true",
            ),
            (
                |o| (o.name, o.trust) = ("lars".into(), 0.0),
                "optim.trust: expected more than 0, and finite, found 0",
            ),
            (
                |o| (o.name, o.betas) = ("adam".into(), [0.9, 1.0]),
                "optim.betas: expected 0 or more, and below 1, found 1",
            ),
            (
                |o| (o.name, o.eps) = ("adamw".into(), 0.0),
                "optim.eps: expected more than 0, and finite, found 0",
            ),
        ];
        for (change, message) in cases {
            assert_eq!(check(&config(change)).unwrap_err().to_string(), *message);
        }
    }
}
