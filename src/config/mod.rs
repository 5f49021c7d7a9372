//! What to do: [`Config`] is what the YAML says, [`Plan`] what it means.

mod aside;
mod evaluation;
mod judging;
pub mod live;
pub mod load;
mod optim;
pub mod plan;
pub mod schema;
mod source;
mod split;
mod values;

pub use judging::{Evaluation, Judging};
pub use load::{Error, Loaded, Request};
pub use plan::{Plan, SlotPlan};
pub use schema::Config;
