//! How a candidate is tried before it is live.

use crate::policy::Policy;
use crate::slots::{Fault, Slot};

/// Runs a candidate on a frozen batch; the gate knows nothing of what it is asked there.
pub type Rehearsal<'a> = dyn FnMut(Slot, &mut Policy) -> Result<(), Fault> + 'a;
