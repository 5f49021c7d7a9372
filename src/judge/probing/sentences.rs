//! Which visual words each image of both splits has: those that are found among its superpixels, or the objects that it is known to hold.

use std::collections::BTreeMap;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::corpus::{Corpus, out};
use super::describer::Describer;
use crate::config::Probing;
use crate::data::{Images, Objects};
use crate::eval::probing::{ConceptRule, Vocabulary, nearest, sentences};
use crate::ground::Now;
use crate::ground::stop;
use crate::judge::left::Left;
use crate::judge::told::Told;
use crate::slots::probe;

/// Pictures that are described at once.
const CHUNK: usize = 1024;

/// Rounds of k-means for the words, and how often it begins anew.
const ROUNDS: i64 = 50;
const STARTS: i64 = 3;

/// A concept of ACE has more members than this.
const MEMBERS: usize = 40;

/// All words of all images, those of the first split first.
pub(super) struct Occurrences {
    /// Images, and words that there are.
    pub(super) shape: [i64; 2],
    /// The place of the image of each, `[P]` i64.
    pub(super) images: Tensor,
    /// Which word, `[P]` i64.
    pub(super) words: Tensor,
    /// The part of its image that it covers, `[P]` f32.
    pub(super) shares: Tensor,
    /// How far its descriptor is from the word's centre, `[P]` f64; 0 where words are known.
    pub(super) apart: Tensor,
    /// Image and words of each two that touch, `[Q, 3]` i64.
    pub(super) touching: Tensor,
}

impl Occurrences {
    /// What composed scenes hold, of which these are shown.
    pub(super) fn known(splits: [(&Images, &[i64]); 2]) -> Option<Self> {
        let [train, eval] = splits.map(|(images, ids)| {
            let objects = images.objects()?;
            let own = ids
                .iter()
                .map(|id| objects.of_images[*id as usize].as_slice());
            Some((objects, own.collect::<Vec<_>>()))
        });
        let ((objects, train), (_, eval)) = (train?, eval?);
        let scenes = [train, eval].concat();
        let (mut images, mut words, mut touching) = (Vec::new(), Vec::new(), Vec::new());
        for (image, held) in (0..).zip(&scenes) {
            for (at, one) in held.iter().enumerate() {
                images.push(image);
                words.push(one.kind);
                let near = held[at + 1..]
                    .iter()
                    .filter(|other| Objects::touch(one, other));
                touching.extend(near.map(|other| [image, one.kind, other.kind]));
            }
        }
        let cells = (objects.cells * objects.cells) as f64;
        let words = Tensor::from_slice(&words);
        Some(Self {
            shape: [scenes.len() as i64, objects.names.len() as i64],
            images: Tensor::from_slice(&images),
            shares: words.ones_like().to_kind(Kind::Float) / cells,
            apart: words.zeros_like().to_kind(Kind::Double),
            words,
            touching: rows(&touching),
        })
    }

    /// Those of superpixels, the words being found among those of the first split.
    pub(super) fn found(
        corpora: &[Rc<Corpus>; 2],
        (settings, seed): (&Probing, u64),
        describer: &Describer,
        told: &Told<'_>,
    ) -> Result<Self, Left> {
        let described = [&corpora[0], &corpora[1]].map(|own| described(own, describer, told));
        let [own, other] = described;
        let (own, other) = (own?, other?);
        told.tell("words found", 0, 1);
        let vocabulary = Vocabulary {
            clusters: settings.words as i64,
            iterations: ROUNDS,
            restarts: STARTS,
            rule: settings.concepts.then(|| ConceptRule {
                min_members: MEMBERS,
                max_members: MEMBERS,
                images: corpora[0].images.len(),
            }),
            words: settings.words,
        };
        let of = places(corpora, 0);
        let centres = vocabulary.find(&own, &of, seed, 0).map_err(out)?;
        let words = [&own, &other].map(|described| nearest(described, &centres).map_err(out));
        let [first, second] = words;
        let words = Tensor::cat(&[first?, second?], 0);
        let apart = Tensor::cat(&[own, other], 0) - centres.index_select(0, &words);
        let images = [of, places(corpora, 1)].concat();
        let shares: Vec<f32> = corpora.iter().flat_map(|corpus| corpus.shares()).collect();
        Ok(Self {
            shape: [
                (corpora[0].images.len() + corpora[1].images.len()) as i64,
                centres.size()[0],
            ],
            images: Tensor::from_slice(&images),
            shares: Tensor::from_slice(&shares),
            apart: apart
                .to_kind(Kind::Double)
                .norm_scalaropt_dim(2.0, [1], false),
            touching: touching(corpora, &words),
            words,
        })
    }

    /// By their names.
    pub(super) fn named(&self) -> Vec<(String, Tensor)> {
        let shape = Tensor::from_slice(&self.shape);
        let all = [
            ("shape", &shape),
            ("images", &self.images),
            ("words", &self.words),
            ("shares", &self.shares),
            ("apart", &self.apart),
            ("touching", &self.touching),
        ];
        all.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
            .into()
    }

    /// Of tensors that [`Occurrences::named`] gave.
    pub(super) fn of(mut named: BTreeMap<String, Tensor>) -> Option<Self> {
        let shape = named.remove("shape")?;
        Some(Self {
            shape: [0, 1].map(|axis| shape.int64_value(&[axis])),
            images: named.remove("images")?,
            words: named.remove("words")?,
            shares: named.remove("shares")?,
            apart: named.remove("apart")?,
            touching: named.remove("touching")?,
        })
    }

    /// As slot `probe` is given them.
    ///
    /// # Errors
    /// None of occurrences that were found or known.
    pub(super) fn sentences(&self) -> Result<Sentences, Left> {
        let [images, words] = self.shape;
        let areas = Tensor::zeros(self.shape, (Kind::Float, Device::Cpu));
        let at = [Some(&self.images), Some(&self.words)];
        let touching = self.touching.shallow_clone();
        Ok(Sentences {
            counts: sentences(&self.words, &self.images, self.shape).map_err(out)?,
            // Segmentations overlap, and so may go beyond the whole.
            areas: areas.index_put(&at, &self.shares, true),
            neighbours: Rc::new(move || {
                let [image, one, other] = [0, 1, 2].map(|column| touching.select(1, column));
                let counted = Tensor::zeros([images, words, words], (Kind::Int64, Device::Cpu));
                let times = image.ones_like();
                let counted =
                    counted.index_put(&[Some(&image), Some(&one), Some(&other)], &times, true);
                counted.index_put(&[Some(&image), Some(&other), Some(&one)], &times, true)
            }),
        })
    }
}

/// What is said of all superpixels of a split, `[P, F]`.
fn described(corpus: &Corpus, describer: &Describer, told: &Told<'_>) -> Result<Tensor, Left> {
    let places = corpus.places();
    let mut chunks = Vec::new();
    for (at, some) in places.chunks(CHUNK).enumerate() {
        stop::look()?;
        told.tell("superpixels described", at * CHUNK, places.len());
        chunks.push(describer.describe(corpus, some)?);
    }
    match chunks.is_empty() {
        true => Err(Left::Out(
            "no image has a superpixel that can be told from others".into(),
        )),
        false => Ok(Tensor::cat(&chunks, 0)),
    }
}

/// The place of the image of each superpixel of a split, among those of both.
fn places(corpora: &[Rc<Corpus>; 2], split: usize) -> Vec<i64> {
    let before = if split == 0 {
        0
    } else {
        corpora[0].images.len()
    };
    let places = corpora[split].places().into_iter();
    places.map(|(image, _)| (before + image) as i64).collect()
}

/// Image and words of each two superpixels that touch.
fn touching(corpora: &[Rc<Corpus>; 2], words: &Tensor) -> Tensor {
    let words = Vec::<i64>::try_from(words).expect("a line of integers");
    let (mut found, mut image, mut from) = (Vec::new(), 0, 0);
    for corpus in corpora {
        for (pairs, own) in corpus.touching().iter().zip(&corpus.superpixels) {
            let of =
                |&(one, other): &(usize, usize)| [image, words[from + one], words[from + other]];
            found.extend(pairs.iter().map(of));
            image += 1;
            from += own.len();
        }
    }
    rows(&found)
}

fn rows(rows: &[[i64; 3]]) -> Tensor {
    Tensor::from_slice(rows.as_flattened()).view([-1, 3])
}

/// The words of all images, those of the first split first, as slot `probe` is given them.
pub(super) struct Sentences {
    /// `[N, V]` i64.
    pub(super) counts: Tensor,
    /// `[N, V]` f32.
    areas: Tensor,
    /// Makes `[N, V, V]` i64.
    neighbours: Rc<dyn Fn() -> Tensor>,
}

impl Sentences {
    pub(super) fn context(&self, now: Now) -> probe::Context<'_> {
        probe::Context {
            counts: &self.counts,
            areas: &self.areas,
            neighbours: &self.neighbours,
            now,
        }
    }
}
