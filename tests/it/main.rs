//! Everything that is tested through the library's public face, in one binary, so that libtorch is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

mod cli;
mod eval;
mod golden;
mod support;
mod swap;
mod tidy;
