//! What a hostile world does to the program: it is killed, its files are damaged, its disk is full, its scripts and values are wild.
//! Nothing of it may end a process in another way than by an exit code with its reason, keep it for ever, or change a number.
//!
//! Each test is a few rounds of one kind, drawn from a seed that a failure names. With `SANDBOX_SOAK=MINUTES` each goes on until so many
//! minutes after the start (`make soak`); `SANDBOX_SEED=N` is another seed, `SANDBOX_ROUND=N` one round alone.

#![expect(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

mod answers;
mod bombs;
mod clock;
mod disk;
mod files;
mod folders;
mod guard;
mod kills;
mod mutants;
mod mutate;
mod rounds;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod support;
mod values;
