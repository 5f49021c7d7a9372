//! Which visual words the classes of a classifier lean on: TCAV scores of the words that were found, for the linear classifier of the
//! encoder's features, in the map before the encoder's last stage. The last map itself would say nothing: behind it is a mean and a
//! linear classifier, whose gradient is nearly the same for all images.

use std::collections::BTreeMap;

use rand::seq::index;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::corpus::{Corpus, Place, out, stacked};
use super::material::Material;
use super::sentences::Occurrences;
use super::{Jury, Means, keys};
use crate::eval::Fitted;
use crate::eval::probing::{direction, gradients, t_test, tcav_scores};
use crate::ground::seed::{Purpose, stream};
use crate::ground::stop;
use crate::judge::left::Left;
use crate::judge::{Verdict, labels};
use crate::model::Network;

/// Pictures of a word, those nearest its centre, and as many random ones, at most; a word of fewer than the other is left out.
const MOST: usize = 40;
const FEWEST: usize = 10;

/// Pictures and images that go through the encoder at once.
const CHUNK: usize = 256;

/// Words of a class that are listed, those of the highest scores.
const LISTED: usize = 5;

/// How likely any pair at all may seem significant by chance, divided among the pairs (Bonferroni).
const LEVEL: f64 = 0.05;

/// Adds the scores to a verdict, or why there are none.
pub(super) fn add(
    verdict: Verdict,
    network: &Network,
    material: &Material<'_>,
    means: &Means<'_>,
) -> Result<Verdict, Left> {
    match scores(network, material, means) {
        Ok(scores) => Ok(scores.told(verdict, material.jury)),
        Err(Left::Out(why)) => {
            tracing::warn!("probing: TCAV is left out, because {why}");
            Ok(verdict.detail("tcav", json!({ "left_out": why })))
        }
        Err(stopped) => Err(stopped),
    }
}

/// Scores of `N` random sets.
struct Scores {
    /// The numbers of the words that have enough pictures, `[W]`.
    words: Vec<i64>,
    /// The evaluation images of each class, `[K]`.
    images: Vec<i64>,
    /// `[K, W, N]` f64.
    own: Tensor,
    /// Of random pictures in a word's place, `[K, N]` f64.
    random: Tensor,
}

fn scores(network: &Network, material: &Material<'_>, means: &Means<'_>) -> Result<Scores, Left> {
    if material.is_known() {
        let why = "the words are known, and no cut-outs of superpixels; eval.probing.vocabulary=found finds some";
        return Err(Left::Out(why.into()));
    }
    let config = &material.jury.plan.config;
    let occurrences = material.occurrences()?;
    let key = keys::digest(&json!([
        keys::of_images(material.jury),
        keys::of_superpixels(&config.eval.probing),
        keys::digest_of(&occurrences.named()),
        keys::of_encoder(network, material.jury.plan),
        config.eval.linear,
        config.eval.probing.tcav,
        config.seed,
    ]));
    let named = material.remembered("tcav", &key, || {
        let lens = Lens::of(network, material, means)?;
        Ok(lens.scores(&occurrences)?.named())
    })?;
    Ok(Scores::of(&named))
}

/// A classifier, through which words and images are seen.
struct Lens<'a, 'b> {
    network: &'a Network,
    classifier: Fitted,
    material: &'a Material<'a>,
    means: &'a Means<'b>,
    corpus: &'a Corpus,
}

impl<'a, 'b> Lens<'a, 'b> {
    fn of(
        network: &'a Network,
        material: &'a Material<'a>,
        means: &'a Means<'b>,
    ) -> Result<Self, Left> {
        if network.kernels().is_some() {
            let why = "a kernel network has no middle layer with a gradient";
            return Err(Left::Out(why.into()));
        }
        let jury = material.jury;
        let features = (means.features)()?;
        if features.broken() > 0 {
            let why = format!(
                "the features of {} images are not finite",
                features.broken()
            );
            return Err(Left::Out(why));
        }
        let (train, _) = features.pairs();
        let probe = &jury.plan.judging.linear;
        let seed = jury.plan.config.seed;
        Ok(Self {
            network,
            classifier: Fitted::to(train, jury.classes(), probe, seed),
            material,
            means,
            corpus: &material.corpora()?[0],
        })
    }

    fn scores(&self, occurrences: &Occurrences) -> Result<Scores, Left> {
        let places = self.corpus.places();
        let words = nearest(occurrences, places.len());
        if words.is_empty() {
            let why = format!("no word has {FEWEST} superpixels");
            return Err(Left::Out(why));
        }
        let sets = [0, 1].map(|kind| self.random(&places, kind));
        let [beside, instead] = sets;
        let (beside, instead) = (beside?, instead?);
        let mut directions = Vec::new();
        for (at, (_, own)) in words.iter().enumerate() {
            self.means
                .told
                .tell("words told from random superpixels", at, words.len());
            let own: Vec<_> = own.iter().map(|&at| places[at]).collect();
            let own = self.activations(&own)?;
            directions.push(directions_of(beside.iter().map(|random| (&own, random)))?);
        }
        directions.push(directions_of(instead.iter().zip(&beside))?);
        let directions = Tensor::cat(&directions, 0);
        let (images, found) = self.of_classes(&directions)?;
        let (count, sets) = (words.len() as i64, beside.len() as i64);
        let found = found.view([-1, count + 1, sets]);
        Ok(Scores {
            words: words.into_iter().map(|(word, _)| word).collect(),
            images,
            own: found.narrow(1, 0, count),
            random: found.select(1, count),
        })
    }

    /// Activations `[M, C]` of sets of random superpixels, which are the same for all words.
    fn random(&self, places: &[Place], kind: u64) -> Result<Vec<Tensor>, Left> {
        let config = &self.material.jury.plan.config;
        let sets = 0..config.eval.probing.tcav as u64;
        let set = |set| {
            let mut rng = stream(config.seed, Purpose::RandomConcepts, set, kind);
            let drawn = index::sample(&mut rng, places.len(), MOST.min(places.len()));
            let drawn: Vec<_> = drawn.iter().map(|at| places[at]).collect();
            self.activations(&drawn)
        };
        sets.map(set).collect()
    }

    /// The map before the last stage, averaged over space, of superpixels as they are cut out, `[P, C]` f64 on the CPU.
    fn activations(&self, places: &[Place]) -> Result<Tensor, Left> {
        stop::look()?;
        let recipe = &self.material.jury.plan.recipe;
        let pictures = self.corpus.pictures(places, recipe.size as usize)?;
        let pictures = stacked(&pictures, self.network.device())?;
        let shown = recipe.plain(&pictures.narrow(1, 0, recipe.mean.len() as i64));
        let map = tch::no_grad(|| self.middle(&shown));
        let means = map.mean_dim([2i64, 3].as_slice(), false, Kind::Double);
        Ok(means.to_device(Device::Cpu))
    }

    fn middle(&self, images: &Tensor) -> Tensor {
        let map = self.network.middle(images);
        map.expect("an encoder that is no kernel network has a map before its last stage")
    }

    /// How many of the evaluation images are of each class, `[K]`, and the scores of directions `[D, C]` there, `[K, D]`; those of a
    /// class without images are no numbers.
    fn of_classes(&self, directions: &Tensor) -> Result<(Vec<i64>, Tensor), Left> {
        let jury = self.material.jury;
        let ids = &self.material.ids[1];
        let classes = labels(jury.eval).take(&Tensor::from_slice(ids));
        let mut slopes = Vec::new();
        for (at, some) in ids.chunks(CHUNK).enumerate() {
            stop::look()?;
            let map = tch::no_grad(|| self.middle(&jury.eval.plain(&jury.plan.recipe, some)));
            let own = classes.narrow(0, (at * CHUNK) as i64, some.len() as i64);
            let logits = |map: &Tensor| self.classifier.logits(&self.network.rest(map));
            let slope = gradients(&map, &own.to_device(map.device()), logits);
            slopes.push(slope.to_device(Device::Cpu));
        }
        let slopes = Tensor::cat(&slopes, 0);
        let of_class = (0..jury.classes()).map(|class| {
            let own = slopes.index_select(0, &classes.eq(class).nonzero().squeeze_dim(1));
            (own.size()[0], tcav_scores(&own, directions))
        });
        let (counts, scores): (Vec<i64>, Vec<Tensor>) = of_class.unzip();
        Ok((counts, Tensor::stack(&scores, 0)))
    }
}

/// The directions `[N, C]` of N times a concept's pictures and random ones, of which as many are taken.
fn directions_of<'a>(
    pairs: impl Iterator<Item = (&'a Tensor, &'a Tensor)>,
) -> Result<Tensor, Left> {
    let found = pairs.map(|(own, random)| {
        stop::look()?;
        let as_many = random.narrow(0, 0, own.size()[0].min(random.size()[0]));
        direction(own, &as_many).map_err(out)
    });
    let found = found.collect::<Result<Vec<_>, Left>>()?;
    Ok(Tensor::stack(&found, 0))
}

/// The words with enough superpixels among the first ones, which are those of the first split, and the places of the nearest to each
/// centre there.
fn nearest(occurrences: &Occurrences, first: usize) -> Vec<(i64, Vec<usize>)> {
    let words = Vec::<i64>::try_from(&occurrences.words).expect("a line of integers");
    let apart = Vec::<f64>::try_from(&occurrences.apart).expect("a line of numbers");
    let mut own = BTreeMap::<i64, Vec<usize>>::new();
    for (at, word) in words.into_iter().take(first).enumerate() {
        own.entry(word).or_default().push(at);
    }
    own.retain(|_, own| own.len() >= FEWEST);
    for own in own.values_mut() {
        own.sort_by(|&a, &b| apart[a].total_cmp(&apart[b]));
        own.truncate(MOST);
    }
    own.into_iter().collect()
}

impl Scores {
    fn named(&self) -> Vec<(String, Tensor)> {
        let all = [
            ("words", Tensor::from_slice(&self.words)),
            ("images", Tensor::from_slice(&self.images)),
            ("own", self.own.contiguous()),
            ("random", self.random.contiguous()),
        ];
        all.map(|(name, tensor)| (name.to_owned(), tensor)).into()
    }

    /// Of tensors that [`Scores::named`] gave.
    fn of(named: &BTreeMap<String, Tensor>) -> Self {
        let line = |name: &str| Vec::<i64>::try_from(&named[name]).expect("a line of integers");
        Self {
            words: line("words"),
            images: line("images"),
            own: named["own"].shallow_clone(),
            random: named["random"].shallow_clone(),
        }
    }

    /// Each class that has images, with its words, those of the highest scores first.
    fn classes(&self) -> Vec<(usize, Vec<Leaning>)> {
        let classes = (0..self.images.len()).filter(|&class| self.images[class] > 0);
        let of = |class: usize| {
            let own = self.own.get(class as i64);
            let random = numbers(&self.random.get(class as i64));
            let words = (0..).zip(&self.words);
            let mut words: Vec<_> = words
                .map(|(at, word)| Leaning::of(*word, &numbers(&own.get(at)), &random))
                .collect();
            words.sort_by(|a, b| b.score.total_cmp(&a.score));
            (class, words)
        };
        classes.map(of).collect()
    }

    fn told(&self, verdict: Verdict, jury: Jury<'_>) -> Verdict {
        let classes = self.classes();
        let pairs = classes.len() * self.words.len();
        let level = LEVEL / pairs.max(1) as f64;
        let all = classes.iter().flat_map(|(_, words)| words);
        let significant = all.filter(|one| one.p < level).count();
        let best: f64 = classes.iter().map(|(_, words)| words[0].score).sum();
        let names = jury.memory.images().classes();
        let said = classes.iter().map(|(class, words)| {
            let random = numbers(&self.random.get(*class as i64));
            let words: Vec<_> = words.iter().take(LISTED).map(Leaning::said).collect();
            let said =
                json!({ "images": self.images[*class], "random": mean(&random), "words": words });
            (names[*class].clone(), said)
        });
        let said: serde_json::Map<String, Value> = said.collect();
        verdict
            .number(
                "tcav_significant",
                format!("TCAV: significant of {pairs} pairs of word and class"),
                significant as f64,
                "pairs",
            )
            .number(
                "tcav_best",
                "TCAV: score of a class's best word, mean",
                best / classes.len() as f64,
                "",
            )
            .detail("tcav_pairs", pairs)
            .detail("tcav", said)
    }
}

/// How a class leans on a word.
struct Leaning {
    word: i64,
    /// Mean and standard deviation over the random sets.
    score: f64,
    deviation: f64,
    /// That random pictures in the word's place have scores of this mean.
    p: f64,
}

impl Leaning {
    fn of(word: i64, scores: &[f64], random: &[f64]) -> Self {
        let score = mean(scores);
        let squares: f64 = scores.iter().map(|one| (one - score).powi(2)).sum();
        Self {
            word,
            score,
            deviation: (squares / (scores.len() - 1) as f64).sqrt(),
            p: t_test(scores, random),
        }
    }

    fn said(&self) -> Value {
        json!({ "word": self.word, "score": self.score, "std": self.deviation, "p": self.p })
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn numbers(line: &Tensor) -> Vec<f64> {
    Vec::try_from(line).expect("a line of numbers")
}
