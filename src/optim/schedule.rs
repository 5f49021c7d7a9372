//! The learning rate as a function of the step.

use std::f64::consts::PI;

use super::{Error, require};

/// How the learning rate goes after the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// It stays at its base.
    Constant,
    /// It falls as half a cosine to its final fraction (Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5, without
    /// restarts; MoCo v2).
    Cosine,
    /// It is multiplied by `gamma` at each milestone.
    Step {
        /// Steps, counted from the start of the run.
        milestones: Vec<u64>,
        /// The factor.
        gamma: f64,
    },
}

/// The learning rate of a run: a linear warm-up, then a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningRate {
    /// The rate after the warm-up.
    pub base: f64,
    /// Steps of the warm-up. Step t has `(t + 1) / (warmup_steps + 1)` of the base: no step is lost at a rate of zero.
    pub warmup_steps: u64,
    /// Steps of the run, the warm-up among them.
    pub total_steps: u64,
    /// What fraction of the base the cosine ends at; the other schedules do not read it.
    pub final_fraction: f64,
    /// What follows the warm-up.
    pub schedule: Schedule,
}

impl LearningRate {
    /// Whether the numbers are in their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`]: the base is finite and 0 or more, the final fraction is in `0..=1`, gamma is finite and more
    /// than 0.
    pub fn check(&self) -> Result<(), Error> {
        let (base, last) = (self.base, self.final_fraction);
        require(
            "lr",
            base,
            base.is_finite() && base >= 0.0,
            "0 or more, and finite",
        )?;
        require(
            "final_fraction",
            last,
            (0.0..=1.0).contains(&last),
            "0 to 1",
        )?;
        if let Schedule::Step { gamma, .. } = self.schedule {
            let holds = gamma.is_finite() && gamma > 0.0;
            require("gamma", gamma, holds, "more than 0, and finite")?;
        }
        Ok(())
    }

    /// The rate of the optimiser's step number `step`, counted from 0. After the last step it stays.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.base * (step + 1) as f64 / (self.warmup_steps + 1) as f64;
        }
        self.base
            * match &self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Cosine => {
                    let cosine = 0.5 * (1.0 + (PI * self.progress(step)).cos());
                    self.final_fraction + (1.0 - self.final_fraction) * cosine
                }
                Schedule::Step { milestones, gamma } => {
                    let passed = milestones.iter().filter(|&&at| at <= step).count();
                    gamma.powi(passed as i32)
                }
            }
    }

    /// What part of the run after the warm-up lies before `step`, in `0..=1`.
    fn progress(&self, step: u64) -> f64 {
        let steps = self.total_steps.saturating_sub(self.warmup_steps).max(1);
        ((step - self.warmup_steps) as f64 / steps as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: Schedule, warmup_steps: u64, final_fraction: f64) -> LearningRate {
        LearningRate {
            base: 0.03,
            warmup_steps,
            total_steps: 100,
            final_fraction,
            schedule,
        }
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found}, {expected}");
    }

    #[test]
    fn the_cosine_is_that_of_moco() {
        let rate = rate(Schedule::Cosine, 0, 0.0);
        for step in 0..=100 {
            let expected = 0.03 * 0.5 * (1.0 + (PI * step as f64 / 100.0).cos());
            assert_near(rate.at(step), expected);
        }
        assert_near(rate.at(1000), 0.0);
    }

    #[test]
    fn the_warm_up_is_linear_and_leads_into_the_schedule() {
        let rate = rate(Schedule::Cosine, 9, 0.1);
        for step in 0..=9 {
            assert_near(rate.at(step), 0.003 * (step + 1) as f64);
        }
        assert!(rate.at(10) < rate.at(9));
        assert_near(rate.at(100), 0.003);
        assert!((9..100).all(|step| rate.at(step + 1) < rate.at(step)));
    }

    #[test]
    fn milestones_multiply_and_a_constant_stays() {
        let milestones = vec![60, 80];
        let step = rate(
            Schedule::Step {
                milestones,
                gamma: 0.1,
            },
            0,
            0.0,
        );
        let cases = [
            (0, 0.03),
            (59, 0.03),
            (60, 0.003),
            (79, 0.003),
            (80, 0.0003),
            (99, 0.0003),
        ];
        for (at, expected) in cases {
            assert_near(step.at(at), expected);
        }
        let constant = rate(Schedule::Constant, 4, 0.0);
        assert_near(constant.at(0), 0.006);
        assert!((4..200).all(|at| constant.at(at) == 0.03));
    }

    #[test]
    fn a_run_that_is_all_warm_up_is_defined() {
        let rate = rate(Schedule::Cosine, 100, 0.0);
        assert!(rate.at(99) < 0.03);
        assert_near(rate.at(100), 0.03);
        assert_near(rate.at(101), 0.0);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let good = rate(Schedule::Cosine, 0, 0.5);
        good.check().unwrap();
        let bad = LearningRate {
            base: f64::NAN,
            ..good.clone()
        };
        assert_eq!(
            bad.check().unwrap_err().to_string(),
            "optimiser: 'lr': expected 0 or more, and finite, got NaN"
        );
        let bad = LearningRate {
            final_fraction: 1.5,
            ..good.clone()
        };
        assert!(
            bad.check()
                .unwrap_err()
                .to_string()
                .contains("'final_fraction'")
        );
        let schedule = Schedule::Step {
            milestones: vec![],
            gamma: 0.0,
        };
        let bad = LearningRate { schedule, ..good };
        assert!(bad.check().unwrap_err().to_string().contains("'gamma'"));
    }
}
