//! Banks and batches, plain and hostile, for each slot.

use sandbox_plugin_abi::{
    SBX_SLOT_BOUNDARY, SBX_SLOT_LABELS, SBX_SLOT_NOVELTY, SBX_SLOT_PROTOTYPES,
};

use super::answers::{Answer, Size};
use super::host::Host;
use super::memory;
use super::tensor::Tensor;

/// A bank and a batch of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    pub(super) what: &'static str,
    rows: usize,
    batch: usize,
    pub(super) clusters: usize,
    /// Distance of neighbours in memory.
    spread: usize,
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        what: "64 rows, 8 queries, 4 clusters",
        rows: 64,
        batch: 8,
        clusters: 4,
        spread: 1,
    },
    Scene {
        what: "the same, its inputs spread in memory",
        rows: 64,
        batch: 8,
        clusters: 4,
        spread: 3,
    },
    Scene {
        what: "one query",
        rows: 32,
        batch: 1,
        clusters: 4,
        spread: 1,
    },
    Scene {
        what: "one cluster only",
        rows: 32,
        batch: 4,
        clusters: 1,
        spread: 1,
    },
    Scene {
        what: "each row its own cluster",
        rows: 16,
        batch: 4,
        clusters: 16,
        spread: 1,
    },
    Scene {
        what: "a bank of one row",
        rows: 1,
        batch: 1,
        clusters: 1,
        spread: 1,
    },
];

const DIM: usize = 8;

impl Scene {
    /// A host that asks `function` of a policy for `slot`.
    pub(super) fn host(&self, slot: u32, function: &str, seed: u64) -> Host {
        let mut host = Host::new(self.rows, seed);
        host.spread = self.spread;
        let (b, n, c) = (self.batch, self.rows, self.clusters);
        let last = |count: usize| (0, count as i64 - 1);
        match (slot, function) {
            (SBX_SLOT_BOUNDARY, _) => self.boundary(host),
            (SBX_SLOT_NOVELTY, _) => memory::novelty(host, b, c),
            (SBX_SLOT_PROTOTYPES, _) => memory::prototypes(host, b, c),
            (SBX_SLOT_LABELS, "start") => host
                .input("features", self.features())
                .takes(Answer::rows("labels", &[Size::Is(n)], last(n)))
                .takes(Answer::numbers(
                    "centroids",
                    &[Size::UpTo(n), Size::Is(DIM)],
                )),
            (SBX_SLOT_LABELS, "decide") => self
                .bank(host)
                .input("keys", self.queries())
                .input("index", self.index())
                .takes(Answer::rows("labels", &[Size::Is(b)], last(c)).optional()),
            (SBX_SLOT_LABELS, _) => self
                .bank(host)
                .takes(Answer::rows("labels", &[Size::Is(n)], last(c)).optional())
                .takes(Answer::numbers("centroids", &[Size::Is(c), Size::Is(DIM)]).optional()),
            _ => {
                let rows = |name| {
                    let shape = [Size::Is(b), Size::UpTo(n)];
                    Answer::rows(name, &shape, (-1, n as i64 - 1))
                };
                self.bank(host)
                    .input("queries", self.queries())
                    .input("index", self.index())
                    .input("labels", Tensor::I64(self.labels(b), vec![b]))
                    .input("similarity", self.similarity())
                    .takes(rows("positives"))
                    .takes(rows("negatives"))
            }
        }
    }

    /// Cosines of which some do not exist.
    fn boundary(&self, host: Host) -> Host {
        const MISSING: f32 = -1e4;
        let (b, p, k) = (self.batch, 2, 5);
        let cosine = |at: usize| ((at * 7919 % 199) as f32 / 99.0 - 1.0).clamp(-1.0, 1.0);
        let mut negatives: Vec<_> = (0..b * k).map(|at| cosine(at + 31)).collect();
        // The last query has no negative at all, every other fifth is missing.
        negatives[(b - 1) * k..].fill(MISSING);
        negatives.iter_mut().step_by(5).for_each(|x| *x = MISSING);
        let valid: Vec<_> = (0..b * p).map(|at| u8::from(at % 3 != 1)).collect();
        let shape = |width| [Size::Is(b), Size::Is(width)];
        host.number("temperature", 0.2)
            .number("missing", MISSING.into())
            .input(
                "positives",
                Tensor::F32((0..b * p).map(cosine).collect(), vec![b, p]),
            )
            .input("negatives", Tensor::F32(negatives, vec![b, k]))
            .input("valid", Tensor::Bool(valid, vec![b, p]))
            .takes(Answer::numbers("loss", &[]))
            .takes(Answer::numbers("d_positives", &shape(p)))
            .takes(Answer::numbers("d_negatives", &shape(k)))
    }

    fn bank(&self, host: Host) -> Host {
        let (n, c) = (self.rows, self.clusters);
        host.input("bank.features", self.features())
            .input("bank.labels", Tensor::I64(self.labels(n), vec![n]))
            .input("bank.centroids", Tensor::F32(unit(c), vec![c, DIM]))
    }

    fn features(&self) -> Tensor {
        Tensor::F32(unit(self.rows), vec![self.rows, DIM])
    }

    /// The first rows of the bank.
    fn queries(&self) -> Tensor {
        Tensor::F32(unit(self.batch), vec![self.batch, DIM])
    }

    fn index(&self) -> Tensor {
        let rows = (0..self.batch as i64).collect();
        Tensor::I64(rows, vec![self.batch])
    }

    fn labels(&self, count: usize) -> Vec<i64> {
        (0..count).map(|row| (row % self.clusters) as i64).collect()
    }

    fn similarity(&self) -> Tensor {
        let rows = unit(self.rows);
        let rows: Vec<_> = rows.chunks(DIM).collect();
        let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum();
        let all = rows[..self.batch]
            .iter()
            .flat_map(|a| rows.iter().map(|b| cosine(a, b)));
        Tensor::F32(all.collect(), vec![self.batch, self.rows])
    }
}

/// Unit rows, the same each time.
fn unit(rows: usize) -> Vec<f32> {
    let raw = |at: usize| ((at * 2_654_435_761) % 1009) as f32 / 504.0 - 1.0;
    let mut all: Vec<f32> = (0..rows * DIM).map(raw).collect();
    for row in all.chunks_mut(DIM) {
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
        row.iter_mut().for_each(|x| *x /= norm);
    }
    all
}
