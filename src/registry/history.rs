//! Which code was live when: a run's ledger as a history, and the policies that it names with their texts.

use std::path::Path;

use crate::slots::Slot;
use crate::storage;
use crate::swap::Line;
use crate::swap::ledger::{self, About};

/// A generation that was live, from its first step to the next one's.
#[derive(Clone, Debug)]
pub struct Reign {
    /// The slot.
    pub slot: Slot,
    /// The policy's name.
    pub policy: String,
    /// Its generation.
    pub generation: u32,
    /// The hash of its content.
    pub hash: String,
    /// Steps done when it became live.
    pub from: u64,
    /// The line of the ledger.
    pub seq: u64,
    /// Its text; of a library what carries it.
    pub text: String,
}

/// All reigns, in the order of the ledger; the texts are those stored in the run's folder.
pub fn reigns(run: &Path, ledger: &[Line]) -> Vec<Reign> {
    let live = ledger.iter().filter(|line| line.makes_live());
    let reigns = live.filter_map(|line| {
        let about = line.about.as_ref()?;
        let made = made_live(about, ledger);
        Some(Reign {
            slot: about.slot,
            policy: about.policy.clone(),
            generation: about.generation,
            hash: made.hash.clone(),
            from: line.step,
            seq: line.seq,
            text: text(run, made),
        })
    });
    reigns.collect()
}

/// The policies with which a run ends, or stands: the last reign of each slot.
pub fn standing(reigns: &[Reign]) -> Vec<&Reign> {
    let last = |slot| reigns.iter().rev().find(|reign| reign.slot == slot);
    Slot::all().filter_map(last).collect()
}

/// The names of the policies that stand at a ledger's end, in the order of the slots.
pub fn names(ledger: &[Line]) -> Vec<&str> {
    let live = ledger.iter().rev().filter(|line| line.makes_live());
    let abouts: Vec<_> = live.filter_map(|line| line.about.as_ref()).collect();
    let last = |slot| abouts.iter().find(|about| about.slot == slot);
    let names = Slot::all().filter_map(last);
    names.map(|about| about.policy.as_str()).collect()
}

/// What a line that makes a generation live says of its content. A roll-back's line has the hash of the generation that it leaves
/// and no files; those of the generation that decides again stand in the line that made it live first.
fn made_live<'a>(about: &'a About, ledger: &'a [Line]) -> &'a About {
    let mut lines = ledger.iter().rev().filter_map(|line| line.about.as_ref());
    let first = lines.find(|of| {
        of.slot == about.slot && of.generation == about.generation && !of.files.is_empty()
    });
    match about.files.is_empty() {
        true => first.unwrap_or(about),
        false => about,
    }
}

fn text(run: &Path, about: &About) -> String {
    if about.carrier == "plugin" {
        return format!("a library of blake3 {}\n", about.hash);
    }
    let main = format!("{}.rhai", about.policy);
    let read =
        |hash: &String| storage::read_to_string(&run.join(format!("policies/{hash}.rhai"))).ok();
    about.files.get(&main).and_then(read).unwrap_or_default()
}

/// A line of the ledger for a person.
pub fn sentence(line: &Line) -> String {
    let (seq, step) = (line.seq, line.step);
    let what = match &line.about {
        None if line.set.is_empty() => line.event.clone(),
        None => {
            let values = ledger::listed(&line.set);
            match &line.why {
                Some(why) => format!("set {values}: {why}"),
                None => format!("set {values}"),
            }
        }
        Some(about) => {
            let About {
                slot,
                policy,
                generation,
                hash,
                fault,
                ..
            } = about;
            let event = line.event.replace('_', " ");
            let hash = short(hash);
            let fault = fault.as_ref().map(|fault| {
                let place = fault.place.as_ref().map(|place| format!(" ({place})"));
                format!(": {}{}", fault.message, place.unwrap_or_default())
            });
            let fault = fault.unwrap_or_default();
            // The hash is that of the content that the event is about.
            match line.event.as_str() {
                "refused" | "rolled_back" => {
                    format!("{slot}: {event} {hash}, {policy} gen {generation} is live{fault}")
                }
                _ => format!("{slot}: {event}, {policy} gen {generation} is live ({hash}){fault}"),
            }
        }
    };
    format!("{seq:>5}  step {step:<8} {what}")
}

/// As much of a hash as a person reads; it comes from a file that may hold anything.
pub fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}
