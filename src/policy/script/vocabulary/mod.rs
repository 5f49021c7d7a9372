//! The tensor vocabulary of scripts: PyTorch's words on tensor handles. It knows no slot and no policy.
//!
//! A script writes `x.matmul(y.t()) / 0.2` as it would in PyTorch, as a method or as a function (`matmul(x, y)`). What differs:
//!
//! - Nothing changes in place; `x += y` gives a new tensor to `x`.
//! - Shapes and several dimensions are arrays: `x.reshape([-1, 8])`, `x.sum([0, 1])`. `dim` and `keepdim` are positional, `()` means
//!   "not given". A word on one dimension (`softmax`, `topk`, `normalize`, ...) takes the last where none is given.
//! - `max` and `min` with a dimension give the values only; `topk`, `sort` and `unique` give a map (`x.topk(5).indices`).
//! - `==`, `<`, `&`, `|`, `!` work on each element and give a tensor; `if` needs a bool: `if x.any().item() { .. }`.
//!   A tensor compared with `()` is a bool, so `if this.means == () { .. }` works.
//! - Devices have no name: `x.new_zeros([..])` lies where `x` does, and `zeros([..])` on the device of [`set_device`].
//! - Random numbers come from the slot's `rng`.
//!
//! A wrong shape, type or index is an error of the script, never a panic. libtorch checks indices on the CPU; on CUDA it would kill
//! the process's context, so there the vocabulary reads the least and the greatest index first, which waits for the device and
//! counts in [`syncs`].

mod answer;
mod arguments;
mod arithmetic;
mod choose;
mod classify;
mod cluster;
mod compare;
mod create;
mod differ;
mod draw;
mod equal;
mod extent;
mod guard;
pub(super) mod held;
mod index;
mod inspect;
mod kind;
mod linear;
mod loss;
mod members;
mod number;
mod order;
mod random;
mod record;
mod reduce;
mod select;
mod shape;
mod signature;
pub(super) mod size;
#[cfg(test)]
mod trial;
mod verb;
mod word;

use std::borrow::Borrow;
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

use rhai::{Dynamic, Engine, Module, Shared, Token};
use tch::{Device, Tensor};

use crate::ground::clock::{CpuTime, Stopwatch};
use crate::ground::{memory, stop};
pub(super) use answer::sync;
pub use classify::Classifier;
pub(super) use differ::{Difference, differ, shown};
use held::Held;
pub use kind::kind_of;
pub(super) use kind::{in_words, is_foreign};
pub use random::Rng;
pub use record::map_of;
pub(super) use record::{Record, unchanged};
use verb::Verb;
pub use word::{Argument, Word};

/// A tensor as a script holds it: a reference-counted handle, registered as `Tensor`.
///
/// A handle may be a view of what the host gave, so the host gives no tensor that it later changes in place.
#[derive(Clone, Debug)]
pub struct Handle(Rc<Held>);

impl Handle {
    /// A handle of a tensor of any shape, type and device.
    pub fn new(tensor: Tensor) -> Self {
        Self(Rc::new(Held::new(tensor)))
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0.tensor
    }

    /// Whether both are one handle.
    fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Handle {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        self.tensor()
    }
}

impl Borrow<Tensor> for Handle {
    fn borrow(&self) -> &Tensor {
        self.tensor()
    }
}

impl From<Handle> for Dynamic {
    fn from(handle: Handle) -> Self {
        Dynamic::from(handle)
    }
}

/// All verbs, a list for each domain.
const DOMAINS: &[(&str, &[Verb])] = &[
    ("Creation", create::VERBS),
    ("Shape", shape::VERBS),
    ("Arithmetic", arithmetic::VERBS),
    ("Comparison", compare::VERBS),
    ("Reduction", reduce::VERBS),
    ("Indexing", index::VERBS),
    ("Order", order::VERBS),
    ("Linear algebra", linear::VERBS),
    ("Clusters", cluster::VERBS),
    ("Losses", loss::VERBS),
    ("Classifiers", classify::VERBS),
    ("Looking at tensors", inspect::VERBS),
    ("Random numbers", random::VERBS),
];

fn verbs() -> impl Iterator<Item = &'static Verb> {
    DOMAINS.iter().flat_map(|(_, verbs)| verbs.iter())
}

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static SYNCS: Cell<u64> = const { Cell::new(0) };
    static WORK: Cell<f64> = const { Cell::new(0.0) };
    static DEVICE: Cell<Device> = const { Cell::new(Device::Cpu) };
    static GIVEN: Cell<u64> = const { Cell::new(0) };
    static DEADLINE: Cell<Option<(CpuTime, f64)>> = const { Cell::new(None) };
    /// Building it takes longer than compiling a script, and each script has an engine of its own.
    static MODULE: Shared<Module> = Shared::new(module());
}

/// Calls of verbs by scripts of this thread since it began.
pub fn calls() -> u64 {
    CALLS.get()
}

/// Milliseconds that scripts of this thread have spent in verbs since it began: the work that they ask for.
pub fn work_ms() -> f64 {
    WORK.get()
}

/// Counts `act` as work that a script asks for.
pub(super) fn working<T>(act: impl FnOnce() -> T) -> T {
    let watch = Stopwatch::start();
    let answer = act();
    WORK.set(WORK.get() + watch.ms());
    answer
}

/// How often a verb made this thread wait for the device since it began: each reading of a value (`item`, `to_array`, printing), each
/// shape that depends on values (`nonzero`, `masked_select`, `unique`, a mask as index), and on CUDA each check of indices.
pub fn syncs() -> u64 {
    SYNCS.get()
}

/// Says where tensors lie that scripts of this thread create from nothing (`zeros([3])`); the CPU at first.
pub fn set_device(device: Device) {
    DEVICE.set(device);
}

/// Says how many bytes the largest tensor has that scripts of this thread are given next.
pub(super) fn set_given(bytes: u64) {
    GIVEN.set(bytes);
}

/// Says after how many milliseconds from that time on a verb is to leave what it does in rounds.
pub(super) fn set_deadline(since: CpuTime, ms: f64) {
    DEADLINE.set(Some((since, ms)));
}

/// Whether the call has taken more time than it may.
fn is_late() -> bool {
    DEADLINE.get().is_some_and(|(since, ms)| since.ms() > ms)
}

/// Runs what looks now and then whether it is too late.
fn in_time<T>(act: impl FnOnce() -> T) -> T {
    match DEADLINE.get() {
        Some((since, ms)) => stop::within(since, ms, act),
        None => act(),
    }
}

/// Begins to count the memory of a call, whose policy has this state.
pub(super) fn begin_call(state: &Dynamic) {
    let allowed = memory::allowance(DEVICE.get(), GIVEN.get());
    held::begin(allowed, size::of(state));
}

/// Registers the types `Tensor`, `Rng` and `Classifier` and all verbs, with their documentation, and makes `var` a word that scripts may call.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(MODULE.with(Shared::clone));
    record::register(engine);
    equal::register(engine);
    #[expect(
        deprecated,
        reason = "Rhai marks it as volatile, not as obsolete, and nothing else frees a reserved word"
    )]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if *word == "var" => Token::Identifier(word),
        token => token,
    });
}

/// The names of all verbs and properties, sorted.
pub fn names() -> Vec<String> {
    let all = verbs().flat_map(Verb::names);
    let words = all.map(|name| name.trim_start_matches('.'));
    let mut words: Vec<String> = words
        .filter(|name| rhai::is_valid_identifier(name))
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    words
}

/// A tensor, or numbers and bools in nested arrays as one of type `kind` on the CPU.
///
/// # Errors
/// A text that says what was found.
pub fn tensor(value: &Dynamic, kind: tch::Kind) -> Result<Tensor, String> {
    if let Some(handle) = value.read_lock::<Handle>() {
        return Ok(handle.tensor().shallow_clone());
    }
    if !value.is_array() {
        return Err(format!(
            "expected a tensor or an array, got {}",
            kind_of(value)
        ));
    }
    let text = |fault| match fault {
        answer::Fault::Said(text) => text,
        answer::Fault::Torch(error) => error.to_string(),
        answer::Fault::Late => "too late".to_owned(),
    };
    let own = create::from_values(value, None, Device::Cpu).map_err(text)?;
    // Counts are floats as well, and nothing else is anything else; an array of nothing has no type.
    let fits = kind == tch::Kind::Float && own.kind() == tch::Kind::Int64;
    match fits || own.numel() == 0 {
        true => create::from_values(value, Some(kind), Device::Cpu).map_err(text),
        false => Ok(own),
    }
}

/// The name that scripts have for a type of tensors.
pub fn dtype_name(kind: tch::Kind) -> String {
    inspect::kind_name(kind).to_string()
}

/// All words of the vocabulary, each with its domain.
pub fn words() -> Vec<Word> {
    let domains = DOMAINS.iter();
    domains
        .flat_map(|(domain, verbs)| verbs.iter().map(|verb| verb.word(domain)))
        .collect()
}

/// The reference of all verbs in Markdown, as it stands in `scripts/VOCABULARY.md`.
pub fn reference() -> String {
    let head = "# The vocabulary of scripts\n\nGenerated from the verbs' declarations. `x.verb(..)` and `verb(x, ..)` are the same; \
                a parameter with a default may be left out; `.name` is a property.\n";
    let domains = DOMAINS.iter().map(|(name, verbs)| {
        let lines: String = verbs.iter().map(Verb::reference).collect();
        format!("\n## {name}\n\n{lines}")
    });
    std::iter::once(head.to_owned()).chain(domains).collect()
}

fn module() -> Module {
    let mut module = Module::new();
    module.set_id("tensors");
    module.set_custom_type::<Handle>("Tensor");
    module.set_custom_type::<Rng>("Rng");
    module.set_custom_type::<Classifier>("Classifier");
    for verb in verbs() {
        verb.install(&mut module);
    }
    module
}
