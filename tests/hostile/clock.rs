//! A machine that is busy, and a process that is stopped, cost nobody their policy: budgets count what a policy takes itself.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::Dir;

/// Processes that take the processor all the time, until this is dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start(count: usize) -> Self {
        let busy = || {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]);
            command.stdin(Stdio::null()).spawn().unwrap()
        };
        Self((0..count).map(|_| busy()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A sampler that takes some tenths of a second of its own.
const SLOW: &str = "//! slot: sampler
fn decide(ctx) {
    print(`asked at ${ctx.step}`);
    let n = 0;
    if ctx.step >= FROM { for i in 0..800_000 { n += i; } }
    let rows = ctx.index.unsqueeze(1);
    #{ positives: rows, negatives: (rows + 1) % ctx.bank.features.size(0) }
}
";

/// From that step on.
fn slow(from: u64) -> String {
    SLOW.replace("FROM", &from.to_string())
}

const ARGS: &[&str] = &[
    "--script",
    "slow.rhai",
    "--no-watch",
    "--set",
    "eval.online=[]",
    "--set",
    "log.every=1",
    "--steps",
];

/// Two runs beside twenty busy processes, in which each question takes longer than its budget by the clock on the wall.
#[test]
fn a_busy_machine_makes_no_run_another_one() {
    let dir = Dir::new();
    dir.write("slow.rhai", &slow(0));
    let steps = [ARGS, &["4"]].concat();
    let quiet = dir.train(&steps);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let _busy = Busy::start(10 * cores);
    let busy = dir.train(&steps);
    assert_eq!(busy.losses(), quiet.losses());
    assert_eq!(busy.digests(), quiet.digests());
    assert_eq!(busy.losses().len(), 4);
    for run in [&quiet, &busy] {
        assert!(run.ledger("sampler", "rested").is_empty());
        assert!(!run.text.contains("its budget is"), "{}", run.text);
    }
}

/// A process that is stopped in the middle of a question, as a suspended laptop's are, and goes on after its budget.
#[test]
fn a_stopped_process_loses_no_policy() {
    let dir = Dir::new();
    dir.write("slow.rhai", &slow(12));
    let mut run = dir.start(&[ARGS, &["14"]].concat());
    run.until("asked at 12");
    let signal = |name: &str| {
        let pid = run.pid().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    signal("-STOP");
    // This is the time in which it stands, not one in which something is waited for.
    std::thread::sleep(Duration::from_millis(2_500));
    signal("-CONT");
    let (run, code) = run.end();
    assert_eq!(code, Some(0), "{}", run.text);
    assert!(run.ledger("sampler", "rested").is_empty());
}
