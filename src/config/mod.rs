//! What to do: [`Config`] is what the YAML says, [`Plan`] what it means.

mod aside;
pub mod ckn;
mod error;
mod evaluation;
mod judging;
pub mod live;
pub mod load;
mod numbers;
mod optim;
pub mod plan;
mod robustness;
pub mod schema;
mod shipped;
mod source;
mod split;
pub mod stream;
mod values;
pub mod yaml;

pub use error::Error;
pub use evaluation::{Matching, Probing};
pub use judging::{Descriptor, Evaluation, Judging, WordSource};
pub use load::{Loaded, Request};
pub use plan::{Plan, SlotPlan};
pub use robustness::{Measured, Robustness, Victim};
pub use schema::Config;
pub use source::source;
