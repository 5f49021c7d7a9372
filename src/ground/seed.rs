//! The only source of random numbers. Every stream is a pure function of (run seed, purpose, step, id), so nothing
//! needs saving: a resumed or replayed run derives the same numbers again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream of random numbers is for. The discriminant is part of the key, so it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Initial weights of the model.
    Weights = 1,
    /// Order of the images in an epoch.
    Order = 2,
    /// Parameters of the augmentations; the id is the sample's number times two plus the view.
    Views = 3,
    /// Initial keys of a queue.
    Queue = 4,
    /// What the `labels` policy draws.
    Labels = 5,
    /// What the `sampler` policy draws.
    Sampler = 6,
    /// What the `boundary` policy draws.
    Boundary = 7,
    /// Synthetic data on which a policy is checked.
    Rehearsal = 8,
    /// Order in which keys are batch-normalised in groups.
    Shuffle = 9,
    /// What the `schedule` policy draws.
    Schedule = 10,
    /// Which images keep their labels in a low-shot evaluation; the step is the labels a class, the id the draw.
    LowShot = 20,
    /// Order of the batches of a linear probe; the step is its epoch.
    Probe = 21,
    /// Which images keep their labels in a fine-tuning; the step is their number a class.
    Finetune = 22,
    /// Order of a fine-tuning's images; the step is the epoch, the id their number.
    FinetuneOrder = 23,
}

/// The 32 bytes that key the stream (seed, purpose, step, id).
fn key(seed: u64, purpose: Purpose, step: u64, id: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sandbox stream 1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(&[purpose as u8]);
    hasher.update(&step.to_le_bytes());
    hasher.update(&id.to_le_bytes());
    *hasher.finalize().as_bytes()
}

/// A generator on the host for (seed, purpose, step, id).
pub fn stream(seed: u64, purpose: Purpose, step: u64, id: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(key(seed, purpose, step, id))
}

/// A number for (seed, purpose, step, id), for a generator that is not the host's.
pub fn number(seed: u64, purpose: Purpose, step: u64, id: u64) -> u64 {
    let mut low = [0; 8];
    low.copy_from_slice(&key(seed, purpose, step, id)[..8]);
    u64::from_le_bytes(low)
}

/// Seeds libtorch's generators, of the CPU and of every GPU, for (seed, purpose, step, id).
///
/// Whoever draws from them calls this first, so what one policy draws never depends on what another drew.
pub fn seed_torch(seed: u64, purpose: Purpose, step: u64, id: u64) {
    tch::manual_seed((number(seed, purpose, step, id) >> 1) as i64);
}
