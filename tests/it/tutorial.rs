//! `examples/README.md`, followed line by line: the document is the script.
//!
//! - A fenced block without a language is a terminal. `$ COMMAND` is typed into a shell and runs to its end; `run$ COMMAND` starts a
//!   run that goes on beside what follows. `^C` interrupts that run. A command below which a line begins with `error:` ends with
//!   exit code 2, every other with 0.
//! - The lines below a command are what it says, in this order, with others between them. Lines below `run$`, below `^C` and in a block
//!   without a prompt are what the run says: each is waited for.
//! - Of a line the first five words count, digits, hashes and units of size masked. `...` stands for what is left out.
//! - A block of YAML is saved under the name in the line before it; a block of `diff` changes the file that its first line names.
//! - To each `sandbox run` the test adds [`SMALL`]: less data and a smaller encoder. Nothing else is changed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::{Dir, repo};

/// What makes a run small: 32 steps of a few milliseconds an epoch, as many as the document's has, and all checkpoints kept, since it
/// does more of them while the document is followed.
const SMALL: &str = " --set data.source=idx --set data.dir=. --set train.batch=16 --set model.width=8 --set model.hidden=16 \
     --set method.queue=128 --set labels.clusters=8 --set labels.min_cluster=4 --set views.jitter.prob=0 \
     --set train.epochs=100000 --set checkpoint.keep=100000";

/// Words of a line that count.
const WORDS: usize = 5;

/// Lines after which a run is not waited for: some minute of it, and far more than a pipe holds of what was said before.
const PATIENCE: usize = 2_000;

/// A fenced block, with the line of prose before it.
struct Block<'a> {
    before: &'a str,
    language: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        match line.strip_prefix("```") {
            Some(language) => blocks.push(Block {
                before,
                language,
                lines: lines.by_ref().take_while(|line| *line != "```").collect(),
            }),
            None if line.is_empty() => {}
            None => before = line,
        }
    }
    blocks
}

/// A line with `#` for each number, hash and unit of size, as far as it counts.
fn masked(line: &str) -> String {
    let words = line.split_whitespace().take(WORDS).map(masked_word);
    words.collect::<Vec<_>>().join(" ")
}

fn masked_word(word: &str) -> String {
    if ["B", "kB", "MB", "GB"].contains(&word) {
        return "#".into();
    }
    let mut text = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let run = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let (hash, digits) = (run(|c| c.is_ascii_hexdigit()), run(|c| c.is_ascii_digit()));
        let taken = if hash >= 8 { hash } else { digits };
        match taken {
            0 => text.push(first),
            _ => text.push('#'),
        }
        rest = &rest[taken.max(first.len_utf8() * usize::from(taken == 0))..];
    }
    // Decimals, dates and signs.
    for (parts, whole) in [("#.#", "#"), ("#-#", "#")] {
        while text.contains(parts) {
            text = text.replace(parts, whole);
        }
    }
    match text.trim_start_matches(['+', '-']) {
        number if number.starts_with('#') => number.to_owned(),
        _ => text,
    }
}

/// The run that goes on.
struct Beside {
    child: Child,
    lines: BufReader<ChildStdout>,
    said: String,
}

impl Beside {
    /// Reads up to a line that is the document's, masked.
    fn until(&mut self, wanted: &str) {
        for _ in 0..PATIENCE {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(
                read > 0,
                "the run ended without saying '{wanted}':\n{}",
                self.said
            );
            self.said.push_str(&line);
            if masked(&line) == masked(wanted) {
                return;
            }
        }
        panic!("the run goes on without saying '{wanted}':\n{}", self.said);
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end of a run that was told to end.
    fn end(mut self) {
        self.lines.read_to_string(&mut self.said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", self.said);
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who follows the document.
struct Reader {
    dir: Dir,
    run: Option<Beside>,
}

impl Reader {
    fn new() -> Self {
        let dir = Dir::new();
        fs::create_dir(dir.file("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_sandbox"), dir.file("bin/sandbox")).unwrap();
        Self { dir, run: None }
    }

    fn follow(&mut self, block: &Block<'_>) {
        match block.language {
            "yaml" => self.save(block),
            "diff" => self.change(block),
            "" => self.terminal(&block.lines),
            other => panic!("nobody says what to do with a block of '{other}'"),
        }
    }

    fn save(&self, block: &Block<'_>) {
        let name = block.before.rsplit('`').nth(1).unwrap();
        self.dir.write(name, &(block.lines.join("\n") + "\n"));
    }

    /// Puts each line with `+` in the place of the one with `-` before it.
    fn change(&self, block: &Block<'_>) {
        let (file, lines) = block.lines.split_first().unwrap();
        let file = file.strip_prefix("--- ").unwrap();
        let mut text = fs::read_to_string(self.dir.file(file)).unwrap();
        for pair in lines.chunks(2) {
            let old = pair[0].strip_prefix('-').unwrap();
            let new = pair[1].strip_prefix('+').unwrap();
            let times = text.lines().filter(|line| *line == old).count();
            assert_eq!(times, 1, "'{file}' has this line so often:\n{old}");
            text = text.replace(old, new);
        }
        self.dir.write(file, &text);
    }

    fn terminal(&mut self, lines: &[&str]) {
        let mut lines = lines.iter().copied().peekable();
        while let Some(line) = lines.next() {
            let mut below = Vec::new();
            let is_prompt = |line: &&str| line.starts_with("$ ") || line.starts_with("run$ ");
            while let Some(said) = lines.next_if(|line| !is_prompt(line) && *line != "^C") {
                below.push(said);
            }
            if let Some(command) = line.strip_prefix("$ ") {
                self.type_in(command, &below);
                continue;
            }
            if let Some(command) = line.strip_prefix("run$ ") {
                self.begin(command);
            } else {
                let run = self.run.as_ref().expect("a run says something");
                match line {
                    "^C" => run.interrupt(),
                    said => below.insert(0, said),
                }
            }
            let run = self.run.as_mut().unwrap();
            let told = below.iter().filter(|line| **line != "...");
            told.for_each(|line| run.until(line));
        }
    }

    /// A shell that will do a command, or become it where `how` is `exec`.
    fn shell(&self, how: &str, command: &str) -> Command {
        let small = if command.starts_with("sandbox run ") {
            SMALL
        } else {
            ""
        };
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &format!("exec 2>&1; {how}{command}{small}")])
            .current_dir(self.dir.path())
            .env(
                "PATH",
                format!("{}:{}", self.dir.file("bin").display(), env!("PATH")),
            )
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::null());
        shell
    }

    /// Types a command in, and finds in what it says the lines of the document.
    fn type_in(&self, command: &str, below: &[&str]) {
        let output = self.shell("", command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = below.iter().any(|line| line.starts_with("error:"));
        let expected = if refused { 2 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "$ {command}\n{said}");
        let mut lines = said.lines();
        for wanted in below
            .iter()
            .filter(|line| !line.trim().is_empty() && **line != "...")
        {
            // Which run is the best hangs on the steps after which the reader's saves were seen.
            if command.starts_with("sandbox best") {
                lines = said.lines();
            }
            assert!(
                lines.any(|line| masked(line) == masked(wanted)),
                "$ {command}\ndoes not say (or not in this place)\n{wanted}\nbut\n{said}"
            );
        }
    }

    /// Starts a run; one that went on before has come to its end.
    fn begin(&mut self, command: &str) {
        self.end();
        let mut shell = self.shell("exec ", command);
        let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let said = String::new();
        self.run = Some(Beside { child, lines, said });
    }

    fn end(&mut self) {
        if let Some(run) = self.run.take() {
            run.end();
        }
    }
}

#[test]
fn the_day_of_the_tutorial() {
    let text = fs::read_to_string(repo().join("examples/README.md")).unwrap();
    let mut reader = Reader::new();
    for block in blocks(&text) {
        reader.follow(&block);
    }
    reader.end();
}

#[test]
fn what_counts_of_a_line() {
    for (line, counts) in [
        ("step 62: kNN 75.45 %", "step #: kNN # %"),
        ("sampler: mine gen 2 (39e5acee)", "sampler: mine gen # (#)"),
        ("    130  6.22  -0.05", "# # #"),
        (
            "runs/2026-11-25-221929-day/report.html",
            "runs/#-day/report.html",
        ),
        ("7.9 MB may go: --yes removes it", "# # may go: --yes"),
        ("labels: gen (39e5acee)", "labels: gen (#)"),
    ] {
        assert_eq!(masked(line), counts);
    }
}
