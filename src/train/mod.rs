//! The training run: clock, seeds, the step and the loop around it.

pub mod clock;
pub mod seed;
