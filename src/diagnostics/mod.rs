//! What the policies do to a run, for a person who watches it: numbers, distributions, pictures. True labels are seen here and in
//! `eval/` alone, and nothing that is made here goes back into the run.

mod clusters;
mod pairs;
pub mod pictures;
pub mod projector;
mod rows;
mod scalars;
mod stream;

pub use clusters::{Life, numbers as clusters, sizes};
pub use pairs::{Chosen, Ranking, SAMPLE};
pub use rows::{Coverage, ages, hubness};
pub use scalars::{Scalars, integers, list, mean, number, put, quantiles};
pub use stream::window;
