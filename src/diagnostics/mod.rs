//! What the policies do to a run, for a person who watches it: numbers, distributions, pictures. True labels are seen here and in
//! `eval/` alone, and nothing that is made here goes back into the run.

pub mod pictures;
pub mod projector;
