//! Everything that is tested through the library's public face, in one binary, so that libtorch is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "a failed test should stop where it fails"
)]

mod boundaries;
mod cli;
mod degenerate;
mod eval;
mod golden;
mod labels;
mod support;
mod swap;
mod sweep;
mod tidy;
mod weights;
