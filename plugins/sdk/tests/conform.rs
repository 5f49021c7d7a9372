//! The conformance test fails where it should: a policy for each fault that it looks for, and what it says.

#![allow(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

use sandbox_plugin::abi::SbxPlugin;
use sandbox_plugin::private::{About, labels, sampler};
use sandbox_plugin::testing::conform;
use sandbox_plugin::{
    Labels, LabelsCall, Number, Policy, Restored, Result, Sampler, SamplerCall, StartCall, params,
};

const ABOUT: About = About {
    name: "subject",
    version: "1",
    doc: "What is tried.",
};

params! {
    pub struct Params {
        /// how many
        count: Number = Number::Fraction(0.1),
    }
}

/// A sampler whose fault is its number.
struct Subject<const FAULT: u32> {
    params: Params,
    asked: i64,
}

const GOOD: u32 = 0;
const PANICS: u32 = 1;
const OUT_OF_RANGE: u32 = 2;
const NO_ANSWER: u32 = 3;
const UNSAVED: u32 = 4;
const OWN_NUMBERS: u32 = 5;
const NO_REASON_FOR_LIMITS: u32 = 6;
const TAKES_ANY_VERSION: u32 = 7;
const LEAVES_THREADS: u32 = 8;
const PANICS_AT_STATE: u32 = 9;
const TOO_WIDE: u32 = 10;

impl<const FAULT: u32> Policy for Subject<FAULT> {
    type Params = Params;

    const STATE_VERSION: u32 = 1;

    fn new(params: Params) -> Result<Self> {
        if FAULT == LEAVES_THREADS {
            std::thread::spawn(|| {
                loop {
                    std::thread::park()
                }
            });
        }
        Ok(Self { params, asked: 0 })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.asked.to_le_bytes().to_vec())
    }

    fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<Restored> {
        if FAULT == PANICS_AT_STATE {
            self.asked = i64::from_le_bytes(bytes.try_into().unwrap());
        }
        if version != 1 && FAULT != TAKES_ANY_VERSION {
            return Ok(Restored::Unknown);
        }
        let Ok(bytes) = bytes.try_into() else {
            return Err("the state has another length".into());
        };
        if FAULT != UNSAVED {
            self.asked = i64::from_le_bytes(bytes);
        }
        Ok(Restored::Taken)
    }
}

impl<const FAULT: u32> Sampler for Subject<FAULT> {
    fn decide(&mut self, call: &SamplerCall<'_>) -> Result<()> {
        let count = match FAULT {
            NO_REASON_FOR_LIMITS => match self.params.count {
                Number::Count(count) => count / count.clamp(0, 1),
                Number::Fraction(_) => 1,
            },
            _ => call.count(self.params.count)?,
        };
        let mut positives = call.positives(1)?;
        let width = if FAULT == TOO_WIDE {
            call.rows() + 1
        } else {
            count
        };
        for (query, &own) in call.index()?.values().iter().enumerate() {
            positives.row_mut(query)[0] = if FAULT == OUT_OF_RANGE {
                call.rows()
            } else {
                own
            };
        }
        if FAULT == PANICS {
            panic!("at the {} query", "first");
        }
        if FAULT == NO_ANSWER {
            return Ok(());
        }
        let shift = match FAULT {
            OWN_NUMBERS => std::ptr::from_ref(self).addr() as i64 / 16,
            _ => self.asked,
        };
        for row in call.negatives(width.min(call.rows() + 1))?.values_mut() {
            *row = shift.rem_euclid(call.rows());
        }
        self.asked += 1;
        Ok(())
    }
}

extern "C" fn table<const FAULT: u32>() -> *const SbxPlugin {
    sampler::<Subject<FAULT>>(&ABOUT)
}

fn said<const FAULT: u32>() -> String {
    match conform(table::<FAULT>) {
        Ok(done) => done.join("\n"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_good_policy_passes() {
    let said = said::<GOOD>();
    assert!(said.contains("states that are none are refused"), "{said}");
    assert!(said.contains("no thread is left"), "{said}");
}

#[test]
fn each_fault_is_found() {
    let found = [
        (said::<PANICS>(), "panicked: at the first query ("),
        (
            said::<OUT_OF_RANGE>(),
            "'positives': expected -1 to 63, found 64",
        ),
        (
            said::<NO_ANSWER>(),
            "'negatives': expected an answer, found none",
        ),
        (
            said::<UNSAVED>(),
            "it keeps something that it does not save",
        ),
        (said::<OWN_NUMBERS>(), "does it draw numbers of its own?"),
        (said::<NO_REASON_FOR_LIMITS>(), "attempt to divide by zero"),
        (said::<TAKES_ANY_VERSION>(), "to be unknown, found it taken"),
        (
            said::<LEAVES_THREADS>(),
            "expected no thread to be left, found 1",
        ),
        (said::<PANICS_AT_STATE>(), "panicked"),
        (
            said::<TOO_WIDE>(),
            "'negatives' must be [Is(8), UpTo(64)], found [8, 65]",
        ),
    ];
    for (said, expected) in found {
        assert!(said.contains(expected), "expected '{expected}' in\n{said}");
    }
}

/// A labels policy that gives label 0 to everything.
struct Zeros;

impl Policy for Zeros {
    type Params = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Labels for Zeros {
    fn start(&mut self, call: &StartCall<'_>) -> Result<()> {
        call.labels()?.values_mut().fill(0);
        let features = call.features()?;
        call.centroids(1)?
            .values_mut()
            .copy_from_slice(&features.row(0));
        Ok(())
    }

    fn decide(&mut self, call: &LabelsCall<'_>) -> Result<()> {
        call.labels()?.values_mut().fill(0);
        Ok(())
    }
}

#[test]
fn labels_are_taken_through_all_their_questions() {
    extern "C" fn table() -> *const SbxPlugin {
        labels::<Zeros>(&ABOUT)
    }
    let done = conform(table).unwrap();
    assert!(done.contains(&"it keeps no state".to_owned()), "{done:?}");
}
