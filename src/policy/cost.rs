//! What calls of a policy cost.

/// What calls of a policy cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Milliseconds from the call to its answer, the host's work that it asked for included.
    pub ms: f64,
    /// Those of them in which the policy itself ran, the work of host functions apart.
    pub own_ms: f64,
    /// Calls of host functions.
    pub calls: u64,
    /// Waits for the device that it asked for.
    pub syncs: u64,
    /// The most bytes that its tensors held at once in a call; of a plugin, those that it asked the host for.
    pub bytes: u64,
    /// Rhai's operations; a plugin has none that could be counted.
    pub operations: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.ms += other.ms;
        self.own_ms += other.own_ms;
        self.calls += other.calls;
        self.syncs += other.syncs;
        self.bytes = self.bytes.max(other.bytes);
        self.operations += other.operations;
    }
}
