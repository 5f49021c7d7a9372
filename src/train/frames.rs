//! The images of a step: a batch of the epoch's order, or the frames of a stream's window.

use tch::Tensor;

use crate::config::Plan;
use crate::config::plan::MethodKind;
use crate::config::stream::Order;
use crate::data::Feed;
use crate::data::stream::Frames;
use crate::ground::Now;
use crate::slots::{Slot, stream};
use crate::train::inter::ask;
use crate::train::trainer::Trainer;
use crate::views::turned;

impl Trainer {
    /// The images of the step that begins. Those of a stream are asked of slot `stream`, where that is filled.
    pub(super) fn draw_frames(&mut self, now: Now) -> Frames {
        match self.plan.order {
            Order::Shuffled | Order::Own => Frames {
                ids: self.loader.at(now.step).ids.to_vec(),
                ..Frames::default()
            },
            Order::Stream(_) => self.draw_window(now),
        }
    }

    fn draw_window(&mut self, now: Now) -> Frames {
        let Self {
            stream,
            gate,
            train,
            ..
        } = self;
        let stream = stream.as_ref().expect("a plan with a stream has made one");
        let rows = train.images().len() as i64;
        let classes = gate.filled(Slot::Stream).then(|| {
            let sizes = stream.sizes();
            ask(gate, Slot::Stream, now, |policy| {
                let each = 0..stream.spec().streams as u64;
                let asked = each.map(|of| {
                    let ctx = stream::Context {
                        sizes: &sizes,
                        contexts: &stream.contexts(now.step, of).0,
                        frames: stream.spec().frames,
                        rows,
                        now: Now { part: of, ..now },
                    };
                    stream::run(policy, &ctx)
                });
                asked.collect::<Result<Vec<_>, _>>()
            })
        });
        let classes = classes.flatten();
        let classes = classes.unwrap_or_else(|| stream.classes(now.step));
        stream.frames(now.step, &classes)
    }

    /// The first images of the step after this one, as far as they are known; those of a stream are known when that step begins.
    pub(super) fn next_ids(&mut self, now: Now, count: usize) -> Vec<i64> {
        match self.plan.order {
            Order::Shuffled | Order::Own => self.loader.at(now.step + 1).ids[..count].to_vec(),
            Order::Stream(_) => Vec::new(),
        }
    }

    /// The view of that number of some images, each turned by so many quarter turns.
    pub(super) fn view(&self, view: u64, shown: (&[i64], &[i64]), now: Now) -> Tensor {
        self::view((&self.train, &self.plan), view, shown, now)
    }
}

/// The view of that number of some images, `[B, C, H, W]` f32, each turned by so many quarter turns. Method `oupn` sees frames as they
/// come: its first view is the frame itself.
pub(super) fn view(
    (train, plan): (&Feed, &Plan),
    view: u64,
    (ids, turns): (&[i64], &[i64]),
    now: Now,
) -> Tensor {
    let views = match (view, plan.method) {
        (0, MethodKind::Oupn) => train.plain(&plan.recipe, ids),
        _ => train.view(&plan.recipe, now.seed, now.step, view, ids),
    };
    turned(views, turns)
}
