//! A disk that is full for a while: the run goes on, says so, and in the end nothing of its records is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::guard::Guard;
use crate::rounds::rounds;
use crate::support::{Dir, Live};

const RUN: &[&str] = &["--steps", "120", "--set", "checkpoint.every=20"];

/// What makes a disk full, and gives it room again.
trait Full {
    fn fill(&mut self, run: &Live);
    fn free(&mut self, run: &Live);
}

/// No file of the process grows, as under `ulimit -f`.
struct Limit;

impl Limit {
    fn of(run: &Live, bytes: Option<u64>) {
        let pid = Pid::from_raw(run.pid().try_into().unwrap());
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    }
}

impl Full for Limit {
    fn fill(&mut self, run: &Live) {
        Self::of(run, Some(0));
    }

    fn free(&mut self, run: &Live) {
        Self::of(run, None);
    }
}

/// A small disk of its own below a folder, where this may make one.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "none"]);
        let mounted = mount.arg(folder).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.to_owned()))
    }
}

impl Full for Disk {
    fn fill(&mut self, _: &Live) {
        // Until not a byte more is taken.
        let fill = fs::write(self.0.join("fill"), vec![0; 64 << 20]);
        assert!(fill.is_err());
    }

    fn free(&mut self, _: &Live) {
        fs::remove_file(self.0.join("fill")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Fills the disk under a run, lets it go on beyond a checkpoint, and gives it room.
fn survives(dir: &Dir, whole: &[(u64, u64)], full: &mut dyn Full) {
    let mut run = dir.start(RUN);
    let guard = Guard::of(run.pid());
    run.until("step 30/");
    full.fill(&run);
    run.until("metrics.jsonl': ");
    run.until("no checkpoint of step");
    run.until("step 70/");
    full.free(&run);
    run.until("metrics.jsonl' is written again: nothing of it is missing");
    let (run, code) = run.end();
    assert!(!guard.hung(), "{}", run.text);
    assert_eq!(code, Some(0), "{}", run.text);
    assert_eq!(run.losses(), whole, "{}", run.text);
    let text = fs::read_to_string(run.folder.join("metrics.jsonl")).unwrap();
    let torn = text
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_err());
    assert_eq!(torn.count(), 0, "{text}");
    assert_eq!(run.digests().len(), 12, "{}", run.text);
    assert!(
        run.folder
            .join("checkpoints/step-000000120/manifest.json")
            .is_file(),
        "{}",
        run.text
    );
    let names = fs::read_dir(run.folder.join("checkpoints")).unwrap();
    let torn = names.filter(|name| {
        name.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    });
    assert_eq!(torn.count(), 0);
    let json = fs::read_to_string(run.folder.join("run.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap()["status"],
        "finished"
    );
}

fn whole(dir: &Dir) -> Vec<(u64, u64)> {
    let losses = dir.train(RUN).losses();
    fs::remove_dir_all(dir.file("runs")).unwrap();
    losses
}

#[test]
fn under_a_limit_on_the_size_of_files_nothing_is_missing_in_the_end() {
    let dir = Dir::new();
    let whole = whole(&dir);
    rounds("limits", 1, |_, _| {
        survives(&dir, &whole, &mut Limit);
        fs::remove_dir_all(dir.file("runs")).unwrap();
    });
}

#[test]
fn on_a_disk_that_was_full_nothing_is_missing_in_the_end() {
    let dir = Dir::new();
    let whole = whole(&dir);
    rounds("full disks", 1, |_, _| {
        match Disk::mount(&dir.file("runs")) {
            Some(mut disk) => survives(&dir, &whole, &mut disk),
            None => eprintln!("full disks: not tried, no file system can be mounted here"),
        }
    });
}
