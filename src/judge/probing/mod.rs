//! What a representation knows of the superpixels of an image (Basaj et al. 2021, arXiv 2106.11054): linear classifiers of frozen features
//! answer which visual words an image has, how many, how much of its box a superpixel fills, and whether one of them was put there.
//!
//! They are fitted on images of the labelled split that neighbours are taken from, and scored on evaluation images; beside the encoder stand
//! untrained weights, pixels, and noise, which must be at chance.

mod answers;
mod corpus;
mod odd_man;
mod policies;
mod readers;
mod sentences;

use std::rc::Rc;

use serde_json::json;
use tch::Tensor;

use super::left::Left;
use super::{Jury, Verdict, labels};
use crate::config::{Evaluation, Probing, WordSource};
use crate::eval::probing::{CHARACTERS, Rgb, bins, character_pixels};
use crate::ground::spread;
use crate::ground::stop::Stopped;
use crate::model::Network;
use crate::slots::probe;
use answers::{Answer, answer};
use corpus::{Corpus, out};
use policies::Policies;
use readers::Reader;
pub use sentences::Describer;
use sentences::Sentences;

/// The tasks that are not scripts: they need other pictures than the images.
const CHARACTER_BIN: &str = "character_bin";
/// Whether a superpixel was put there from another image.
const ODD_MAN_OUT: &str = "odd_man_out";

/// Side of the pictures whose characters are counted: what the edges of the bins are for.
const CHARACTER_SIDE: usize = 224;

/// A task: pictures of both splits, and what is asked of each.
struct Task {
    name: String,
    /// None: the images themselves.
    pictures: Option<[Vec<Rgb>; 2]>,
    /// `[P, T]` i64.
    targets: [Tensor; 2],
}

/// Judges an encoder; with `baselines` untrained weights, pixels and noise beside it.
pub(super) fn probing(
    network: &Network,
    jury: Jury<'_>,
    describer: &Describer,
    baselines: bool,
) -> Result<Verdict, Stopped> {
    let settings = &jury.plan.config.eval.probing;
    let known = is_known(jury);
    let mut said = json!(settings);
    said["described"] = json!(describer.name());
    if known {
        said["words"] = json!("known");
        said["described"] = json!("not");
    }
    let verdict = Verdict::new(Evaluation::Probing, said);
    match asked(network, jury, describer, baselines) {
        Ok(said) => Ok(said.into_iter().fold(verdict, add)),
        Err(Left::Stopped(stopped)) => Err(stopped),
        Err(Left::Out(why)) => Ok(verdict.leaves_out(why)),
    }
}

/// Whether the words are those that the source knows.
fn is_known(jury: Jury<'_>) -> bool {
    jury.plan.judging.vocabulary != WordSource::Found && jury.memory.images().objects().is_some()
}

/// Who answered, what, and how well.
type Said = (&'static str, String, Answer);

fn add(verdict: Verdict, (who, task, answer): Said) -> Verdict {
    let spoken = task.replace('_', " ");
    let (first, second) = match answer.binary {
        true => ("AUC, hard", "AUC"),
        false => ("AUC, one vs rest", "AUC, one vs one"),
    };
    let (key, name) = match who {
        "" => (task, spoken),
        who => (format!("{who}_{task}"), format!("{spoken}, {who}")),
    };
    let other = if answer.binary { "score" } else { "ovo" };
    verdict
        .number(key.clone(), format!("{name}: {first}"), answer.auc, "")
        .number(
            format!("{key}_{other}"),
            format!("{name}: {second}"),
            answer.other,
            "",
        )
        .detail(&format!("{key}_questions"), answer.questions)
}

fn asked(
    network: &Network,
    jury: Jury<'_>,
    describer: &Describer,
    baselines: bool,
) -> Result<Vec<Said>, Left> {
    let (plan, seed) = (jury.plan, jury.plan.config.seed);
    let corpora = [jury.memory, jury.eval].map(|feed| Corpus::of(feed, &plan.config.eval.probing));
    let [own, other] = corpora;
    let corpora = [Rc::new(own?), Rc::new(other?)];
    let tasks = tasks(&corpora, jury, describer)?;
    let random = Network::new(network.spec(), network.device(), seed);
    let mut readers = vec![("", Reader::Encoder(network, plan))];
    if baselines {
        readers.push(("random", Reader::Encoder(&random, plan)));
        readers.push(("pixels", Reader::Pixels));
        readers.push(("noise", Reader::Noise(seed)));
    }
    let mut said = Vec::new();
    for (who, reader) in readers {
        let whole = read(&reader, [&corpora[0].images, &corpora[1].images], 0)?;
        for (at, task) in (1..).zip(&tasks) {
            let own = task.pictures.as_ref();
            let own = own.map(|pictures| read(&reader, pictures.each_ref().map(Vec::as_slice), at));
            let own = own.transpose()?;
            let features = own.as_ref().unwrap_or(&whole);
            let found = answer(features.each_ref(), task.targets.each_ref(), seed)?;
            said.extend(found.map(|answer| (who, task.name.clone(), answer)));
        }
    }
    match said.is_empty() {
        true => Err(Left::Out(
            "no task has several answers in both splits".into(),
        )),
        false => Ok(said),
    }
}

fn read(reader: &Reader<'_>, pictures: [&[Rgb]; 2], part: u64) -> Result<[Tensor; 2], Stopped> {
    let features = |split: usize| reader.features(pictures[split], 2 * part + split as u64);
    Ok([features(0)?, features(1)?])
}

fn tasks(
    corpora: &[Rc<Corpus>; 2],
    jury: Jury<'_>,
    describer: &Describer,
) -> Result<Vec<Task>, Left> {
    let settings = &jury.plan.config.eval.probing;
    let mut policies = Policies::of(jury.plan).map_err(|fault| Left::fault(&fault))?;
    let sentences = match policies.is_empty() {
        true => None,
        false => Some(sentences(corpora, jury, describer)?),
    };
    let mut tasks = Vec::new();
    for (name, policy) in policies.iter_mut() {
        let sentences = sentences.as_ref().expect("they were made for the policies");
        let targets = probe::run(policy, &sentences.context(jury.moment()));
        let targets = targets.map_err(|fault| Left::fault(&fault))?;
        let first = corpora[0].images.len() as i64;
        let rest = targets.size()[0] - first;
        tasks.push(Task {
            name: name.clone(),
            pictures: None,
            targets: [targets.narrow(0, 0, first), targets.narrow(0, first, rest)],
        });
    }
    let names = |name: &str| settings.tasks.iter().any(|task| task.as_os_str() == name);
    if names(CHARACTER_BIN) {
        tasks.push(characters(corpora, settings)?);
    }
    if names(ODD_MAN_OUT) {
        tasks.push(odd_man_out(corpora, jury)?);
    }
    Ok(tasks)
}

fn sentences(
    corpora: &[Rc<Corpus>; 2],
    jury: Jury<'_>,
    describer: &Describer,
) -> Result<Sentences, Left> {
    if is_known(jury) {
        let splits = [
            (jury.memory.images(), corpora[0].as_ref()),
            (jury.eval.images(), corpora[1].as_ref()),
        ];
        return Ok(Sentences::known(splits).expect("both splits are composed where one is"));
    }
    let settings = (&jury.plan.config.eval.probing, jury.plan.config.seed);
    Sentences::found(corpora.clone(), settings, describer)
}

/// How much of its box a superpixel fills, in bins of pixels of its picture of 224 times 224.
fn characters(corpora: &[Rc<Corpus>; 2], settings: &Probing) -> Result<Task, Left> {
    let split = |corpus: &Corpus| {
        let places = corpus.places();
        let chosen = spread(places.len(), settings.characters);
        let chosen: Vec<_> = chosen.into_iter().map(|at| places[at as usize]).collect();
        let (mut pictures, mut counts) = (Vec::new(), Vec::new());
        // Counted at the size of the edges, kept at that of the images.
        for places in chosen.chunks(256) {
            let large = corpus.pictures(places, CHARACTER_SIDE)?;
            counts.extend(large.iter().map(|picture| character_pixels(picture) as f64));
            pictures.extend(corpus.pictures(places, settings.side as usize)?);
        }
        let classes = bins(&counts, &CHARACTERS).map_err(out)?;
        Ok::<_, Left>((pictures, Tensor::from_slice(&classes).unsqueeze(1)))
    };
    let [own, other] = [split(&corpora[0])?, split(&corpora[1])?];
    Ok(Task {
        name: CHARACTER_BIN.into(),
        pictures: Some([own.0, other.0]),
        targets: [own.1, other.1],
    })
}

fn odd_man_out(corpora: &[Rc<Corpus>; 2], jury: Jury<'_>) -> Result<Task, Left> {
    let split = |at: usize, feed| {
        let own = &corpora[at];
        let classes = labels(feed).take(&Tensor::from_slice(&own.ids));
        let classes = Vec::<i64>::try_from(classes).expect("a line of integers");
        let seed = (jury.plan.config.seed, at as u64);
        let (images, altered) = odd_man::altered(own, &classes, seed)?;
        Ok::<_, Left>((images, Tensor::from_slice(&altered).unsqueeze(1)))
    };
    let [own, other] = [split(0, jury.memory)?, split(1, jury.eval)?];
    Ok(Task {
        name: ODD_MAN_OUT.into(),
        pictures: Some([own.0, other.0]),
        targets: [own.1, other.1],
    })
}
