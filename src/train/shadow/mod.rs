//! Shadows: policies that are tried beside the live ones. They are asked about the same batch and compared; what they answer has no
//! effect on the run, whose bits are those of a run without them.
//!
//! A shadow is asked on the steps that are logged, about the last batch of the step, when the live slots have answered and the bank
//! has not been written. It begins as it would if it were swapped in: with the slot's parameters and a copy of the live policy's
//! state; from then on its state is its own. Of `labels` only `decide` is asked. Checkpoints do not hold shadows.
//!
//! What a shadow cannot show is what its choices would lead to: other features, another bank, other labels. It is asked about what the
//! live policies have made of these, and each time anew. For that there must be a run with the other policy in the slot (`sandbox fork`).

mod ask;
mod compare;
mod news;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::ground::Now;
use crate::ground::suggest;
use crate::policy::{Params, Policy, PolicyFile, Unknown};
use crate::slots::{Fault, Kind, Slot};
use crate::swap::Gate;
use crate::swap::gate::Rehearsal;
use crate::swap::watch::{Seen, Watch};

use super::trainer::{Trainer, rehearsal};
pub use ask::Scene;
pub use compare::{Answer, Drawn, Sighting};
pub use news::{News, What};

/// A policy beside the live one of its slot.
struct Shadow {
    name: String,
    file: PolicyFile,
    policy: Policy,
    /// blake3 of its content.
    hash: String,
    overrides: Params,
    /// Why it is asked no more until its file changes.
    fault: Option<Fault>,
    /// Whether it has been asked about the run.
    begun: bool,
    /// Whether it was said that the live boundary cannot be asked about its pairs.
    undrawn: bool,
}

impl Shadow {
    fn slot(&self) -> Slot {
        self.policy.slot()
    }

    fn news(&self, what: What, now: Now) -> News {
        News {
            name: self.name.clone(),
            slot: self.slot(),
            what,
            hash: self.hash.clone(),
            step: now.step,
        }
    }

    /// Takes a saved content, with the state that the policy has had.
    fn replace(&mut self, seen: Seen, rehearse: &mut Rehearsal<'_>) -> Result<(), Fault> {
        let content = seen.content?;
        let mut policy = Policy::build(self.slot(), content, &self.overrides, Unknown::Ignored)?;
        policy.take_over(&mut self.policy)?;
        rehearsed(&mut policy, rehearse)?;
        self.policy = policy;
        self.hash = seen.hash;
        self.fault = None;
        self.undrawn = false;
        Ok(())
    }
}

/// The shadows of a run.
#[derive(Default)]
pub struct Shadows {
    all: Vec<Shadow>,
    /// Whether saved files are taken.
    watching: bool,
    /// The watching thread, once there is a file to watch.
    watch: Option<Watch>,
    /// What those say that were asked in the last step.
    sightings: Vec<Sighting>,
    news: Vec<News>,
}

impl Shadows {
    /// No shadows yet; the files of those to come are watched unless told otherwise.
    pub fn new(watching: bool) -> Self {
        Self {
            watching,
            ..Self::default()
        }
    }

    /// The names and slots of all shadows.
    pub fn names(&self) -> Vec<(&str, Slot)> {
        let all = self.all.iter();
        all.map(|shadow| (shadow.name.as_str(), shadow.slot()))
            .collect()
    }

    /// What became of shadows since this was last asked.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// What the shadows say that were asked in the last step.
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        std::mem::take(&mut self.sightings)
    }

    fn add(
        &mut self,
        file: PolicyFile,
        (slot, overrides): (Slot, Params),
        gate: &mut Gate,
        now: Now,
        rehearse: &mut Rehearsal<'_>,
    ) -> Result<String, Fault> {
        let content = file.read(slot)?;
        let content = content.tried(slot, &overrides, &gate.staging())?;
        let (hash, name) = (content.hash(), self.free(content.name()));
        let mut policy = Policy::build(slot, content, &overrides, Unknown::Ignored)?;
        begin(&mut policy, gate)?;
        rehearsed(&mut policy, rehearse)?;
        self.follow(slot, &file, &hash, &overrides, gate);
        let shadow = Shadow {
            name: name.clone(),
            file,
            policy,
            hash,
            overrides,
            fault: None,
            begun: false,
            undrawn: false,
        };
        let text = shadow.policy.text();
        self.news.push(shadow.news(What::Added { text }, now));
        self.all.push(shadow);
        Ok(name)
    }

    /// The name itself, or with the first number that makes it another than those of all shadows.
    fn free(&self, name: &str) -> String {
        let taken = |name: &String| self.all.iter().any(|shadow| shadow.name == *name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free = names.find(|name| !taken(name));
        free.expect("there are more numbers than shadows")
    }

    fn follow(
        &mut self,
        slot: Slot,
        file: &PolicyFile,
        hash: &str,
        overrides: &Params,
        gate: &Gate,
    ) {
        if !self.watching || file.path().is_none() {
            return;
        }
        let watch = self
            .watch
            .get_or_insert_with(|| Watch::start(gate.staging()));
        watch.follow(slot, file.clone(), hash, overrides);
    }

    fn drop_named(&mut self, name: &str, now: Now) -> Result<(), String> {
        let Some(at) = self.all.iter().position(|shadow| shadow.name == name) else {
            let names: Vec<_> = self.all.iter().map(|shadow| &*shadow.name).collect();
            return Err(unknown(name, &names));
        };
        let shadow = self.all.remove(at);
        self.news.push(shadow.news(What::Dropped, now));
        Ok(())
    }

    /// Takes what was saved: replaces each shadow of that file, or says why not. Called between two steps.
    pub fn between_steps(&mut self, now: Now, rehearse: &mut Rehearsal<'_>) {
        let seen = self.watch.as_ref().map(Watch::seen).unwrap_or_default();
        for Seen {
            slot,
            file,
            hash,
            content,
        } in seen
        {
            for shadow in &mut self.all {
                if shadow.slot() != slot || shadow.file != file || shadow.hash == hash {
                    continue;
                }
                let before = shadow.policy.text();
                let seen = Seen {
                    slot,
                    file: file.clone(),
                    hash: hash.clone(),
                    content: content.clone(),
                };
                let what = match shadow.replace(seen, rehearse) {
                    Ok(()) => What::Replaced {
                        before,
                        text: shadow.policy.text(),
                    },
                    Err(fault) => What::Refused { fault },
                };
                self.news.push(shadow.news(what, now));
            }
        }
    }
}

impl Trainer {
    /// Tries a policy beside the live one of a slot from the next logged step on, and watches its file; gives the name under which
    /// it is recorded: its file's, with a number where that is taken. `file` is a script or a library, as a path or the name of a
    /// shipped script.
    ///
    /// # Errors
    /// The fault of a policy that cannot be used, or where the inter-image branch is off; nothing has changed then.
    pub fn add_shadow(&mut self, slot: Slot, file: PathBuf) -> Result<String, Fault> {
        if !slot.in_branch() {
            return Err(Fault::new(slot, Kind::Contract, untried(slot)));
        }
        if !self.plan.inter() {
            let message = "the inter-image branch is off (loss.inter = 0), so no slot is asked and there is nothing beside which a \
                           shadow could be tried";
            return Err(Fault::new(slot, Kind::Contract, message));
        }
        let search = &self.plan.search;
        let file = match file.extension().is_some_and(|ending| ending == "so") {
            true => PolicyFile::Plugin(search.find_plugin(slot, &file)?),
            false => PolicyFile::Script(search.find(slot, &file)?),
        };
        let (now, overrides) = (self.now(), self.plan.slot(slot).params);
        let rehearse = &mut rehearsal(self.frozen.as_ref(), self.bank.as_ref(), self.stage());
        let shadows = &mut self.shadows;
        shadows.add(file, (slot, overrides), &mut self.gate, now, rehearse)
    }

    /// Tries a policy no longer.
    ///
    /// # Errors
    /// A text with the names that there are, where this is none.
    pub fn drop_shadow(&mut self, name: &str) -> Result<(), String> {
        let now = self.now();
        self.shadows.drop_named(name, now)
    }
}

/// Gives a policy a copy of the state of the live one, as a swap would.
fn begin(policy: &mut Policy, gate: &mut Gate) -> Result<(), Fault> {
    let live = gate.live(policy.slot());
    live.unbooked(|live| policy.take_over(live)).map(drop)
}

/// Rehearses a policy without a trace, as the gate does with a candidate.
fn rehearsed(policy: &mut Policy, rehearse: &mut Rehearsal<'_>) -> Result<(), Fault> {
    let slot = policy.slot();
    policy.without_trace(|policy| {
        rehearse(slot, policy)?;
        policy.save_state().map(drop)
    })?;
    policy.take_cost();
    Ok(())
}

/// Why no shadow can be tried in a slot that decides what the step is about, and what to do in the place of it.
fn untried(slot: Slot) -> String {
    let known: Vec<_> = Slot::of_branch().map(Slot::name).collect();
    let known = suggest::either(&known);
    let judged = match slot {
        Slot::Novelty | Slot::Prototypes => {
            ", and 'sandbox eval RUN stream' says of a run how well its rules tell frames apart"
        }
        _ => "",
    };
    format!(
        "a policy of slot '{slot}' cannot be a shadow: what it decides changes the step itself, so beside a run there is nothing to \
         compare it with (shadows are for {known})\nhelp: 'sandbox fork RUN --script FILE' goes on from a run with it{judged}"
    )
}

fn unknown(name: &str, names: &[&str]) -> String {
    let meant = suggest::nearest(name, names.iter().copied());
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let there = match names.is_empty() {
        true => "there is none".to_owned(),
        false => format!("there are {}", names.join(", ")),
    };
    format!("no shadow is called '{name}', {there}{meant}")
}
