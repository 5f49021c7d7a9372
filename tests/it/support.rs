//! A run as a user starts it: files in a folder of its own, the program from outside, its lines one by one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use sandbox::data::{self, Images, Source};
use serde_json::Value;
use tempfile::TempDir;

/// Lines after which a test no longer waits for another.
const PATIENCE: usize = 10_000;

/// Images of the small training and evaluation splits.
const TRAIN: usize = 512;
const EVAL: usize = 128;

/// A working folder with a small part of the embedded images as IDX files and a configuration that trains on them.
pub(crate) struct Dir(TempDir);

impl Dir {
    /// A folder with data and `tiny.yaml`.
    pub(crate) fn new() -> Self {
        let dir = Self::empty();
        let splits = data::open(&Source::Embedded).unwrap();
        dir.idx("train", &splits.train, TRAIN);
        dir.idx("t10k", &splits.eval, EVAL);
        dir.write("tiny.yaml", TINY);
        dir
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Copies a shipped script to `scripts/` of this folder and returns its text.
    pub(crate) fn copy_script(&self, path: &str) -> String {
        let text = fs::read_to_string(repo().join("scripts").join(path)).unwrap();
        self.write(&format!("scripts/{path}"), &text);
        text
    }

    fn idx(&self, prefix: &str, images: &Images, count: usize) {
        let [_, h, w] = images.shape().unwrap();
        let mut pixels = header(3, &[count as u32, h as u32, w as u32]);
        let mut labels = header(1, &[count as u32]);
        for id in 0..count {
            pixels.extend_from_slice(&images.image(id as i64));
            labels.push(images.labels().unwrap()[id] as u8);
        }
        self.gzip(&format!("{prefix}-images-idx3-ubyte.gz"), &pixels);
        self.gzip(&format!("{prefix}-labels-idx1-ubyte.gz"), &labels);
    }

    fn gzip(&self, name: &str, bytes: &[u8]) {
        let mut file = GzEncoder::new(
            fs::File::create(self.file(name)).unwrap(),
            Compression::fast(),
        );
        file.write_all(bytes).unwrap();
        file.finish().unwrap();
    }

    /// The program with this folder as its working directory.
    pub(crate) fn sandbox(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
        command
            .args(args)
            .current_dir(self.path())
            // Many runs at once on few cores: threads of libtorch would only wait for each other.
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.sandbox(args).output().unwrap()
    }

    /// Trains to the end, on the small data unless the arguments name a configuration, and returns the run.
    pub(crate) fn train(&self, args: &[&str]) -> Finished {
        let config: &[&str] = if args.contains(&"--config") {
            &[]
        } else {
            &["--config", "tiny.yaml"]
        };
        let output = self.output(&[&["run", "--plain"], config, args].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        Finished {
            folder: self.newest_run(),
            text,
        }
    }

    /// Starts training on the small data; the run goes on until it is stopped.
    pub(crate) fn start(&self, args: &[&str]) -> Live {
        let mut live = self.live(&[&["run", "--plain", "--config", "tiny.yaml"], args].concat());
        live.until("step 10/");
        live.folder = self.newest_run();
        live
    }

    /// Goes on with a run; it goes on until it is stopped.
    pub(crate) fn resume(&self, run: &Finished, args: &[&str]) -> Live {
        let folder = run.folder.to_str().unwrap();
        let mut live = self.live(&[&["resume", folder, "--plain"], args].concat());
        live.folder.clone_from(&run.folder);
        live
    }

    /// Does to its end something that makes a new run of another one, and returns that with what was said.
    pub(crate) fn again(&self, args: &[&str]) -> (Finished, String) {
        let output = self.output(&[args, &["--plain"]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let folder = said.lines().find_map(|line| line.strip_prefix("run  "));
        let folder = self.file(folder.unwrap().split("  ").next().unwrap());
        (Finished { folder, text }, said)
    }

    /// Starts the program; it goes on until it is stopped.
    pub(crate) fn live(&self, args: &[&str]) -> Live {
        let mut command = self.sandbox(args);
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Live {
            child,
            lines,
            folder: PathBuf::new(),
            text: String::new(),
        }
    }

    pub(crate) fn newest_run(&self) -> PathBuf {
        let mut runs: Vec<_> = fs::read_dir(self.file("runs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        runs.sort();
        runs.pop().unwrap()
    }
}

fn header(dimensions: u8, sizes: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions];
    sizes
        .iter()
        .for_each(|size| bytes.extend_from_slice(&size.to_be_bytes()));
    bytes
}

/// The repository's root.
pub(crate) fn repo() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A run that goes on.
pub(crate) struct Live {
    child: Child,
    lines: BufReader<ChildStderr>,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What it has said so far.
    pub(crate) text: String,
}

impl Live {
    /// Reads what the run says up to the line that contains `wanted`, and returns that line. A run that has done tens of
    /// thousands of steps without saying it never will.
    pub(crate) fn until(&mut self, wanted: &str) -> String {
        for _ in 0..PATIENCE {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(
                read > 0,
                "the run ended without saying '{wanted}':\n{}",
                self.text
            );
            self.text.push_str(&line);
            if line.contains(wanted) {
                return line;
            }
        }
        panic!("the run goes on without saying '{wanted}':\n{}", self.text);
    }

    /// What the run holds in memory, in KiB.
    pub(crate) fn memory_kib(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let words = line.unwrap().split_whitespace().next();
        words.unwrap().parse().unwrap()
    }

    /// Reads until `count` more lines of metrics have been reported.
    pub(crate) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.until("loss");
        }
    }

    /// Asks the process to stop.
    pub(crate) fn ask_to_stop(&self) {
        let sent = Command::new("kill")
            .args(["-s", "TERM", &self.pid().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads what is still said and waits for the end; returns what the run left, and its exit code.
    pub(crate) fn end(mut self) -> (Finished, Option<i32>) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        self.text.push_str(&rest);
        let status = self.child.wait().unwrap();
        let run = Finished {
            folder: std::mem::take(&mut self.folder),
            text: std::mem::take(&mut self.text),
        };
        (run, status.code())
    }

    /// Ends the process and returns what it left.
    pub(crate) fn stop(mut self) -> Finished {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Finished {
            folder: std::mem::take(&mut self.folder),
            text: std::mem::take(&mut self.text),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run left.
pub(crate) struct Finished {
    pub(crate) folder: PathBuf,
    pub(crate) text: String,
}

impl Finished {
    /// The lines of a JSON-lines file; a last torn line is left out.
    pub(crate) fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join(name)).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Step and bits of each logged loss.
    pub(crate) fn losses(&self) -> Vec<(u64, u64)> {
        self.lines("metrics.jsonl")
            .iter()
            .filter_map(|line| {
                Some((
                    line["step"].as_u64()?,
                    line["loss/total"].as_f64()?.to_bits(),
                ))
            })
            .collect()
    }

    /// The digests by their steps; of two lines with one step the later one.
    pub(crate) fn digests(&self) -> BTreeMap<u64, Value> {
        let lines = self.lines("digests.jsonl");
        let keyed = lines
            .into_iter()
            .map(|line| (line["step"].as_u64().unwrap(), line));
        keyed.collect()
    }

    /// Asserts that each step computed what the other run's did, bit for bit, as far as both go.
    #[track_caller]
    pub(crate) fn assert_same_bits(&self, other: &Finished) {
        let (mine, others) = (self.digests(), other.digests());
        let common: Vec<_> = mine
            .keys()
            .filter(|step| others.contains_key(step))
            .collect();
        assert!(common.len() > 2, "too few steps to compare: {common:?}");
        for step in common {
            assert_eq!(mine[step], others[step], "up to step {step}");
        }
    }

    /// The same for a run that went on from another one's checkpoint of `step`.
    #[track_caller]
    pub(crate) fn assert_same_bits_from(&self, parent: &Finished, step: u64) {
        let first = self.digests().keys().next().copied();
        assert!(first > Some(step), "it did steps before {step}: {first:?}");
        let (mine, others) = (self.digests(), parent.digests());
        assert!(!mine.is_empty());
        for (step, digest) in &mine {
            assert_eq!(digest, &others[step], "up to step {step}");
        }
    }

    /// The ledger's lines about a slot with one of these events.
    pub(crate) fn ledger(&self, slot: &str, event: &str) -> Vec<Value> {
        let lines = self.lines("swaps.jsonl");
        lines
            .into_iter()
            .filter(|line| line["slot"] == slot && line["event"] == event)
            .collect()
    }

    /// Asserts that the losses equal those of another run as far as both go.
    pub(crate) fn assert_same_losses(&self, other: &Finished) {
        let (mine, others) = (self.losses(), other.losses());
        let common = mine.len().min(others.len());
        assert!(
            common > 2,
            "too few lines to compare: {} and {}",
            mine.len(),
            others.len()
        );
        assert_eq!(mine[..common], others[..common]);
    }
}

/// A run of a few milliseconds a step that never ends by itself while a test looks at it.
const TINY: &str = "\
name: tiny
data: {source: idx, dir: .}
views: {size: 28, jitter: {prob: 0.0}, grey: 0.0, blur: {prob: 0.0}}
model: {encoder: small, width: 8, hidden: 16, dim: 16}
method: {queue: 128}
labels: {clusters: 8, min_cluster: 4}
sampler: {pool: 64, negatives: 16}
optim: {lr: 0.05}
train: {epochs: 1000000, batch: 16}
eval: {every: 0}
log: {every: 5}
checkpoint: {every: 0}
";
