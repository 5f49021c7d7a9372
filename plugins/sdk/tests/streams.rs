//! The conformance test of slots `novelty` and `prototypes`: what it takes, and what it finds.

#![allow(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

use sandbox_plugin::abi::SbxPlugin;
use sandbox_plugin::private::{About, novelty, prototypes};
use sandbox_plugin::testing::{PrototypesAnswer, ask_prototypes, conform};
use sandbox_plugin::{Novelty, NoveltyCall, Policy, Prototypes, PrototypesCall, Restored, Result};

const ABOUT: About = About {
    name: "subject",
    version: "1",
    doc: "What is tried.",
};

const GOOD: u32 = 0;
const TURNED_BETA: u32 = 1;
const TURNED_GAMMA: u32 = 2;
const WITHOUT_DERIVATIVES: u32 = 3;
const WITHOUT_LOGIT: u32 = 4;
const READS_THE_LAST: u32 = 5;

/// A novelty that counts its frames, each of which is a little less new than the one before; its fault is its number.
struct Less<const FAULT: u32>(u64);

impl<const FAULT: u32> Policy for Less<FAULT> {
    type Params = ();

    const STATE_VERSION: u32 = 1;

    fn new((): ()) -> Result<Self> {
        Ok(Self(0))
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.0.to_le_bytes().to_vec())
    }

    fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<Restored> {
        let (1, Ok(bytes)) = (version, bytes.try_into()) else {
            return Ok(Restored::Unknown);
        };
        self.0 = u64::from_le_bytes(bytes);
        Ok(Restored::Taken)
    }
}

impl<const FAULT: u32> Novelty for Less<FAULT> {
    fn decide(&mut self, call: &NoveltyCall<'_>) -> Result<()> {
        let (scores, usage, empty) = (call.scores()?, call.usage()?, call.empty()?);
        let (beta, gamma) = (call.beta()?.get(&[0]), call.gamma()?.get(&[0]));
        let gamma = match FAULT {
            // A number that is repeated lies in one place.
            READS_THE_LAST => call.gamma()?.values()[scores.shape()[0] - 1],
            _ => gamma,
        };
        let logit = |stream: usize| {
            let row = scores.row(stream);
            let nearest = row.iter().fold(f32::NEG_INFINITY, |most, x| most.max(*x));
            let none = usage.row(stream).iter().all(|usage| *usage == 0.0);
            assert_eq!(f64::from(nearest) == empty, none, "what is empty is unused");
            (-nearest - beta - self.0 as f32) / gamma
        };
        let logits: Vec<_> = (0..scores.shape()[0]).map(logit).collect();
        self.0 += 1;
        if FAULT != WITHOUT_LOGIT {
            call.logit()?.values_mut().copy_from_slice(&logits);
        }
        if FAULT == WITHOUT_DERIVATIVES {
            return Ok(());
        }
        let sign = |fault: u32| if FAULT == fault { 1.0 } else { -1.0 };
        let slope = sign(TURNED_BETA) / gamma;
        call.d_beta()?.values_mut().fill(slope);
        let slopes: Vec<_> = logits
            .iter()
            .map(|logit| sign(TURNED_GAMMA) * logit / gamma)
            .collect();
        call.d_gamma()?.values_mut().copy_from_slice(&slopes);
        Ok(())
    }
}

fn of_novelty<const FAULT: u32>() -> String {
    extern "C" fn table<const FAULT: u32>() -> *const SbxPlugin {
        novelty::<Less<FAULT>>(&ABOUT)
    }
    said(conform(table::<FAULT>))
}

fn said(done: Result<Vec<String>>) -> String {
    done.map_or_else(|error| error.to_string(), |done| done.join("\n"))
}

#[test]
fn derivatives_of_a_novelty_are_held_against_its_logit() {
    for (said, expected) in [
        (
            of_novelty::<GOOD>(),
            "d_beta and d_gamma are those of its logit",
        ),
        (
            of_novelty::<READS_THE_LAST>(),
            "d_beta and d_gamma are those of its logit",
        ),
        (of_novelty::<WITHOUT_DERIVATIVES>(), "learn nothing from it"),
        (of_novelty::<TURNED_BETA>(), "'d_beta' of stream 0 is not"),
        (of_novelty::<TURNED_GAMMA>(), "'d_gamma' of stream 0 is not"),
        (
            of_novelty::<WITHOUT_LOGIT>(),
            "'logit': expected an answer, found none",
        ),
    ] {
        assert!(said.contains(expected), "expected '{expected}' in\n{said}");
    }
}

const SHARES_ABOVE_1: u32 = 1;
const NO_SUCH_PLACE: u32 = 2;
const UNWRITTEN: u32 = 3;

/// The nearest prototype takes all, the one that was used least makes room; its fault is its number.
struct Winner<const FAULT: u32>;

impl<const FAULT: u32> Policy for Winner<FAULT> {
    type Params = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

/// Where the greatest is, the first of several.
fn greatest(row: &[f32]) -> usize {
    let all = row.iter().enumerate();
    all.fold(0, |best, (at, x)| if *x > row[best] { at } else { best })
}

impl<const FAULT: u32> Prototypes for Winner<FAULT> {
    fn decide(&mut self, call: &PrototypesCall<'_>) -> Result<()> {
        let (scores, usage, age) = (call.scores()?, call.usage()?, call.age()?);
        let new = call.novelty()?;
        let (mut share, mut place) = (call.share()?, call.place()?);
        if FAULT != UNWRITTEN {
            share.values_mut().fill(0.0);
        }
        for stream in 0..scores.shape()[0] {
            let nearest = greatest(&scores.row(stream));
            let old = 1.0 - new.get(&[stream]);
            share.row_mut(stream)[nearest] = match FAULT {
                SHARES_ABOVE_1 => 1.5,
                _ => old,
            };
            let (usage, age) = (usage.row(stream), age.row(stream));
            let unused: Vec<_> = usage
                .iter()
                .zip(&*age)
                .map(|(used, age)| -used - 1e-6 * age)
                .collect();
            place.values_mut()[stream] = match FAULT {
                NO_SUCH_PLACE => usage.len() as i64,
                _ => greatest(&unused) as i64,
            };
        }
        Ok(())
    }
}

fn of_prototypes<const FAULT: u32>() -> String {
    extern "C" fn table<const FAULT: u32>() -> *const SbxPlugin {
        prototypes::<Winner<FAULT>>(&ABOUT)
    }
    said(conform(table::<FAULT>))
}

#[test]
fn shares_lie_in_0_to_1_and_places_exist() {
    for (said, expected) in [
        (of_prototypes::<GOOD>(), "no thread is left"),
        (
            of_prototypes::<SHARES_ABOVE_1>(),
            "'share': expected numbers from 0 to 1, found 1.5",
        ),
        (
            of_prototypes::<UNWRITTEN>(),
            "'share': expected numbers from 0 to 1, found NaN",
        ),
        (
            of_prototypes::<NO_SUCH_PLACE>(),
            "'place': expected 0 to 3, found 4",
        ),
    ] {
        assert!(said.contains(expected), "expected '{expected}' in\n{said}");
    }
}

#[test]
fn a_prototypes_policy_is_asked_about_one_frame() {
    let answer = ask_prototypes(&mut Winner::<GOOD>, &[1.0, 3.0], &[0.5, 2.0], 0.25).unwrap();
    let expected = PrototypesAnswer {
        share: vec![0.0, 0.75],
        place: 0,
    };
    assert_eq!(answer, expected);
}
