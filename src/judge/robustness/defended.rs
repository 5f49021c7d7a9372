//! Images through defences: the fit of their networks, what each policy keeps of it, and what comes of it.

use std::ops::ControlFlow;
use std::rc::Rc;

use tch::{Kind as Dtype, Tensor};

use super::victim::Victim;
use crate::config::Plan;
use crate::eval::robustness::{Fit, Seen, Trajectory, tiled_psnr};
use crate::ground::{Now, stop};
use crate::judge::left::Left;
use crate::judge::policies::policies;
use crate::policy::Policy;
use crate::slots::{Classifier, Fault, Kind, Slot, defence};

/// Side of the tiles over which the least PSNR is taken, as in DIPDefend.
const TILE: i64 = 32;

/// What defends.
pub(super) struct Defences<'a> {
    pub(super) plan: &'a Plan,
    pub(super) victim: &'a Rc<Victim>,
    pub(super) fit: Fit,
    /// How many of the plan's defences, the first ones.
    pub(super) count: usize,
}

/// What came of images side by side.
pub(super) struct Outcome {
    /// The defences' names, in their order.
    pub(super) names: Vec<String>,
    /// What comes of the images by each defence, `[N, C, H, W]`.
    pub(super) images: Vec<Tensor>,
    /// The steps that each defence kept of each image.
    pub(super) kept: Vec<Vec<Vec<u64>>>,
    /// What the networks answered on the way; none where nothing was fitted.
    pub(super) fitted: Option<Course>,
}

/// What the networks answered on the way.
pub(super) struct Course {
    /// Some of the images.
    pub(super) trajectory: Trajectory,
    /// The victim's class at each step, `[T, N]` i64.
    pub(super) predictions: Tensor,
}

/// The policies of a plan, none of which has been asked yet.
pub(super) fn policies_of(plan: &Plan) -> Result<Vec<(String, Policy)>, Fault> {
    let list = plan.config.eval.robustness.defences.iter();
    let policies = policies(plan, Slot::Defence, list.map(|path| path.as_path()))?;
    match policies.iter().find(|(name, _)| !is_free(name)) {
        None => Ok(policies),
        Some((name, _)) => {
            let message = format!(
                "a defence cannot be called '{name}', which is or could be the name of another number: expected none of {} and none that \
                 ends with {}",
                TAKEN.join(", "),
                ENDINGS.join(", ")
            );
            Err(Fault::new(Slot::Defence, Kind::Contract, message))
        }
    }
}

/// What else stands among the numbers of the defences, and what theirs end with.
const TAKEN: [&str; 8] = [
    "clean",
    "attacked",
    "images",
    "aware_images",
    "seconds_per_image",
    "settings",
    "policies",
    "left_out",
];
const ENDINGS: [&str; 4] = ["_clean", "_aware", "_psnr", "_ssim"];

fn is_free(name: &str) -> bool {
    !TAKEN.contains(&name) && !ENDINGS.iter().any(|ending| name.ends_with(ending))
}

impl Defences<'_> {
    /// What comes of images `[N, C, H, W]`, which are fitted side by side. `ids` say which images they are, and which draw.
    ///
    /// # Errors
    /// A policy's fault, a fit that these images have no size for, or that the process was asked to stop.
    pub(super) fn defend(&self, inputs: &Tensor, ids: &[u64]) -> Result<Outcome, Left> {
        let mut policies = policies_of(self.plan).map_err(|fault| Left::fault(&fault))?;
        policies.truncate(self.count);
        let input_predictions = self.victim.classes(inputs)?;
        let mut asked = Asked {
            seed: self.plan.config.seed,
            steps: self.fit.steps,
            part: ids.first().copied().unwrap_or_default(),
            inputs,
            input_predictions: &input_predictions,
            kept: policies.iter().map(|_| Vec::new()).collect(),
            policies,
        };
        let fitted = match asked.wants_a_fit() {
            true => Some(self.course(&mut asked, ids)?),
            false => None,
        };
        let classifier = self.victim.classifier();
        let images = asked.finish(&classifier, ids)?;
        Ok(Outcome {
            kept: asked.steps_kept(),
            names: asked.policies.into_iter().map(|(name, _)| name).collect(),
            images,
            fitted,
        })
    }

    fn course(&self, asked: &mut Asked<'_>, ids: &[u64]) -> Result<Course, Left> {
        let mut predictions = Vec::new();
        let (inputs, seed) = (asked.inputs, asked.seed);
        let mut left = None;
        let step = |seen: &Seen<'_>| {
            if seen.losses.isfinite().all().int64_value(&[]) == 0 {
                left = Some(Left::Out(format!(
                    "the fit of the networks diverged at step {}, with eval.robustness.prior.lr {} and noise {}",
                    seen.step, self.fit.lr, self.fit.noise
                )));
                return ControlFlow::Break(());
            }
            let told = self.victim.classes(seen.images).map_err(Left::from);
            let told = told.and_then(|classes| {
                asked.step(seen, &classes)?;
                predictions.push(classes);
                Ok(())
            });
            match told {
                Ok(()) => ControlFlow::Continue(()),
                Err(why) => {
                    left = Some(why);
                    ControlFlow::Break(())
                }
            }
        };
        let fitted = self.fit.run(inputs, seed, ids, step);
        let trajectory = fitted.map_err(|error| Left::Out(error.to_string()))?;
        match left {
            Some(why) => Err(why),
            None => Ok(Course {
                trajectory,
                predictions: Tensor::stack(&predictions, 0),
            }),
        }
    }
}

/// What a policy kept of one step.
struct KeptStep {
    step: u64,
    /// Whether it kept that of each image, `[N]`.
    rows: Vec<bool>,
    /// All images of the step, `[N, C, H, W]`, and the victim's classes of them.
    images: Tensor,
    predictions: Tensor,
}

/// The policies, while they are asked about images side by side.
struct Asked<'a> {
    seed: u64,
    steps: u64,
    /// Tells these images, and this draw, from others where `keep` draws random numbers.
    part: u64,
    inputs: &'a Tensor,
    input_predictions: &'a Tensor,
    policies: Vec<(String, Policy)>,
    /// Of each policy.
    kept: Vec<Vec<KeptStep>>,
}

impl Asked<'_> {
    fn wants_a_fit(&self) -> bool {
        self.policies.iter().any(|(_, policy)| policy.has("keep"))
    }

    fn now(&self, step: u64, part: u64) -> Now {
        Now {
            step,
            epoch: 0,
            steps: self.steps,
            steps_per_epoch: self.steps,
            seed: self.seed,
            part,
        }
    }

    fn step(&mut self, seen: &Seen<'_>, predictions: &Tensor) -> Result<(), Left> {
        let now = self.now(seen.step, self.part);
        let step = defence::Step {
            images: seen.images,
            predictions,
            inputs: self.inputs,
            input_predictions: self.input_predictions,
            psnr: &nearness(seen.images, self.inputs),
            now,
        };
        let policies = self.policies.iter_mut().zip(&mut self.kept);
        for ((_, policy), kept) in policies.filter(|((_, policy), _)| policy.has("keep")) {
            let answer = defence::keep(policy, &step).map_err(|fault| Left::fault(&fault))?;
            let Some(answer) = answer else { continue };
            let rows = Vec::<bool>::try_from(answer).expect("a line of booleans");
            if rows.contains(&true) {
                kept.push(KeptStep {
                    step: seen.step,
                    rows,
                    images: seen.images.shallow_clone(),
                    predictions: predictions.shallow_clone(),
                });
            }
        }
        Ok(())
    }

    /// What comes of each image, by each policy.
    fn finish(&mut self, victim: &Classifier, ids: &[u64]) -> Result<Vec<Tensor>, Left> {
        let last = self.steps - 1;
        let nows: Vec<_> = ids.iter().map(|&id| self.now(last, id)).collect();
        let policies = self.policies.iter_mut().zip(&self.kept);
        let finished = policies.map(|((_, policy), kept)| {
            let one = |(at, now): (usize, &Now)| {
                let input = self.inputs.get(at as i64);
                let input_prediction = self.input_predictions.get(at as i64);
                let [images, steps, predictions] = of_image(kept, at, (&input, &input_prediction));
                let kept = defence::Kept {
                    input: &input,
                    input_prediction: &input_prediction,
                    images: &images,
                    at: &steps,
                    predictions: &predictions,
                    victim,
                    now: *now,
                };
                stop::look()?;
                defence::finish(policy, &kept).map_err(|fault| Left::fault(&fault))
            };
            let images = nows.iter().enumerate().map(one);
            let images = images.collect::<Result<Vec<_>, Left>>()?;
            Ok(Tensor::stack(&images, 0))
        });
        finished.collect()
    }

    fn steps_kept(&self) -> Vec<Vec<Vec<u64>>> {
        let count = self.inputs.size()[0] as usize;
        let of = |kept: &Vec<KeptStep>, at: usize| {
            let steps = kept.iter().filter(|step| step.rows[at]);
            steps.map(|step| step.step).collect()
        };
        let policies = self.kept.iter();
        policies
            .map(|kept| (0..count).map(|at| of(kept, at)).collect())
            .collect()
    }
}

/// What was kept of one image: images `[M, C, H, W]`, their steps `[M]` i64 and the victim's classes of them `[M]` i64; the input alone
/// where nothing was.
fn of_image(kept: &[KeptStep], at: usize, (input, class): (&Tensor, &Tensor)) -> [Tensor; 3] {
    let own: Vec<_> = kept.iter().filter(|step| step.rows[at]).collect();
    if own.is_empty() {
        let none = Tensor::full([1], -1, (Dtype::Int64, input.device()));
        return [input.unsqueeze(0), none, class.unsqueeze(0)];
    }
    let at = at as i64;
    let images: Vec<_> = own.iter().map(|step| step.images.get(at)).collect();
    let steps: Vec<_> = own.iter().map(|step| step.step as i64).collect();
    let predictions: Vec<_> = own.iter().map(|step| step.predictions.get(at)).collect();
    [
        Tensor::stack(&images, 0),
        Tensor::from_slice(&steps).to_device(input.device()),
        Tensor::stack(&predictions, 0),
    ]
}

/// Makes the least PSNR of images to inputs over tiles, `[N]` f32 in dB.
fn nearness(images: &Tensor, inputs: &Tensor) -> Rc<dyn Fn() -> Tensor> {
    let (images, inputs) = (images.shallow_clone(), inputs.shallow_clone());
    Rc::new(move || {
        let found =
            tiled_psnr(&images, &inputs, TILE).expect("a fit keeps the shape of its images");
        let found = Tensor::from_slice(&found).to_kind(Dtype::Float);
        found.to_device(images.device())
    })
}
