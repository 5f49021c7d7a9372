//! Which pictures a run makes, and when; what is in them is decided in `diagnostics/`. Nothing here draws a random number, and nothing
//! changes the run.

use tch::Tensor;

use crate::diagnostics;
use crate::diagnostics::pictures::{
    Picture, Seen, Truth, clusters, confusion, episode, pairs, prototypes,
};
use crate::diagnostics::projector::{self, Column, Embedding};
use crate::method::oupn::Window;
use crate::train::step::Report;
use crate::train::trainer::Trainer;
use crate::views::turned;

/// Whether the evaluation after so many steps has pictures: each `log.images`-th one, and the last. A function of the step alone, so
/// that a resumed run makes the pictures of one that was not cut.
pub(crate) fn due(trainer: &Trainer) -> bool {
    let config = &trainer.plan.config;
    if config.log.images == 0 {
        return false;
    }
    let epoch = trainer.step / trainer.loader.steps_per_epoch();
    trainer.step == trainer.steps
        || epoch.is_multiple_of(config.eval.every.max(1) * config.log.images)
}

/// The pictures of an evaluation by their tags; `labels [N]` are the true classes of the training images, where they have any.
pub(crate) fn round(
    trainer: &Trainer,
    report: &Report,
    labels: Option<&Tensor>,
) -> Vec<(&'static str, Picture)> {
    let truth = truth(trainer, labels);
    let truth = truth.as_ref();
    let mut pictures = Vec::new();
    if let Some(relation) = &report.relation {
        let rows = pairs::chosen(
            &pairs::Choice {
                index: &report.index,
                pairs: &relation.pairs,
                positives: &relation.cosines.positives,
                negatives: &relation.cosines.negatives,
            },
            truth,
        );
        let images = trainer.train.raw(&pairs::ids(&rows));
        pictures.push(("gallery/pairs", pairs::draw(&rows, &images, truth)));
    }
    if let Some(window) = &report.contrast.window {
        pictures.extend(of_window(trainer, window, truth));
    }
    let Some(bank) = &trainer.bank else {
        return pictures;
    };
    let shown = clusters::chosen(&bank.view(), truth);
    let images = trainer.train.raw(&clusters::ids(&shown));
    pictures.push(("gallery/clusters", clusters::draw(&shown, &images, truth)));
    if let Some(truth) = truth
        && let Some(table) = confusion::table(&bank.view(), truth)
    {
        pictures.push(("clusters/confusion", confusion::draw(&table, truth)));
    }
    pictures
}

/// The pictures of the last window of the first stream.
fn of_window(
    trainer: &Trainer,
    window: &Window,
    truth: Option<&Truth<'_>>,
) -> Vec<(&'static str, Picture)> {
    let seen = Seen::of(window, &trainer.frames, truth);
    let mut pictures = vec![("stream/episode", episode::draw(&episode::bands(&seen)))];
    let rows = prototypes::chosen(&seen);
    if !rows.is_empty() {
        let (ids, turns) = prototypes::shown(&rows);
        let images = turned(squares(&trainer.train.raw(&ids)), &turns);
        let picture = prototypes::draw(&rows, &seen, &images);
        pictures.push(("stream/prototypes", picture));
    }
    pictures
}

/// The largest square in the middle of each image `[n, C, H, W]`: what a method sees of it, and what can be turned.
fn squares(images: &Tensor) -> Tensor {
    let size = images.size();
    let side = size[2].min(size[3]);
    images
        .narrow(2, (size[2] - side) / 2, side)
        .narrow(3, (size[3] - side) / 2, side)
}

/// What the projector shows at the end of a run: rows of the bank, or without one the evaluation images as the encoder sees them;
/// nothing when no pictures are wanted.
pub(crate) fn embedding(trainer: &Trainer, labels: Option<&Tensor>) -> Option<Embedding> {
    if trainer.plan.config.log.images == 0 {
        return None;
    }
    Some(match &trainer.bank {
        Some(bank) => {
            let ids = projector::chosen(bank.rows() as usize, bank.dim());
            let at = Tensor::from_slice(&ids).to_device(bank.device());
            let features = bank.features().index_select(0, &at);
            let clusters = bank.labels().index_select(0, &at);
            let mut columns = classes(truth(trainer, labels).as_ref(), &at);
            columns.push(("cluster", words(&clusters)));
            columns.push(("image", words(&at)));
            let images = in_chunks(&ids, |ids| trainer.train.raw(ids));
            Embedding::of("bank", &features, &columns, &images)
        }
        None => {
            let of = trainer.eval.images();
            let recipe = &trainer.plan.recipe;
            let dim = trainer.query.spec().features();
            let ids = projector::chosen(of.len(), dim);
            let at = Tensor::from_slice(&ids);
            let features = in_chunks(&ids, |ids| {
                trainer
                    .query
                    .features(&trainer.eval.plain(recipe, ids), false)
            });
            let labels = of.labels_tensor();
            let truth = labels.as_ref().map(|labels| Truth {
                labels,
                names: of.classes(),
            });
            let mut columns = classes(truth.as_ref(), &at);
            columns.push(("image", words(&at)));
            let images = in_chunks(&ids, |ids| trainer.eval.raw(ids));
            Embedding::of("encoder", &features, &columns, &images)
        }
    })
}

fn truth<'a>(trainer: &'a Trainer, labels: Option<&'a Tensor>) -> Option<Truth<'a>> {
    let names = trainer.train.images().classes();
    labels.map(|labels| Truth { labels, names })
}

/// The column of the true classes, where there are any.
fn classes(truth: Option<&Truth<'_>>, at: &Tensor) -> Vec<Column> {
    let column = truth.map(|truth| ("class", truth.names_of(at)));
    column.into_iter().collect()
}

fn words(integers: &Tensor) -> Vec<String> {
    let integers = diagnostics::integers(integers);
    integers.iter().map(i64::to_string).collect()
}

/// What `of` gives of all these images, which is asked of not too many at once.
fn in_chunks(ids: &[i64], of: impl Fn(&[i64]) -> Tensor) -> Tensor {
    tch::no_grad(|| Tensor::cat(&ids.chunks(512).map(of).collect::<Vec<_>>(), 0))
}
