//! An attack that knows of the first defence, and goes through it.

use tch::Tensor;

use super::Images;
use super::defended::Defences;
use crate::config::Robustness;
use crate::eval::robustness::{Pgd, through};
use crate::ground::{spread, stop};
use crate::judge::left::Left;
use crate::judge::told::Told;

/// Images that were attacked through the first defence, and what that makes of them.
pub(super) struct Aware {
    pub(super) images: Images,
    /// `[N, C, H, W]`, of a draw that the attack did not see.
    pub(super) defended: Tensor,
}

/// Attacks some of the images through the first defence: from the attacked ones on, each step up the gradient of the victim at what the
/// defence makes of them, which is taken for the gradient of the images (BPDA), the mean over several draws (EOT).
pub(super) fn attacked(
    defences: &Defences<'_>,
    images: &Images,
    settings: &Robustness,
    attack: &Pgd,
    told: &Told<'_>,
) -> Result<Option<Aware>, Left> {
    let aware = &settings.aware;
    if aware.images == 0 {
        return Ok(None);
    }
    let steps = Pgd {
        alpha: 2.5 * attack.eps / aware.steps as f64,
        steps: aware.steps,
        ..*attack
    };
    // The others would be asked at every step for nothing.
    let first = Defences {
        fit: defences.fit.clone(),
        count: 1,
        ..*defences
    };
    let chosen = images.some(&spread(images.ids.len(), aware.images));
    let mut groups = Vec::new();
    for group in chosen.groups(settings.prior.group) {
        groups.push(one_group(&first, &group, &steps, aware.draws, told)?);
    }
    let [attacked, defended] = [0, 1].map(|at| {
        Tensor::cat(
            &groups.iter().map(|group| &group[at]).collect::<Vec<_>>(),
            0,
        )
    });
    Ok(Some(Aware {
        images: Images { attacked, ..chosen },
        defended,
    }))
}

/// Attacked and then defended images of one group.
fn one_group(
    defences: &Defences<'_>,
    group: &Images,
    attack: &Pgd,
    draws: u64,
    told: &Told<'_>,
) -> Result<[Tensor; 2], Left> {
    let mut left = None;
    let victim = defences.victim;
    let gradient = |images: &Tensor, step: u64| {
        told.tell(
            "steps through the defence",
            step as usize,
            attack.steps as usize,
        );
        let defend = |images: &Tensor, draw: u64| {
            // Draw 0 is that of the defender.
            let streams = group.streams(1 + step * draws + draw);
            if left.is_some() || stop::asked() {
                return images.shallow_clone();
            }
            match defences.defend(images, &streams) {
                Ok(mut outcome) => outcome.images.swap_remove(0),
                Err(why) => {
                    left = Some(why);
                    images.shallow_clone()
                }
            }
        };
        let through = through(images, &group.labels, draws, defend, |images| {
            victim.logits(images)
        });
        through.expect("draws and labels fit, and a defence keeps the shape")
    };
    let attacked = attack.ascend(&group.clean, &group.attacked, gradient);
    if let Some(why) = left {
        return Err(why);
    }
    stop::look()?;
    let attacked = attacked.map_err(|error| Left::Out(error.to_string()))?;
    let mut outcome = defences.defend(&attacked, &group.streams(0))?;
    Ok([attacked, outcome.images.swap_remove(0)])
}
