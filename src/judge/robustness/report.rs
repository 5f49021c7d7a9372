//! What is said of attacked and defended images: accuracies with their intervals, how near the images are, pictures of fits.

use std::rc::Rc;

use tch::Tensor;

use super::aware::Aware;
use super::victim::Victim;
use super::{Images, Outcomes};
use crate::diagnostics::pictures::fit::{Course, End, picture};
use crate::eval::robustness::{psnr, ssim, wilson};
use crate::ground::spread;
use crate::judge::left::Left;
use crate::judge::{Jury, Verdict};

/// Everything that was found.
pub(super) struct Report {
    images: Images,
    /// Right ones of clean, attacked.
    plain: [Counted; 2],
    defences: Vec<Defended>,
    /// Through the first defence, of images that were attacked through it.
    aware: Option<Counted>,
    seconds: f64,
    courses: Vec<(String, Course)>,
}

/// One defence.
struct Defended {
    name: String,
    /// Of attacked and of clean images.
    right: [Counted; 2],
    /// What comes of the attacked images.
    images: Tensor,
}

/// Right ones of so many.
#[derive(Clone, Copy)]
struct Counted {
    right: u64,
    all: u64,
}

impl Counted {
    fn of(victim: &Victim, images: &Tensor, labels: &Tensor) -> Result<Self, Left> {
        let right = victim.classes(images)?.eq_tensor(labels);
        Ok(Self {
            right: right.sum(tch::Kind::Int64).int64_value(&[]) as u64,
            all: labels.size()[0] as u64,
        })
    }

    fn percent(self) -> f64 {
        100.0 * self.right as f64 / self.all.max(1) as f64
    }
}

impl Report {
    pub(super) fn new(
        jury: Jury<'_>,
        victim: &Rc<Victim>,
        images: Images,
        outcomes: Outcomes,
        aware: Option<Aware>,
        seconds: f64,
    ) -> Result<Self, Left> {
        let counted = |images: &Tensor, labels: &Tensor| Counted::of(victim, images, labels);
        let names = &outcomes.attacked[0].names;
        let joined = |groups: &[super::Outcome], at: usize| {
            Tensor::cat(
                &groups
                    .iter()
                    .map(|group| &group.images[at])
                    .collect::<Vec<_>>(),
                0,
            )
        };
        let defended = |(at, name): (usize, &String)| {
            let [attacked, clean] =
                [&outcomes.attacked, &outcomes.clean].map(|all| joined(all, at));
            let right = [
                counted(&attacked, &images.labels)?,
                counted(&clean, &images.labels)?,
            ];
            Ok(Defended {
                name: name.clone(),
                right,
                images: attacked,
            })
        };
        let defences = names.iter().enumerate().map(defended);
        let defences = defences.collect::<Result<Vec<_>, Left>>()?;
        let of_aware = |aware: &Aware| counted(&aware.defended, &aware.images.labels);
        Ok(Self {
            plain: [
                counted(&images.clean, &images.labels)?,
                counted(&images.attacked, &images.labels)?,
            ],
            aware: aware.as_ref().map(of_aware).transpose()?,
            courses: courses(jury, victim, &images, &outcomes, &defences)?,
            images,
            defences,
            seconds,
        })
    }

    /// Accuracies first: clean, attacked, defended.
    pub(super) fn verdict(self, verdict: Verdict) -> Verdict {
        let [clean, attacked] = self.plain;
        let mut verdict = accuracy(verdict, "clean", "clean images, no defence", clean);
        verdict = accuracy(verdict, "attacked", "attacked images, no defence", attacked);
        for Defended { name, right, .. } in &self.defences {
            let said = format!("attacked images, {name}");
            verdict = accuracy(verdict, name, &said, right[0]);
        }
        for Defended { name, right, .. } in &self.defences {
            let said = format!("clean images, {name}");
            verdict = accuracy(verdict, &format!("{name}_clean"), &said, right[1]);
        }
        if let Some(aware) = self.aware {
            let name = &self.defences[0].name;
            let said = format!("images attacked through {name}, {name}");
            verdict = accuracy(verdict, &format!("{name}_aware"), &said, aware);
        }
        let changed = ("attacked", "attacked images", &self.images.attacked);
        let defended = self.defences.iter();
        let defended = defended.map(|one| (&*one.name, &*one.name, &one.images));
        for (key, said, images) in std::iter::once(changed).chain(defended) {
            verdict = near(verdict, (key, said), images, &self.images.clean);
        }
        verdict = verdict
            .detail("images", self.images.ids.len())
            .detail("aware_images", self.aware.map_or(0, |aware| aware.all))
            .detail("seconds_per_image", self.seconds);
        let courses = self.courses.iter();
        courses.fold(verdict, |verdict, (name, course)| {
            verdict.picture(name.clone(), picture(course))
        })
    }
}

fn accuracy(verdict: Verdict, key: &str, said: &str, counted: Counted) -> Verdict {
    let Counted { right, all } = counted;
    verdict
        .number(key, said, counted.percent(), "%")
        .interval(wilson(right, all))
}

/// How near images are to the clean ones, where that is a number: PSNR is none of images that are the same.
fn near(verdict: Verdict, (key, said): (&str, &str), images: &Tensor, clean: &Tensor) -> Verdict {
    let mean = |numbers: Vec<f64>| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let found = [
        (psnr(images, clean).ok().map(mean), "psnr", "PSNR", "dB"),
        // An image may be smaller than its window.
        (ssim(images, clean).ok().map(mean), "ssim", "SSIM", ""),
    ];
    found
        .into_iter()
        .fold(verdict, |verdict, (number, of, name, unit)| {
            match number.filter(|number| number.is_finite()) {
                Some(number) => verdict.number(
                    format!("{key}_{of}"),
                    format!("{name} to clean, {said}"),
                    number,
                    unit,
                ),
                None => verdict,
            }
        })
}

/// What pictures show: some of the images, the first of each group.
fn courses(
    jury: Jury<'_>,
    victim: &Victim,
    images: &Images,
    outcomes: &Outcomes,
    defences: &[Defended],
) -> Result<Vec<(String, Course)>, Left> {
    let wanted = jury.plan.config.eval.robustness.pictures;
    let places = match wanted {
        0 => Vec::new(),
        wanted => spread(images.ids.len(), wanted),
    };
    let size = jury.plan.config.eval.robustness.prior.group as i64;
    let classes = |images: &Tensor| victim.classes(&images.unsqueeze(0));
    let mut courses = Vec::new();
    for at in places {
        let (group, row) = (&outcomes.attacked[(at / size) as usize], at % size);
        let Some(fitted) = &group.fitted else {
            continue;
        };
        let [clean, attacked] = [&images.clean, &images.attacked].map(|all| all.get(at));
        let end = |said: &str, image: Tensor| {
            let class = classes(&image)?.int64_value(&[0]);
            Ok::<_, Left>(End {
                said: said.to_owned(),
                class,
                image,
            })
        };
        let ends = defences
            .iter()
            .map(|one| end(&one.name, one.images.get(at)));
        let kept = group.names.iter().zip(&group.kept);
        let predictions = fitted.predictions.select(1, row);
        courses.push((
            format!("image-{}", images.ids[at as usize]),
            Course {
                names: jury.eval.images().classes().to_vec(),
                truth: images.labels.int64_value(&[at]),
                begins: [end("clean", clean)?, end("attacked", attacked)?],
                ends: ends.collect::<Result<_, Left>>()?,
                steps: fitted.trajectory.steps.clone(),
                frames: fitted.trajectory.images.select(1, row),
                predictions: Vec::try_from(predictions).expect("a line of integers"),
                kept: kept
                    .map(|(name, kept)| (name.clone(), kept[row as usize].clone()))
                    .collect(),
            },
        ));
    }
    Ok(courses)
}
