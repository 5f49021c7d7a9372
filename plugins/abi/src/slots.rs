//! What a plugin's table says as its slot. Made of the slots' declarations: SANDBOX_WRITE=1 cargo test --test it contracts
//! writes it anew.

/// Slot `labels`: how pseudo-labels are made and kept.
pub const SBX_SLOT_LABELS: u32 = 1;

/// Slot `sampler`: which rows of the bank are a query's positives and its negatives.
pub const SBX_SLOT_SAMPLER: u32 = 2;

/// Slot `boundary`: how far positives must lie from negatives, as logits or as a loss.
pub const SBX_SLOT_BOUNDARY: u32 = 3;

/// Slot `novelty`: whether a frame of a stream is new, or belongs to a prototype that there is.
pub const SBX_SLOT_NOVELTY: u32 = 4;

/// Slot `prototypes`: where a frame of a stream is written: how much of it each prototype takes, and which one makes room for it where it is new.
pub const SBX_SLOT_PROTOTYPES: u32 = 5;
