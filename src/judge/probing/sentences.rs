//! Which visual words each image of both splits has: those that are found among its superpixels, or the objects that it is known to hold.

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::corpus::{Corpus, Place, out, stacked};
use super::readers::Reader;
use crate::config::{Plan, Probing};
use crate::data::{Images, Objects};
use crate::eval::probing::{Vocabulary, descriptors, nearest};
use crate::ground::Now;
use crate::ground::stop;
use crate::judge::left::Left;
use crate::model::Network;
use crate::slots::probe;

/// Side of the pictures that are described by hand.
const DESCRIBED: usize = 32;

/// Pictures that are described at once.
const CHUNK: usize = 1024;

/// Rounds of k-means for the words, and how often it begins anew.
const ROUNDS: i64 = 50;
const STARTS: i64 = 3;

/// The words of all images, those of the first split first, as slot `probe` is given them.
pub(super) struct Sentences {
    /// `[N, V]` i64.
    pub(super) counts: Tensor,
    /// `[N, V]` f32.
    pub(super) areas: Tensor,
    /// Makes `[N, V, V]` i64.
    pub(super) neighbours: Rc<dyn Fn() -> Tensor>,
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

    /// What composed scenes hold.
    pub(super) fn known(splits: [(&Images, &Corpus); 2]) -> Option<Self> {
        let [train, eval] = splits.map(|(images, corpus)| {
            let objects = images.objects()?;
            let own = corpus
                .ids
                .iter()
                .map(|id| objects.of_images[*id as usize].clone());
            Some((objects, own.collect::<Vec<_>>()))
        });
        let ((objects, train), (_, eval)) = (train?, eval?);
        let images = [train, eval].concat();
        let mut words = Words::new(images.len(), objects.names.len());
        let part = 1.0 / (objects.cells * objects.cells) as f32;
        for (image, held) in images.iter().enumerate() {
            held.iter()
                .for_each(|one| words.count(image, one.kind as usize, part));
        }
        let neighbours = move |words: &mut Words| {
            for (image, held) in images.iter().enumerate() {
                for (at, one) in held.iter().enumerate() {
                    let near = held[at + 1..]
                        .iter()
                        .filter(|other| Objects::touch(one, other));
                    near.for_each(|other| {
                        words.touch(image, one.kind as usize, other.kind as usize);
                    });
                }
            }
        };
        Some(words.sentences(neighbours))
    }

    /// Those of superpixels, the words being found among those of the first split.
    pub(super) fn found(
        corpora: [Rc<Corpus>; 2],
        settings: (&Probing, u64),
        describer: &Describer,
    ) -> Result<Self, Left> {
        let (probing, seed) = settings;
        let places = corpora.each_ref().map(|corpus| corpus.places());
        let described = [0, 1].map(|split| {
            let chunks = places[split].chunks(CHUNK).map(|places| {
                stop::look()?;
                describer.describe(&corpora[split], places)
            });
            let chunks = chunks.collect::<Result<Vec<_>, Left>>()?;
            match chunks.is_empty() {
                true => Err(Left::Out(
                    "no image has a superpixel that can be told from others".into(),
                )),
                false => Ok(Tensor::cat(&chunks, 0)),
            }
        });
        let [own, asked] = described;
        let (own, asked) = (own?, asked?);
        let vocabulary = Vocabulary {
            clusters: probing.words as i64,
            iterations: ROUNDS,
            restarts: STARTS,
            rule: None,
            words: probing.words,
        };
        let of: Vec<i64> = places[0].iter().map(|(image, _)| *image as i64).collect();
        let centres = vocabulary.find(&own, &of, seed, 0).map_err(out)?;
        let words = [own, asked].map(|described| nearest(&described, &centres).map_err(out));
        let [own, asked] = words;
        let nearest = [own?, asked?].map(|words| {
            let words = Vec::<i64>::try_from(words.to_device(Device::Cpu));
            words.expect("a line of integers")
        });
        Ok(of_superpixels(
            corpora,
            places,
            nearest,
            centres.size()[0] as usize,
        ))
    }
}

fn of_superpixels(
    corpora: [Rc<Corpus>; 2],
    places: [Vec<Place>; 2],
    nearest: [Vec<i64>; 2],
    words: usize,
) -> Sentences {
    let first = corpora[0].images.len();
    let mut table = Words::new(first + corpora[1].images.len(), words);
    for split in 0..2 {
        for (place, word) in places[split].iter().zip(&nearest[split]) {
            let share = corpora[split].share(*place);
            table.count(split * first + place.0, *word as usize, share);
        }
    }
    let neighbours = move |table: &mut Words| {
        for split in 0..2 {
            let mut from = 0;
            for image in 0..corpora[split].images.len() {
                for (one, other) in corpora[split].touching(image) {
                    let word = |at: usize| nearest[split][from + at] as usize;
                    table.touch(split * first + image, word(one), word(other));
                }
                from += corpora[split].superpixels[image].len();
            }
        }
    };
    table.sentences(neighbours)
}

/// What makes descriptors of superpixels, in which words are found.
#[derive(Default)]
pub enum Describer {
    /// Colours and directions of edges, which nobody has trained.
    #[default]
    Hand,
    /// The features of an encoder, whose plan says how it sees images.
    Encoder(Box<(Network, Plan)>),
}

impl Describer {
    /// What it is, in a word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Hand => "by hand",
            Self::Encoder(_) => "by an encoder",
        }
    }

    fn describe(&self, corpus: &Corpus, places: &[Place]) -> Result<Tensor, Left> {
        match self {
            Self::Hand => {
                let pictures = corpus.pictures(places, DESCRIBED)?;
                descriptors(&stacked(&pictures, Device::Cpu)?).map_err(out)
            }
            Self::Encoder(of) => {
                let (network, plan) = of.as_ref();
                let pictures = corpus.pictures(places, plan.recipe.size as usize)?;
                let features = Reader::Encoder(network, plan).features(&pictures, 0)?;
                Ok(features.to_device(Device::Cpu))
            }
        }
    }
}

/// Numbers that are counted up, image by image.
struct Words {
    images: usize,
    words: usize,
    counts: Vec<i64>,
    areas: Vec<f32>,
    neighbours: Vec<i64>,
}

impl Words {
    fn new(images: usize, words: usize) -> Self {
        Self {
            images,
            words,
            counts: vec![0; images * words],
            areas: vec![0.0; images * words],
            neighbours: Vec::new(),
        }
    }

    fn count(&mut self, image: usize, word: usize, share: f32) {
        let at = image * self.words + word;
        self.counts[at] += 1;
        self.areas[at] += share;
    }

    /// Both ways round.
    fn touch(&mut self, image: usize, one: usize, other: usize) {
        for (one, other) in [(one, other), (other, one)] {
            self.neighbours[(image * self.words + one) * self.words + other] += 1;
        }
    }

    /// With neighbours that are counted when somebody asks for them.
    fn sentences(self, count: impl Fn(&mut Words) + 'static) -> Sentences {
        let (images, words) = (self.images, self.words);
        let shape = [images as i64, words as i64];
        let neighbours = move || {
            let mut table = Words {
                neighbours: vec![0; images * words * words],
                ..Words::new(images, 0)
            };
            table.words = words;
            count(&mut table);
            let shape = [images as i64, words as i64, words as i64];
            Tensor::from_slice(&table.neighbours).view(shape)
        };
        Sentences {
            counts: Tensor::from_slice(&self.counts).view(shape),
            // Segmentations overlap, and so may go beyond the whole.
            areas: Tensor::from_slice(&self.areas)
                .view(shape)
                .to_kind(Kind::Float),
            neighbours: Rc::new(neighbours),
        }
    }
}
