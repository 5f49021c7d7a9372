//! Why an evaluation has no number.

use crate::ground::stop::Stopped;
use crate::slots::Fault;

/// Why an evaluation has no number.
#[derive(Debug)]
pub(super) enum Left {
    /// It cannot be made, for this reason.
    Out(String),
    /// The process was asked to stop meanwhile.
    Stopped(Stopped),
}

impl Left {
    /// A policy that cannot be asked, or fails.
    pub(super) fn fault(fault: &Fault) -> Self {
        Self::Out(format!("{}: {fault}", fault.slot))
    }
}

impl From<Stopped> for Left {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}
