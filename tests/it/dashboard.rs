//! The dashboard from outside, on a terminal that script(1) makes: it comes, takes keys, and gives the terminal back.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::support::Dir;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Bytes after which a test no longer waits for others: a run that draws for ever is one that does not hear.
const PATIENCE: usize = 50_000_000;

/// A run on a terminal of its own.
struct OnTerminal {
    script: Child,
    keys: ChildStdin,
    output: ChildStdout,
    /// All that was written.
    seen: String,
    /// What a person sees of it: the dashboard writes only what changes.
    screen: vt100::Parser,
}

impl OnTerminal {
    /// Starts `sandbox run` on the small data on a terminal of that size; after it the shell says the terminal's modes.
    fn start(dir: &Dir, size: (u16, u16), args: &str) -> Self {
        let (columns, rows) = size;
        let side = |cells| NonZero::new(cells).unwrap();
        let program = env!("CARGO_BIN_EXE_sandbox");
        let line = format!(
            "stty cols {columns} rows {rows}; before=$(stty -g); '{program}' run --config tiny.yaml {args}; code=$?; \
             test \"$before\" = \"$(stty -g)\" && echo sane $code"
        );
        let mut script = std::process::Command::new("script")
            .args(["--quiet", "--command", &line, "/dev/null"])
            .current_dir(dir.path())
            .envs([
                ("OMP_NUM_THREADS", "1"),
                ("TERM", "xterm"),
                ("LC_ALL", "C.UTF-8"),
                ("SHELL", "/bin/sh"),
            ])
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests of the dashboard need script(1), of util-linux");
        Self {
            keys: script.stdin.take().unwrap(),
            output: script.stdout.take().unwrap(),
            script,
            seen: String::new(),
            screen: vt100::Parser::new(side(rows), side(columns), 0),
        }
    }

    /// Reads until `wanted` was written.
    #[track_caller]
    fn until(&mut self, wanted: &str) {
        self.read_until(wanted, |run| run.seen.contains(wanted));
    }

    /// Reads until `wanted` stands on the screen.
    #[track_caller]
    fn until_shown(&mut self, wanted: &str) {
        self.read_until(wanted, |run| {
            run.screen.screen().contents().contains(wanted)
        });
    }

    #[track_caller]
    fn read_until(&mut self, wanted: &str, there: impl Fn(&Self) -> bool) {
        let mut bytes = [0; 4096];
        let mut kept = Vec::new();
        while !there(self) {
            let count = self.output.read(&mut bytes).unwrap();
            let shown = self.screen.screen().contents();
            assert!(count > 0, "it ended without '{wanted}':\n{shown}");
            assert!(self.seen.len() < PATIENCE, "no '{wanted}':\n{shown}");
            self.screen.process(&bytes[..count]);
            kept.extend_from_slice(&bytes[..count]);
            let valid = match std::str::from_utf8(&kept) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let rest = kept.split_off(valid);
            self.seen.push_str(&String::from_utf8(kept).unwrap());
            kept = rest;
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until the terminal is as it was before, and returns everything that was written.
    #[track_caller]
    fn end(mut self, code: i32) -> String {
        self.until(&format!("sane {code}"));
        std::mem::take(&mut self.seen)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// What stands on the main screen after the dashboard has gone.
#[track_caller]
fn after(seen: &str) -> &str {
    assert_eq!(seen.matches(ENTER).count(), 1, "{seen}");
    let (_, after) = seen.split_once(LEAVE).expect("it left the other screen");
    assert!(after.contains(SHOW_CURSOR), "{after}");
    after
}

#[test]
fn keys_pause_save_and_stop_and_the_terminal_is_given_back() {
    let dir = Dir::new();
    let mut run = OnTerminal::start(&dir, (100, 30), "");
    run.until(ENTER);
    run.until_shown("sampler");
    run.press("p");
    run.until_shown("PAUSED");
    run.press("c");
    run.until_shown("saved runs/");
    run.press("rs");
    // The first generation has none before it, and the run says so.
    run.until_shown("roll back refused");
    run.press("q");
    let seen = run.end(0);
    let after = after(&seen);
    assert!(after.contains("sandbox resume runs/"), "{after}");
    assert!(after.contains("stopped after step"), "{after}");
}

#[test]
fn ctrl_c_is_a_key_and_a_second_one_leaves_at_once() {
    let dir = Dir::new();
    let mut run = OnTerminal::start(&dir, (100, 30), "");
    run.until(ENTER);
    run.until_shown("messages");
    run.press("\x03\x03");
    // The first one may have ended the run before the second one came.
    run.until("sane ");
    assert!(
        run.seen.contains("sane 130") || run.seen.contains("sane 0"),
        "{}",
        run.seen
    );
    after(&run.seen);
}

#[test]
fn a_run_that_fails_gives_the_terminal_back_and_says_why() {
    let dir = Dir::new();
    let mut run = OnTerminal::start(
        &dir,
        (100, 30),
        "--set optim.lr=1e30 --set log.every=1 --set optim.warmup_epochs=0",
    );
    run.until(ENTER);
    let seen = run.end(1);
    let after = after(&seen);
    assert!(
        after.contains("the run has diverged, and was ended"),
        "{after}"
    );
    assert!(
        after.contains("the gradient is not finite"),
        "warnings stay: {after}"
    );
}

#[test]
fn small_terminals_and_whoever_asks_for_it_get_none() {
    let dir = Dir::new();
    for (size, args) in [
        ((99, 30), ""),
        ((100, 29), ""),
        ((100, 30), "--plain"),
        ((100, 30), "--no-tui"),
    ] {
        let run = OnTerminal::start(&dir, size, &format!("--steps 10 {args}"));
        let seen = run.end(0);
        assert!(!seen.contains(ENTER), "{size:?} {args}: {seen}");
        assert!(seen.contains("step 10/10"), "{size:?} {args}: {seen}");
    }
    let run = OnTerminal::start(&dir, (40, 10), "--steps 10 --tui");
    let seen = run.end(0);
    assert!(after(&seen).contains("step 10/10"), "{seen}");
}

#[test]
fn a_dashboard_in_a_pipe_is_refused() {
    let dir = Dir::new();
    let output = dir.output(&["run", "--config", "tiny.yaml", "--tui"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("--tui needs a terminal"), "{text}");
    let output = dir.output(&["run", "--tui", "--plain"]);
    assert_eq!(output.status.code(), Some(2));
}
