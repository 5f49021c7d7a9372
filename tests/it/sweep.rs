//! Sweeps from outside: four jobs, a failing one, a killed one that goes on, a typo, a script edited meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{Dir, Finished};

/// What a sweep of seconds is asked beside its keys.
const TINY: [&str; 4] = ["run", "--config", "tiny.yaml", "-m"];

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// The only sweep in a folder.
fn sweep(dir: &Dir) -> PathBuf {
    let mut found: Vec<_> = fs::read_dir(dir.file("runs")).unwrap().collect();
    assert_eq!(found.len(), 1);
    found.pop().unwrap().unwrap().path()
}

fn summary(sweep: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(sweep.join("summary.json")).unwrap()).unwrap()
}

/// The folder of the job at that place.
fn job(sweep: &Path, index: usize) -> PathBuf {
    sweep.join(summary(sweep)["jobs"][index]["folder"].as_str().unwrap())
}

/// The run of a job.
fn run(sweep: &Path, index: usize) -> Finished {
    let run = summary(sweep)["jobs"][index]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    Finished {
        folder: sweep.join(run),
        text: String::new(),
    }
}

fn states(sweep: &Path) -> Vec<String> {
    let jobs = summary(sweep)["jobs"].as_array().unwrap().clone();
    jobs.iter()
        .map(|job| job["status"].as_str().unwrap().to_owned())
        .collect()
}

/// Every file below a folder with the time of its last change.
fn times(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut times = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            times.extend(self::times(&path));
        }
        times.insert(
            path.clone(),
            fs::metadata(&path).unwrap().modified().unwrap(),
        );
    }
    times
}

/// A sweep that goes on, killed when it is dropped.
struct Live {
    child: Child,
    lines: BufReader<ChildStderr>,
    text: String,
}

impl Live {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            lines,
            text: String::new(),
        }
    }

    fn until(&mut self, wanted: &str) {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(
                read > 0,
                "the sweep ended without saying '{wanted}':\n{}",
                self.text
            );
            self.text.push_str(&line);
            if line.contains(wanted) {
                return;
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again, for a minute at most, until something holds.
fn wait_for(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited a minute for {what}");
}

/// The processes whose command line names a folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(folder) {
            found.push(words);
        }
    }
    found
}

#[test]
fn four_jobs_have_a_table_and_are_those_that_one_would_start_by_hand() {
    let dir = Dir::new();
    let keys = [
        "sampler=random,hard",
        "seed=3,4",
        "--steps",
        "20",
        "--name",
        "four",
    ];
    let output = dir.output(&[&TINY[..], &keys].concat());
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "compiles, rehearses and freezes 4 jobs before the first one starts",
        "4 of 4 jobs to run",
        "[1/4] sampler=random seed=3 starts",
        "[2/4] sampler=random seed=4 done: kNN ",
        "; 2 left, about ",
        "| sampler=hard   | 2/2  |",
    ] {
        assert!(said.contains(words), "expected '{words}' in\n{said}");
    }
    let sweep = sweep(&dir);
    assert!(sweep.to_str().unwrap().ends_with("-four"));
    assert_eq!(states(&sweep), ["done"; 4]);

    assert_statistics(&sweep);
    assert_as_by_hand(&dir, &sweep);
    assert_plots(&dir, &sweep);
    assert_listed(&dir, &sweep);
    assert_looked_at(&dir, &sweep);
    assert_refused(&dir);
    assert_judged(&dir, &sweep);
}

/// The summary's numbers are those of the four runs, two a variant.
fn assert_statistics(sweep: &Path) {
    let knn = |index: usize| {
        let eval = fs::read_to_string(run(sweep, index).folder.join("eval.json")).unwrap();
        let eval: Value = serde_json::from_str(&eval).unwrap();
        eval["knn"]["top1"].as_f64().unwrap()
    };
    let summary = summary(sweep);
    for at in 0..2 {
        let pair = [knn(2 * at), knn(2 * at + 1)];
        let spread = &summary["variants"][at]["metrics"]["eval/knn_top1"];
        for (name, expected) in [
            ("mean", (pair[0] + pair[1]) / 2.0),
            ("std", (pair[0] - pair[1]).abs() / 2f64.sqrt()),
            ("n", 2.0),
        ] {
            let found = spread[name].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-9,
                "{name} of {pair:?}: {found}"
            );
        }
    }
    let last = &summary["jobs"][3];
    assert_eq!(last["overrides"], json!({"sampler": "hard", "seed": 4}));
    assert_eq!(last["step"], 20);
}

/// The parameters that the configuration meant for another sampler are dropped, as for --script.
fn assert_as_by_hand(dir: &Dir, sweep: &Path) {
    let hard = ["--script", "samplers/hard.rhai", "--seed", "4"];
    let by_hand = dir.train(&[&hard[..], &["--steps", "20", "--name", "z"]].concat());
    let swept = run(sweep, 3);
    swept.assert_same_losses(&by_hand);
    let [swept, single] = [swept, by_hand].map(|run| run.ledger("sampler", "started")[0].clone());
    for key in ["policy", "params", "hash"] {
        assert_eq!(swept[key], single[key], "{key}");
        assert!(!swept[key].is_null(), "{key}");
    }
}

/// The plots are there, and come again from the files alone.
fn assert_plots(dir: &Dir, sweep: &Path) {
    for file in ["eval-knn_top1", "eval-knn_top5", "loss-total"] {
        let png = image::open(sweep.join(format!("plots/{file}.png"))).unwrap();
        assert!(png.width() > 1000);
        fs::remove_file(sweep.join(format!("plots/{file}.svg"))).unwrap();
    }
    let output = dir.output(&["plot", sweep.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    let svg = fs::read_to_string(sweep.join("plots/loss-total.svg")).unwrap();
    assert!(svg.contains("sampler=hard") && svg.contains("n = 2"));
    let output = dir.output(&["plot", sweep.to_str().unwrap(), "--metric", "train/lrr"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output);
    assert!(said.contains("did you mean 'train/lr'?"), "{said}");
}

/// What a verb prints that succeeds.
fn said(dir: &Dir, args: &[&str]) -> String {
    let output = dir.output(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What a verb says that refuses its input.
fn refused(dir: &Dir, args: &[&str]) -> String {
    let output = dir.output(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
    String::from_utf8(output.stderr).unwrap()
}

/// A sweep's runs are listed as what they are: by variant, job, sweep and policies.
fn assert_listed(dir: &Dir, sweep: &Path) {
    let id = sweep.file_name().unwrap().to_str().unwrap();
    let listed = said(dir, &["ls", "four"]);
    assert_eq!(listed.lines().count(), 5, "{listed}");
    let whats = [
        "random,seed=3",
        "random,seed=4",
        "hard,seed=3",
        "hard,seed=4",
    ];
    for (at, what) in whats.iter().enumerate() {
        let name = format!("-tiny-sampler={what} ");
        let line = listed.lines().find(|line| line.contains(&name));
        let line = line.unwrap_or_else(|| panic!("no {what} in\n{listed}"));
        let job = format!("job {at:03}-sampler={what} of {id}");
        assert!(line.contains(&job) && line.contains(" finished "), "{line}");
        let policy = what.split(',').next().unwrap();
        let policies = format!(" online {policy} cosine_margin ");
        assert!(line.contains(&policies), "{line}");
    }
}

/// Every verb that looks at runs takes the sweep and its jobs, by parts of their names.
fn assert_looked_at(dir: &Dir, sweep: &Path) {
    let shown = said(dir, &["show", "four"]);
    for part in [
        "sweep, 4 of 4 jobs are done",
        "| sampler=hard   | 2/2  |",
        "jobs/003-sampler=hard,seed=4",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(said(dir, &["show", "hard,seed=4"]).contains("sampler   hard gen 1"));
    let job = sweep.join("jobs/002-sampler=hard,seed=3");
    assert!(said(dir, &["show", job.to_str().unwrap()]).contains("seed 3\n"));
    let page = said(dir, &["report", "four"]);
    let page = fs::read_to_string(dir.file(page.trim())).unwrap();
    assert!(page.contains("4 of 4 jobs are done") && page.contains("data:image/svg+xml,"));
    let best = said(dir, &["best", "eval/knn_top1", "four", "--json"]);
    assert_eq!(best.lines().count(), 4);
    let compared = said(dir, &["compare", "four"]);
    for part in ["\nD  ", "   seed ", "A and C part at step"] {
        assert!(compared.contains(part), "{part} in\n{compared}");
    }
}

fn assert_refused(dir: &Dir) {
    let error = refused(dir, &["compare", "hard,seed=4"]);
    assert!(
        error.contains("expected two runs or more, found"),
        "{error}"
    );
    for verb in ["resume", "export", "fork"] {
        let error = refused(dir, &[verb, "four"]);
        let expected = "is a sweep, expected a run: name one of its runs";
        assert!(error.contains(expected), "{error}");
    }
    let error = refused(dir, &["plot", "hard,seed=4"]);
    assert!(error.contains("is a run, expected a sweep"), "{error}");
}

/// All runs are judged, each is said, and the sweep's table is one of what came out.
fn assert_judged(dir: &Dir, sweep: &Path) {
    let output = dir.output(&["eval", "four", "retrieval"]);
    assert!(output.status.success(), "{}", text(&output));
    let progress = String::from_utf8_lossy(&output.stderr);
    let expected = "job 4 of 4, sampler=hard seed=4\n[1/1] retrieval ...\n";
    assert!(progress.contains(expected), "{progress}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("| sampler=hard   | 2/2  |"), "{table}");
    let metrics = &summary(sweep)["variants"][1]["metrics"];
    let mut names = metrics.as_object().unwrap().keys();
    assert!(names.any(|name| name.contains("retrieval")), "{metrics}");
}

#[test]
fn a_failing_job_is_recorded_the_others_go_on_and_only_it_is_tried_again() {
    let dir = Dir::new();
    // What only the images tell: 600 of 512 make no batch.
    let keys = ["train.batch=600,16", "--steps", "10", "--jobs", "2"];
    let output = dir.output(&[&TINY[..], &keys].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("1 of 2 jobs failed"),
        "{}",
        text(&output)
    );
    let sweep = sweep(&dir);
    assert_eq!(states(&sweep), ["failed", "done"]);
    let failed = fs::read_to_string(job(&sweep, 0).join("failed.txt")).unwrap();
    assert!(
        failed.starts_with("exit code 2\n") && failed.contains("600"),
        "{failed}"
    );
    let markdown = fs::read_to_string(sweep.join("summary.md")).unwrap();
    assert!(
        markdown.contains("- train.batch=600: exit code 2"),
        "{markdown}"
    );

    let before = times(&job(&sweep, 1));
    let output = dir.output(&["run", "--resume", sweep.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("1 of 2 jobs to run, 2 at a time"),
        "{}",
        text(&output)
    );
    assert_eq!(times(&job(&sweep, 1)), before);
    assert_eq!(
        fs::read_to_string(job(&sweep, 0).join("cut/1/failed.txt")).unwrap(),
        failed
    );
    assert!(job(&sweep, 0).join("failed.txt").is_file());
}

#[test]
fn a_killed_sweep_leaves_no_process_and_goes_on_where_it_stood() {
    let dir = Dir::new();
    let keys = ["seed=0,1,2", "--steps", "300"];
    let mut live = Live::start(dir.sandbox(&[&TINY[..], &keys].concat()));
    live.until("seed=1 starts");
    let sweep = sweep(&dir);
    let metrics = || {
        let runs = fs::read_dir(job(&sweep, 1)).unwrap().filter_map(Result::ok);
        let files = runs.map(|entry| entry.path().join("metrics.jsonl"));
        files
            .into_iter()
            .any(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0))
    };
    wait_for("the second job's first metrics", metrics);
    let resume = ["run", "--resume", sweep.to_str().unwrap()];
    let output = dir.output(&resume);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("is being run by another process"),
        "{}",
        text(&output)
    );

    assert!(
        !processes_of(dir.path()).is_empty(),
        "the search finds what runs"
    );
    live.child.kill().unwrap();
    live.child.wait().unwrap();
    wait_for("the end of the job's process", || {
        processes_of(dir.path()).is_empty()
    });
    assert_eq!(
        states(&sweep),
        ["done", "waiting", "waiting"],
        "the summary of the last end"
    );

    let before = times(&job(&sweep, 0));
    let output = dir.output(&resume);
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("2 of 3 jobs to run"),
        "{}",
        text(&output)
    );
    assert_eq!(times(&job(&sweep, 0)), before);
    assert_eq!(states(&sweep), ["done"; 3]);
    assert_eq!(
        summary(&sweep)["variants"][0]["metrics"]["eval/knn_top1"]["n"],
        3
    );
    assert_eq!(run(&sweep, 1).losses().len(), 60);
    let cut: Vec<_> = fs::read_dir(job(&sweep, 1).join("cut/1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(
        cut.iter().any(|path| path.join("run.json").is_file()),
        "{cut:?}"
    );
    assert!(!job(&sweep, 2).join("cut").exists());
}

/// What follows -m, and what the message must say.
const WRONG_KEYS: &[(&[&str], &str)] = &[
    (
        &["sampler=random,hrad"],
        "job 2 of 2 (sampler=hrad) cannot run, so none was started: no script 'samplers/hrad.rhai'",
    ),
    (
        &["seed=0,1", "optim.lr=0.1,fast"],
        "job 2 of 4 (seed=0 optim.lr=fast)",
    ),
    (
        &["sampler=semi_hard,hard", "sampler.pool=0.1,0.2"],
        "job 3 of 4 (sampler=hard sampler.pool=0.1)",
    ),
    (&["sampler=random,broken.rhai"], "broken.rhai:3:20"),
    (
        &["sampler=labels/online.rhai"],
        "'labels/online.rhai' is no script for slot sampler",
    ),
    (
        &["data.dir=.,nowhere"],
        "job 2 of 2 (data.dir=nowhere) cannot run, so none was started: 'nowhere/train-images-idx3-ubyte': expected this file, found no such folder",
    ),
    (&["seed=0,0"], "seed: '0' stands twice"),
    (
        &["optim.lr=1,2", "--set", "optim.lr=3"],
        "'optim.lr' is varied by the sweep and set for all its jobs",
    ),
    (&[], "nothing to vary"),
];

/// Whole command lines, and what the message must say.
const WRONG_LINES: &[(&[&str], &str)] = &[
    (&["run", "--config", "typo.yaml"], "did you mean 'lr'?"),
    (
        &["run", "--config", "form.yaml"],
        "form.yaml: seed: expected [V1, V2], found '3'",
    ),
    (
        &["run", "--config", "place.yaml"],
        "place.yaml:3:3: optim: unknown field 'momentun'",
    ),
    (&["run", "--jobs", "2"], "--jobs is for a sweep"),
    (&["run", "--resume", "."], "'.' is no sweep"),
    (&["run", "seed=1,2"], "-m seed=1,2 for a sweep?"),
    (&["plot", "."], "'.' is no sweep"),
];

#[test]
fn a_typo_in_the_last_job_is_told_before_the_first_one_starts() {
    let dir = Dir::new();
    dir.write("typo.yaml", "sweep: {optim.lrr: [1, 2]}\n");
    dir.write("form.yaml", "name: form\nsweep: {seed: 3}\n");
    dir.write(
        "place.yaml",
        "sweep: {seed: [3]}\noptim:\n  momentun: 0.9\n",
    );
    dir.write(
        "broken.rhai",
        "//! slot: sampler\nfn decide(ctx) {\n    ctx.similarity.topkk(3)\n}\n",
    );
    let keys = WRONG_KEYS
        .iter()
        .map(|(keys, said)| ([&TINY, *keys].concat(), *said));
    let lines = WRONG_LINES
        .iter()
        .map(|(args, said)| (args.to_vec(), *said));
    for (args, said) in keys.chain(lines) {
        let output = dir.output(&args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(
            text.contains(said),
            "{args:?}: expected '{said}' in\n{text}"
        );
        assert!(!dir.file("runs").exists(), "{args:?} left something behind");
    }
}

#[test]
fn a_script_edited_during_a_sweep_changes_none_of_its_jobs() {
    let dir = Dir::new();
    let text = dir.copy_script("samplers/random.rhai");
    let tiny = fs::read_to_string(dir.file("tiny.yaml")).unwrap();
    let sweep_of = "sweep:\n  variants:\n    mine: {sampler: random, sampler.negatives: 9, train.steps: 60}\n  seed: [0, 1]\n";
    dir.write("studies/study.yaml", &format!("{sweep_of}{tiny}"));
    let mut live = Live::start(dir.sandbox(&["run", "--config", "studies/study.yaml"]));
    live.until("mine seed=0 starts");
    dir.write(
        "scripts/samplers/random.rhai",
        "//! slot: sampler\nfn decide(ctx) { nonsense }\n",
    );
    dir.write("studies/study.yaml", "nonsense: 3\n");
    live.until("mine seed=1 done");
    assert!(live.child.wait().unwrap().success(), "{}", live.text);
    let sweep = sweep(&dir);
    assert!(sweep.to_str().unwrap().ends_with("-tiny-sweep"));
    for index in 0..2 {
        let run = run(&sweep, index);
        let started = &run.ledger("sampler", "started")[0];
        assert_eq!(started["params"]["negatives"], json!(9));
        let mut kept = fs::read_dir(run.folder.join("policies")).unwrap();
        let same = |path: PathBuf| fs::read_to_string(path).unwrap() == text;
        assert!(kept.any(|entry| same(entry.unwrap().path())));
        assert!(run.ledger("sampler", "live").is_empty());
        assert_eq!(run.losses().len(), 12);
    }
}

/// The jobs that run save everything and end, no other begins, and they go on from there with the bits of jobs that were not stopped.
#[test]
fn a_sweep_that_is_asked_to_stop_goes_on_where_its_jobs_were() {
    let (dir, other) = (Dir::new(), Dir::new());
    let whole = other.train(&["--steps", "300", "--seed", "0"]);
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--steps",
        "300",
        "-m",
        "seed=0,1",
    ];
    let mut child = dir
        .sandbox(&args)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.contains("[1/2] seed=0 starts")));
    let sweep = sweep(&dir);
    let output = job(&sweep, 0).join("output.txt");
    while !fs::read_to_string(&output)
        .unwrap_or_default()
        .contains("step 20/")
    {
        thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let rest: Vec<_> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let said = rest.join("\n");
    assert!(
        said.contains("[1/2] seed=0 stopped, everything is saved"),
        "{said}"
    );
    assert!(
        said.contains("stopped, 2 of 2 jobs are not done") && !said.contains("[2/2] seed=1 starts"),
        "{said}"
    );
    assert_eq!(states(&sweep), ["begun", "waiting"]);

    let resumed = dir.output(&["run", "--resume", sweep.to_str().unwrap()]);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed));
    assert_eq!(states(&sweep), ["done", "done"]);
    assert!(
        !job(&sweep, 0).join("cut").exists(),
        "nothing was begun anew"
    );
    assert!(
        fs::read_to_string(&output)
            .unwrap()
            .contains("goes on from step")
    );
    run(&sweep, 0).assert_same_bits(&whole);
}

/// Rows that cannot be compared are told: the same run twice, another judgement, a job that a person has changed.
#[test]
fn a_table_says_which_of_its_rows_cannot_be_compared() {
    let dir = Dir::new();
    let args = [
        "run",
        "--config",
        "tiny.yaml",
        "--plain",
        "--steps",
        "20",
        "--name",
        "odd",
    ];
    let vary = [
        "--set",
        "eval.every=1",
        "-m",
        "optim.gamma=0.1,0.5",
        "seed=0,1",
    ];
    let output = dir.output(&[&args[..], &vary].concat());
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let same = "optim.gamma=0.1 seed=0 and optim.gamma=0.5 seed=0 are the same run to the last bit";
    assert!(
        table.contains(same),
        "{table}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let sweep = std::fs::read_dir(dir.file("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let sweep = sweep.to_str().unwrap();
    let summary = || std::fs::read_to_string(format!("{sweep}/summary.md")).unwrap();
    assert!(summary().contains(same), "{}", summary());
    let jobs = std::fs::read_dir(format!("{sweep}/jobs")).unwrap();
    let mut jobs: Vec<_> = jobs.map(|job| job.unwrap().path()).collect();
    jobs.sort();
    let [judged, longer] = [0, 3].map(|at| jobs[at].to_str().unwrap().to_owned());
    let eval = dir.output(&["eval", &judged, "knn", "--set", "eval.k=7"]);
    assert!(
        eval.status.success(),
        "{}",
        String::from_utf8_lossy(&eval.stderr)
    );
    let resumed = dir.output(&["resume", &longer, "--plain", "--set", "train.steps=25"]);
    assert!(
        resumed.status.success(),
        "{}",
        String::from_utf8_lossy(&resumed.stderr)
    );
    let shown = dir.output(&["show", sweep]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("their numbers cannot be compared"),
        "{shown}"
    );
    assert!(shown.contains("incomplete: changed by hand"), "{shown}");
}
