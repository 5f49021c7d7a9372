//! What a probing works with. Each part is made when somebody asks for it first, and kept beside the run where there is one: a script
//! that is asked something else finds all of it there.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};
use tch::Tensor;

use super::corpus::{self, Corpus, out};
use super::describer::Describer;
use super::readers::Reader;
use super::sentences::Occurrences;
use super::{Jury, keys, odd_man, pictures};
use crate::config::{Probing, WordSource};
use crate::eval::probing::{CHARACTERS, Rgb, bins, character_pixels};
use crate::ground::spread;
use crate::judge::labels;
use crate::judge::left::Left;
use crate::judge::told::Told;
use crate::record::Kept;

/// Side of the pictures whose characters are counted: what the edges of the bins are for.
const CHARACTER_SIDE: usize = 224;

/// Superpixels that are shown at once.
const CHUNK: usize = 256;

/// What features are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The images.
    Images,
    /// Superpixels, each in its box.
    Boxes,
    /// The images, of which some hold a superpixel of another one.
    Altered,
}

impl Shown {
    fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Boxes => "boxes",
            Self::Altered => "altered",
        }
    }
}

/// Pictures of both splits, and what is asked of each, `[P, 1]` i64.
struct Pictures {
    pictures: [Vec<Rgb>; 2],
    targets: [Tensor; 2],
}

/// What a reader made of the pictures of both splits, and what that follows from.
pub(super) struct Features {
    pub(super) of: [Tensor; 2],
    pub(super) key: String,
}

/// See the module.
pub(super) struct Material<'a> {
    pub(super) jury: Jury<'a>,
    describer: &'a Describer,
    kept: Option<&'a Kept>,
    told: &'a Told<'a>,
    /// The numbers of the images in their splits.
    pub(super) ids: [Vec<i64>; 2],
    key: Value,
    images: OnceCell<[Arc<Vec<Rgb>>; 2]>,
    corpora: OnceCell<[Rc<Corpus>; 2]>,
    boxes: OnceCell<Pictures>,
    altered: OnceCell<Pictures>,
}

/// The value of a cell, which is made where there is none.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, Left>) -> Result<&T, Left> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

impl<'a> Material<'a> {
    /// Nothing is made yet.
    pub(super) fn of(
        jury: Jury<'a>,
        describer: &'a Describer,
        kept: Option<&'a Kept>,
        told: &'a Told<'a>,
    ) -> Self {
        let most = jury.plan.config.eval.probing.images;
        Self {
            jury,
            describer,
            kept,
            told,
            ids: [jury.memory, jury.eval].map(|feed| spread(feed.images().len(), most)),
            key: keys::of_images(jury),
            images: OnceCell::new(),
            corpora: OnceCell::new(),
            boxes: OnceCell::new(),
            altered: OnceCell::new(),
        }
    }

    fn settings(&self) -> &'a Probing {
        &self.jury.plan.config.eval.probing
    }

    /// Whether the words are those that the source knows.
    pub(super) fn is_known(&self) -> bool {
        let known = self.jury.memory.images().objects().is_some();
        self.jury.plan.judging.vocabulary != WordSource::Found && known
    }

    /// Images of the first split; those of the others follow.
    pub(super) fn first(&self) -> i64 {
        self.ids[0].len() as i64
    }

    pub(super) fn images(&self) -> Result<&[Arc<Vec<Rgb>>; 2], Left> {
        once(&self.images, || {
            let side = self.settings().side;
            let read = |at: usize| {
                let feed = [self.jury.memory, self.jury.eval][at];
                corpus::images(feed, &self.ids[at], side).map(Arc::new)
            };
            Ok([read(0)?, read(1)?])
        })
    }

    pub(super) fn corpora(&self) -> Result<&[Rc<Corpus>; 2], Left> {
        once(&self.corpora, || {
            let images = self.images()?;
            let cut = |at: usize| {
                Corpus::of(Arc::clone(&images[at]), self.settings(), self.told).map(Rc::new)
            };
            Ok([cut(0)?, cut(1)?])
        })
    }

    /// Which words the images have. They are kept, and drawn where they are.
    pub(super) fn occurrences(&self) -> Result<Occurrences, Left> {
        let (settings, seed) = (self.settings(), self.jury.plan.config.seed);
        let cut = keys::of_superpixels(settings);
        let splits = [
            (self.jury.memory.images(), self.ids[0].as_slice()),
            (self.jury.eval.images(), self.ids[1].as_slice()),
        ];
        let known = Occurrences::known(splits).filter(|_| self.is_known());
        let of = match &known {
            Some(known) => json!(keys::digest_of(&known.named())),
            None => json!([
                settings.words,
                settings.concepts,
                seed,
                self.describer.key()
            ]),
        };
        let key = keys::digest(&json!([self.key, cut, of]));
        let is_drawn = |kept: &Kept| pictures::FILES.iter().all(|file| kept.has(file));
        let before = self.kept.filter(|kept| is_drawn(kept));
        let before = before.and_then(|kept| Occurrences::of(kept.load(WORDS, &key)?));
        if let Some(before) = before {
            return Ok(before);
        }
        let found = match known {
            Some(known) => known,
            None => {
                Occurrences::found(self.corpora()?, (settings, seed), self.describer, self.told)?
            }
        };
        if let Some(kept) = self.kept {
            match pictures::draw(self, self.jury, &found, kept) {
                Err(Left::Out(why)) => tracing::warn!("the words are not drawn: {why}"),
                other => other?,
            }
            kept.save(WORDS, &key, &found.named());
        }
        Ok(found)
    }

    /// What is asked of the pictures that are shown, `[P, 1]` i64 of both splits.
    ///
    /// # Panics
    /// Of the images: scripts say what is asked of them.
    pub(super) fn targets(&self, shown: Shown) -> Result<[Tensor; 2], Left> {
        let name = format!("targets-{}", shown.name());
        let named = self.remembered(&name, &keys::digest(&self.key_of(shown)), || {
            let [own, other] = &self.pictures(shown)?.targets;
            Ok(both(own, other))
        })?;
        Ok(of_both(named))
    }

    /// What a reader makes of the pictures that are shown.
    pub(super) fn features(&self, reader: &Reader<'_>, shown: Shown) -> Result<Features, Left> {
        let key = keys::digest(&json!([self.key_of(shown), reader.key()]));
        let who = match reader.name() {
            "" => "encoder",
            who => who,
        };
        let name = format!("features-{who}-{}", shown.name());
        let named = self.remembered(&name, &key, || {
            let pictures: [&[Rgb]; 2] = match shown {
                Shown::Images => self.images()?.each_ref().map(|images| images.as_slice()),
                _ => self.pictures(shown)?.pictures.each_ref().map(Vec::as_slice),
            };
            let what = format!("{} read by {who}", shown.name());
            let read = |split: usize| {
                self.told.tell(&what, split, 2);
                reader.features(pictures[split], 2 * shown as u64 + split as u64)
            };
            Ok(both(&read(0)?, &read(1)?))
        })?;
        let of = of_both(named);
        Ok(Features { of, key })
    }

    /// What pictures and targets follow from.
    fn key_of(&self, shown: Shown) -> Value {
        let settings = self.settings();
        let cut = keys::of_superpixels(settings);
        match shown {
            Shown::Images => self.key.clone(),
            Shown::Boxes => json!([self.key, cut, shown.name(), settings.characters]),
            Shown::Altered => {
                json!([self.key, cut, shown.name(), self.jury.plan.config.seed])
            }
        }
    }

    /// The numbers that were found for features and targets before; see [`Material::remember_answers`].
    pub(super) fn answers(&self) -> BTreeMap<String, Tensor> {
        let kept = self.kept.and_then(|kept| kept.load(ANSWERS, ANSWERS));
        kept.unwrap_or_default()
    }

    /// Keeps numbers by what they follow from.
    pub(super) fn remember_answers(&self, answers: &BTreeMap<String, Tensor>) {
        if let Some(kept) = self.kept {
            let named = answers.iter();
            let named = named.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
            kept.save(ANSWERS, ANSWERS, &named.collect::<Vec<_>>());
        }
    }

    /// What was kept under this key, or else what is made now, and kept.
    pub(super) fn remembered(
        &self,
        part: &str,
        key: &str,
        make: impl FnOnce() -> Result<Vec<(String, Tensor)>, Left>,
    ) -> Result<BTreeMap<String, Tensor>, Left> {
        if let Some(found) = self.kept.and_then(|kept| kept.load(part, key)) {
            return Ok(found);
        }
        let made = make()?;
        if let Some(kept) = self.kept {
            kept.save(part, key, &made);
        }
        Ok(made.into_iter().collect())
    }

    fn pictures(&self, shown: Shown) -> Result<&Pictures, Left> {
        match shown {
            Shown::Images => unreachable!("scripts say what is asked of the images"),
            Shown::Boxes => once(&self.boxes, || self.make_boxes()),
            Shown::Altered => once(&self.altered, || self.make_altered()),
        }
    }

    /// Superpixels, and how much of its box each fills, in bins of pixels of its picture of 224 times 224.
    fn make_boxes(&self) -> Result<Pictures, Left> {
        let side = self.settings().side as usize;
        let split = |at: usize| {
            let corpus = &self.corpora()?[at];
            let places = corpus.places();
            if places.is_empty() {
                return Err(Left::Out(format!(
                    "no image of a split has a superpixel that is kept, with eval.probing.segments {:?}",
                    self.settings().segments
                )));
            }
            let chosen = spread(places.len(), self.settings().characters);
            let chosen: Vec<_> = chosen.into_iter().map(|at| places[at as usize]).collect();
            let (mut pictures, mut counts) = (Vec::new(), Vec::new());
            // Counted at the size of the edges, kept at that of the images.
            for places in chosen.chunks(CHUNK) {
                self.told
                    .tell("superpixels in their boxes", counts.len(), chosen.len());
                let large = corpus.pictures(places, CHARACTER_SIDE)?;
                counts.extend(large.iter().map(|picture| character_pixels(picture) as f64));
                pictures.extend(corpus.pictures(places, side)?);
            }
            let classes = bins(&counts, &CHARACTERS).map_err(out)?;
            Ok::<_, Left>((pictures, Tensor::from_slice(&classes).unsqueeze(1)))
        };
        Ok(of_splits(split(0)?, split(1)?))
    }

    fn make_altered(&self) -> Result<Pictures, Left> {
        let split = |at: usize| {
            let own = &self.corpora()?[at];
            let feed = [self.jury.memory, self.jury.eval][at];
            let classes = labels(feed).take(&Tensor::from_slice(&self.ids[at]));
            let classes = Vec::<i64>::try_from(classes).expect("a line of integers");
            let seed = (self.jury.plan.config.seed, at as u64);
            let (images, altered) = odd_man::altered(own, &classes, seed, self.told)?;
            Ok::<_, Left>((images, Tensor::from_slice(&altered).unsqueeze(1)))
        };
        Ok(of_splits(split(0)?, split(1)?))
    }
}

/// The file of the words.
const WORDS: &str = "words";
/// The file of the numbers that were found.
const ANSWERS: &str = "answers";

fn of_splits(own: (Vec<Rgb>, Tensor), other: (Vec<Rgb>, Tensor)) -> Pictures {
    Pictures {
        pictures: [own.0, other.0],
        targets: [own.1, other.1],
    }
}

fn both(own: &Tensor, other: &Tensor) -> Vec<(String, Tensor)> {
    let named = [("own", own), ("other", other)];
    named
        .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
        .into()
}

fn of_both(mut named: BTreeMap<String, Tensor>) -> [Tensor; 2] {
    ["own", "other"].map(|name| {
        let found = named.remove(name);
        found.expect("what is kept under its key is whole")
    })
}
