//! Slot `stream`: how classes follow each other in a window of a stream.

mod contract;

use tch::{Device, Kind, Tensor};

use super::{Fault, Question, Respondent, ask};
use crate::ground::Now;

pub use contract::CONTRACT;

/// What a stream is asked about.
#[derive(Debug)]
pub struct Context<'a> {
    /// Images of each class, C numbers.
    pub sizes: &'a [i64],
    /// The classes of each context of the window.
    pub contexts: &'a [Vec<i64>],
    /// Frames of a window.
    pub frames: usize,
    /// Training images, of which counts are fractions.
    pub rows: i64,
    /// When; its part is the number of the stream.
    pub now: Now,
}

impl Context<'_> {
    /// The classes of each context, `[G, M]` i64 with -1 where one has fewer.
    fn table(&self) -> Tensor {
        let most = self.contexts.iter().map(Vec::len).max().unwrap_or(0);
        let rows = self.contexts.iter().flat_map(|classes| {
            let none = std::iter::repeat_n(-1, most - classes.len());
            classes.iter().copied().chain(none)
        });
        let table = Tensor::from_slice(&rows.collect::<Vec<_>>());
        table.view([self.contexts.len() as i64, most as i64])
    }
}

/// Asks for the class of each frame of a window.
///
/// # Errors
/// The policy's fault, or one that says what was wrong with its answer.
pub fn run(policy: &mut dyn Respondent, ctx: &Context<'_>) -> Result<Vec<i64>, Fault> {
    let question = Question::begin(&CONTRACT, "decide", (ctx.rows, Device::Cpu), ctx.now)
        .tensor("sizes", &Tensor::from_slice(ctx.sizes))
        .tensor("contexts", &ctx.table())
        .tensor(
            "frames",
            &Tensor::arange(ctx.frames as i64, (Kind::Int64, Device::Cpu)),
        )
        .end();
    let classes = ask(policy, &question)?.required("classes");
    let classes = Vec::<i64>::try_from(classes.to_device(Device::Cpu));
    Ok(classes.expect("the contract says that these are integers"))
}
