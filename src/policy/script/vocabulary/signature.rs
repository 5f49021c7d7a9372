//! The signature of a verb, as it is declared.

use std::rc::Rc;

/// A parameter as declared.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// Whether it has a default.
    pub(super) optional: bool,
}

/// A name of a verb with its parameters.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) params: Rc<[Param]>,
}
