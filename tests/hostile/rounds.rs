//! Rounds of trials: how many there are, and what each of them draws from.

use std::sync::OnceLock;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use sandbox::ground::clock::Stopwatch;
use sandbox::ground::seed::{Purpose, stream};

/// The seed where nobody asks for another one.
const SEED: u64 = 20_261_128;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| {
        panic!("{name}: expected a whole number, found '{text}'");
    }))
}

/// The time until which a soak goes on; none where only the few rounds of every day are asked for.
fn soak() -> Option<Duration> {
    number("SANDBOX_SOAK").map(|minutes| Duration::from_secs(60 * minutes))
}

/// Whether this is more than the few rounds of every day.
pub(crate) fn soaking() -> bool {
    soak().is_some()
}

/// Says which round it was when its trial panics.
struct Round<'a> {
    name: &'a str,
    seed: u64,
    round: u64,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { name, seed, round } = self;
            eprintln!(
                "{name}: it was round {round}; again: SANDBOX_SEED={seed} SANDBOX_ROUND={round}"
            );
        }
    }
}

/// Does `few` rounds of a trial, or as many as the time of a soak allows; each has numbers of its own, whatever the others draw.
pub(crate) fn rounds(name: &str, few: u64, mut trial: impl FnMut(u64, &mut ChaCha8Rng)) {
    static START: OnceLock<Stopwatch> = OnceLock::new();
    let start = START.get_or_init(Stopwatch::start);
    let seed = number("SANDBOX_SEED").unwrap_or(SEED);
    // The name is a part of the stream, so that two kinds do not draw the same.
    let id = name
        .bytes()
        .fold(0, |id, byte| id * 31 % (1 << 56) + u64::from(byte));
    let mut one = |round| {
        let _round = Round { name, seed, round };
        trial(round, &mut stream(seed, Purpose::Rehearsal, round, id));
    };
    if let Some(round) = number("SANDBOX_ROUND") {
        return one(round);
    }
    let goes_on = |done| done < few || soak().is_some_and(|until| start.elapsed() < until);
    let mut done = 0;
    while goes_on(done) {
        one(done);
        done += 1;
    }
    eprintln!("{name}: {done} rounds of seed {seed}");
}
