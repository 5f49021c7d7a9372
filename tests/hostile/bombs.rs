//! Scripts that ask for more memory than there is, at once, step by step, or in words: each is stopped, and the run goes on.

use std::fs;

use crate::guard::Guard;
use crate::rounds::rounds;
use crate::support::{Dir, Live};

const SCRIPT: &str = "samplers/random.rhai";

/// Statements at the beginning of a sampler's `decide`.
const BOMBS: &[&str] = &[
    "zeros([40000, 40000]);",
    "ones([60000, 60000]);",
    "full([50000, 50000], 1.5);",
    "full([4000000000], true);",
    "eye(50000);",
    "arange(4000000000);",
    "zeros([1000000, 1000000, 1000000]);",
    "zeros([9223372036854775807]);",
    "ctx.rng.rand([40000, 40000]);",
    "ctx.rng.randn([40000, 40000]);",
    "ctx.rng.randint(0, 9, [40000, 40000]);",
    "ctx.rng.randperm(4000000000);",
    "let v = arange(60000); v.unsqueeze(0) + v.unsqueeze(1);",
    "let v = arange(60000).float(); v.unsqueeze(0) * v.unsqueeze(1);",
    "let v = arange(60000).float(); v.unsqueeze(1).matmul(v.unsqueeze(0));",
    "let v = arange(70000); v.unsqueeze(0).eq(v.unsqueeze(1));",
    "ctx.similarity.repeat([4000, 100]);",
    "let all = []; for n in 0..64 { all.push(ones([10000, 10000])); } cat(all, 0);",
    "let x = ones([1000, 1000]); for n in 0..20 { x = cat([x, x], 0); }",
    "let x = ones([1000, 1000]); for n in 0..20 { x = stack([x, x], 0); }",
    "if this.a == () { this.a = []; } this.a.push(ones([7000, 7000]));",
    "if this.a == () { this.a = ones([1000, 1000]); } this.a = cat([this.a, this.a], 0);",
    "if this.a == () { this.a = \"x\"; } for n in 0..12 { this.a += this.a; }",
    "let s = \"bomb\"; loop { s += s; }",
    "let a = [0]; loop { a += a; }",
    "let m = #{}; let n = 0; loop { m[`k${n}`] = `${n}`.repeat(1000); n += 1; }",
    "let s = \"x\"; loop { s.pad(s.len() * 2, \"x\"); print(s); }",
];

/// What fills a log: of each call a little is shown, and nothing else is wrong with it.
const FLOOD: &str = "let s = \"\"; s.pad(100000, \"x\"); for n in 0..10 { print(s); }";

/// Bytes that the log may have after the ten steps of a trial; all of it would be 11 MB.
const LOG: u64 = 4 << 20;

/// Bytes that a process may have held, libtorch's own half a gigabyte among them. On a large machine a policy may hold more.
fn most() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    (2 << 30).max(kib(&text, "MemTotal:") * 1024 / 10)
}

fn kib(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// The most that a process has held so far, in bytes.
fn peak(run: &Live) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    kib(&text, "VmHWM:") * 1024
}

/// Reads on until the bomb is stopped: refused in its rehearsal, or undone in a step.
fn stopped(run: &mut Live) -> String {
    loop {
        let line = run.until("sampler: ");
        if ["refused", "rolled back", "rests"]
            .iter()
            .any(|how| line.contains(how))
        {
            return line;
        }
    }
}

#[test]
fn no_script_takes_the_memory_and_the_run_goes_on() {
    let dir = Dir::new();
    let text = dir.copy_script(SCRIPT);
    dir.copy_script("lib/positives.rhai");
    let decide = "fn decide(ctx) {\n";
    assert!(text.contains(decide));
    rounds("bombs", 1, |_, _| {
        dir.write(&format!("scripts/{SCRIPT}"), &text);
        let args = ["--script", SCRIPT, "--set", "sampler.negatives=16"];
        let mut run = dir.start(&args);
        let guard = Guard::of(run.pid());
        let arm = |bomb: &str| {
            let armed = text.replace(decide, &format!("{decide}    {bomb}\n"));
            dir.write(&format!("scripts/{SCRIPT}"), &armed);
        };
        for bomb in BOMBS {
            arm(bomb);
            let line = stopped(&mut run);
            let (held, most) = (peak(&run) >> 20, most() >> 20);
            assert!(
                held < most,
                "{bomb}: {held} MiB were held, expected at most {most}: {line}"
            );
        }
        arm(FLOOD);
        run.until("has passed its trial");
        let log = fs::metadata(run.folder.join("log.txt")).unwrap().len();
        assert!(log < LOG, "{log} bytes of log");
        run.steps(3);
        eprintln!("bombs: at most {} MiB were held", peak(&run) >> 20);
        assert!(!guard.hung(), "{}", run.text);
        let run = run.stop();
        // Where one was live for some steps it gave the same answers as the script without it.
        let steps = run.losses().last().unwrap().0.to_string();
        dir.write(&format!("scripts/{SCRIPT}"), &text);
        let alone = dir.train(&[&args[..], &["--steps", &steps]].concat());
        assert_eq!(run.losses(), alone.losses(), "{}", run.text);
        fs::remove_dir_all(dir.file("runs")).unwrap();
    });
}
