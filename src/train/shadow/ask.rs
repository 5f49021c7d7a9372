//! Asking a shadow what the live policy of its slot was asked.

use super::compare::{Answer, Drawn, Sighting};
use super::{Shadow, Shadows, What, begin};
use crate::bank::Bank;
use crate::ground::Now;
use crate::slots::Relation;
use crate::slots::labels;
use crate::slots::sampler;
use crate::slots::sampler::Cosines;
use crate::slots::{Fault, Slot};
use crate::swap::Gate;
use crate::train::inter::{Batch, Decision, draw};

/// The moment of a step in which the live policies have decided and nothing has been written.
pub struct Scene<'a> {
    /// The bank as it stood before this step.
    pub bank: &'a Bank,
    /// What was asked about.
    pub batch: &'a Batch,
    /// What the live policies decided.
    pub decision: &'a Decision,
    /// The temperature of the inter-image branch.
    pub temperature: f64,
    /// When.
    pub now: Now,
}

impl Shadows {
    /// Asks each shadow that does not rest. Nothing of it stays but the shadows' own states and what [`Shadows::take_sightings`]
    /// and [`Shadows::take_news`] give.
    pub fn ask(&mut self, gate: &mut Gate, scene: &Scene<'_>) {
        for shadow in &mut self.all {
            if shadow.fault.is_some() {
                continue;
            }
            let asked = shadow.look(gate, scene);
            let cost = shadow.policy.take_cost();
            match asked {
                Ok(Some((answer, undrawn))) => {
                    self.sightings.push(Sighting {
                        name: shadow.name.clone(),
                        answer,
                        cost,
                    });
                    if let Some(fault) = undrawn
                        && !std::mem::replace(&mut shadow.undrawn, true)
                    {
                        let what = What::Undrawn { fault };
                        self.news.push(shadow.news(what, scene.now));
                    }
                }
                Ok(None) => {}
                Err(fault) => {
                    shadow.fault = Some(fault.clone());
                    let what = What::Failed { fault };
                    self.news.push(shadow.news(what, scene.now));
                }
            }
        }
    }
}

/// What a shadow answered, and why the live boundary could not be asked about it.
type Looked = (Answer, Option<Fault>);

impl Shadow {
    /// What it answers; nothing where the live policies have left nothing to compare it with.
    fn look(&mut self, gate: &mut Gate, scene: &Scene<'_>) -> Result<Option<Looked>, Fault> {
        let slot = self.slot();
        // What the schedule gives the slot it would give this policy too.
        self.policy.override_params(&gate.overridden(slot));
        if slot == Slot::Labels {
            self.begin(gate)?;
            return Ok(Some((self.label(scene)?, None)));
        }
        let Some(relation) = &scene.decision.relation else {
            return Ok(None);
        };
        self.begin(gate)?;
        match slot {
            Slot::Boundary => Ok(Some((self.draw(relation, scene)?, None))),
            _ => self.sample(gate, relation, scene).map(Some),
        }
    }

    /// Takes a copy of the live policy's state when it is asked for the first time: by then a policy of `labels` has made the first
    /// labels.
    fn begin(&mut self, gate: &mut Gate) -> Result<(), Fault> {
        if !self.begun {
            begin(&mut self.policy, gate)?;
            self.policy.take_cost();
            self.begun = true;
        }
        Ok(())
    }

    fn label(&mut self, scene: &Scene<'_>) -> Result<Answer, Fault> {
        let Scene {
            bank,
            batch,
            decision,
            now,
            ..
        } = scene;
        let ctx = labels::Context {
            keys: &batch.keys,
            index: &batch.index,
            bank,
            now: *now,
        };
        let own = labels::run(&mut self.policy, &ctx)?;
        let before = batch.labels(bank);
        let live = decision.labels.as_ref();
        Ok(Answer::Labels {
            own: own.unwrap_or_else(|| before.shallow_clone()),
            live: live.map_or_else(|| before.shallow_clone(), tch::Tensor::shallow_clone),
            before,
        })
    }

    /// The live boundary is asked about the shadow's pairs without a trace, so that they can be compared by what they teach.
    fn sample(
        &mut self,
        gate: &mut Gate,
        relation: &Relation,
        scene: &Scene<'_>,
    ) -> Result<Looked, Fault> {
        let Scene {
            bank,
            batch,
            temperature,
            now,
            ..
        } = scene;
        let labels = batch.labels(bank);
        let ctx = sampler::Context {
            index: &batch.index,
            labels: &labels,
            similarity: &relation.similarity,
            bank,
            now: *now,
        };
        let pairs = sampler::run(&mut self.policy, &ctx)?;
        let cosines = Cosines::gather(&relation.similarity, &pairs);
        let boundary = gate.live(Slot::Boundary);
        let outcome = boundary.unbooked(|live| {
            live.without_trace(|live| draw(live, &cosines, *temperature, (bank.rows(), *now)))
        });
        let (drawn, undrawn) = match outcome {
            Ok(outcome) => (Some(Drawn::new(&cosines, &outcome)), None),
            Err(fault) => (None, Some(fault)),
        };
        Ok((Answer::Pairs { pairs, drawn }, undrawn))
    }

    fn draw(&mut self, relation: &Relation, scene: &Scene<'_>) -> Result<Answer, Fault> {
        let cosines = &relation.cosines;
        let outcome = draw(
            &mut self.policy,
            cosines,
            scene.temperature,
            (scene.bank.rows(), scene.now),
        )?;
        Ok(Answer::Drawn(Drawn::new(cosines, &outcome)))
    }
}
