//! The authors' side of the sandbox's plugins. A plugin is a policy of its training loop in a shared library: a crate of type
//! `cdylib` that implements one of the slots' traits and exports it. No `unsafe`, no libtorch.
//!
//! ```
//! use sandbox_plugin::{Policy, Result, Sampler, SamplerCall, export_policy, params};
//!
//! params! {
//!     pub struct Params {
//!         /// negatives a query gets
//!         negatives: i64 = 16,
//!     }
//! }
//!
//! /// The rows that follow the query's own.
//! pub struct Next(Params);
//!
//! impl Policy for Next {
//!     type Params = Params;
//!
//!     fn new(params: Params) -> Result<Self> {
//!         Ok(Self(params))
//!     }
//! }
//!
//! impl Sampler for Next {
//!     fn decide(&mut self, call: &SamplerCall<'_>) -> Result<()> {
//!         let mut positives = call.positives(1)?;
//!         let mut negatives = call.negatives(self.0.negatives.min(call.rows()))?;
//!         for (query, &own) in call.index()?.values().iter().enumerate() {
//!             positives.row_mut(query)[0] = own;
//!             for (k, row) in negatives.row_mut(query).iter_mut().enumerate() {
//!                 *row = (own + 1 + k as i64) % call.rows();
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! export_policy!(sampler: Next);
//! # fn main() { sandbox_plugin::testing::conform(sandbox_plugin).unwrap(); }
//! ```
//!
//! `testing::conform` takes a policy through its whole life as a host would, with valid and hostile inputs: call it in a test.
//! `plugins/README.md` of the sandbox has the contract in prose, and says what each slot reads and answers.

mod border;
mod boundary;
mod call;
mod error;
mod labels;
mod novelty;
mod params;
mod policy;
mod prototypes;
mod sampler;
pub mod testing;
mod view;

pub use boundary::{Boundary, BoundaryCall};
pub use call::{Bank, Call};
pub use error::{Error, Result};
pub use labels::{AfterCall, Labels, LabelsCall, StartCall};
pub use novelty::{Novelty, NoveltyCall};
pub use params::{Number, Param, Params, Value};
pub use policy::{Devices, Policy, Restored};
pub use prototypes::{Prototypes, PrototypesCall};
pub use sampler::{Sampler, SamplerCall};
pub use sandbox_plugin_abi as abi;
pub use view::{Element, View, ViewMut};

/// What the macros of this crate are made of. Not for authors.
#[doc(hidden)]
pub mod private {
    pub use crate::border::{About, boundary, labels, novelty, prototypes, sampler};
    pub use crate::params::Declared;
}

/// Exports a policy, as `export_policy!(sampler: Type)`; the slots are `labels`, `sampler`, `boundary`, `novelty` and `prototypes`. Name,
/// version and doc are those of the crate.
///
/// A crate that aborts on a panic is refused: its panic would end the run, not the call.
#[macro_export]
macro_rules! export_policy {
    ($slot:ident: $policy:ty) => {
        #[cfg(panic = "abort")]
        compile_error!(
            "a plugin must unwind when it panics, or it would end the whole run: remove `panic = \"abort\"` from the profile"
        );

        /// The table of the policy that this library exports.
        #[allow(unsafe_code, reason = "the host looks for this name")]
        #[unsafe(no_mangle)]
        pub extern "C" fn sandbox_plugin() -> *const $crate::abi::SbxPlugin {
            static TABLE: ::std::sync::OnceLock<&'static $crate::abi::SbxPlugin> =
                ::std::sync::OnceLock::new();
            *TABLE.get_or_init(|| {
                $crate::private::$slot::<$policy>(&$crate::private::About {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    doc: env!("CARGO_PKG_DESCRIPTION"),
                })
            })
        }
    };
}
