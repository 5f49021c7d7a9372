//! What to do: [`Config`] is what the YAML says, [`Plan`] what it means.

pub mod load;
pub mod plan;
pub mod schema;
mod source;
pub mod suggest;

pub use load::{Error, Loaded, Request};
pub use plan::{Plan, SlotPlan};
pub use schema::Config;
