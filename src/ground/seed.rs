//! The only source of random numbers. Every stream is a pure function of (run seed, purpose, step, id), so nothing
//! needs saving: a resumed or replayed run derives the same numbers again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights of the model.
    Weights,
    /// Order of the images in an epoch.
    Order,
    /// Parameters of the augmentations; the id is the sample's number times two plus the view.
    Views,
    /// Initial keys of a queue.
    Queue,
    /// What a slot's policy draws; the number is the slot's own.
    Policy(u8),
    /// Synthetic data on which a policy is checked.
    Rehearsal,
    /// How classes follow each other in a stream; the step is its window, the id the stream.
    Stream,
    /// Which classes are together in a context of a stream; likewise.
    Contexts,
    /// Which images the frames of a stream show; likewise.
    Frames,
    /// Noise in the decisions of a window; the step is the window.
    Decisions,
    /// What a composed scene shows; the id is the scene.
    Scenes,
    /// Features that say nothing; the id is the pictures.
    Noise,
    /// Order in which keys are batch-normalised in groups.
    Shuffle,
    /// Which images keep their labels in a low-shot evaluation; the step is the labels a class, the id the draw.
    LowShot,
    /// Order of the batches of a linear probe; the step is its epoch.
    Probe,
    /// Which images keep their labels in a fine-tuning; the step is their number a class.
    Finetune,
    /// Order of a fine-tuning's images; the step is the epoch, the id their number.
    FinetuneOrder,
    /// Where the visual words of a probing start; the step is the part of the superpixels that they are found in.
    Words,
    /// Which samples of the rarer answer a probing repeats; the step is the task.
    OverSampling,
    /// Which superpixels may take another one's place in a probing; the id is the image's number.
    OddManOut,
    /// Where sub-patches are taken to fit a layer of a convolutional kernel network; the step is the layer, the id the patch.
    SubPatches,
    /// Where the clustering of a layer's sub-patches starts; the step is the layer.
    Anchors,
    /// Pairs of sub-patches on which a layer's kernel is approximated; the step is the layer, the id the step of the descent.
    Pairs,
    /// How a patch is seen in a synthetic view; the step is the view, the id the patch.
    Jitter,
    /// Where the clustering of descriptors into a vocabulary starts.
    Vocabulary,
    /// Where attacks of images begin; the id is the image's number.
    Attack,
    /// Start weights of the networks of a deep image prior; likewise.
    PriorWeights,
    /// What is put into them; the step is 0 for the fixed input, t + 1 for the noise of step t.
    PriorInput,
    /// From which candidate a block of a stitched image comes; the step is the draw.
    Stitch,
    /// Which superpixels are compared with a visual word's; the step is the set, the id 0 for those beside words, 1 for those that
    /// stand for a word that there is not.
    RandomConcepts,
}

impl Purpose {
    /// The purpose's part of the key, which never changes.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Purpose::Weights => 1,
            Purpose::Order => 2,
            Purpose::Views => 3,
            Purpose::Queue => 4,
            Purpose::Rehearsal => 8,
            Purpose::Shuffle => 9,
            Purpose::Stream => 15,
            Purpose::Contexts => 16,
            Purpose::Frames => 17,
            Purpose::Decisions => 18,
            Purpose::Scenes => 19,
            Purpose::Noise => 43,
            Purpose::LowShot => 20,
            Purpose::Probe => 21,
            Purpose::Finetune => 22,
            Purpose::FinetuneOrder => 23,
            Purpose::Words => 40,
            Purpose::OverSampling => 41,
            Purpose::OddManOut => 42,
            Purpose::SubPatches => 44,
            Purpose::Anchors => 45,
            Purpose::Pairs => 46,
            Purpose::Jitter => 47,
            Purpose::Vocabulary => 48,
            Purpose::Attack => 49,
            Purpose::PriorWeights => 50,
            Purpose::PriorInput => 51,
            Purpose::Stitch => 52,
            Purpose::RandomConcepts => 70,
            Purpose::Policy(slot) => slot,
        }
    }
}

/// The 32 bytes that key the stream (seed, purpose, step, id).
fn key(seed: u64, purpose: Purpose, step: u64, id: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sandbox stream 1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(&[purpose.number()]);
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
