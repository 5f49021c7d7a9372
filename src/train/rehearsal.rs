//! A rehearsal on synthetic data: before a run has any of its own, and for `sandbox check`.

pub mod derivatives;
pub mod gradient;

use std::rc::Rc;
use std::sync::OnceLock;

use tch::Tensor;

use super::hyperparameters::{self, Hyperparameters};
use crate::config::{Config, Loaded, Plan};
use crate::ground::Now;
use crate::ground::seed::{Purpose, seed_torch};
use crate::policy::script::{Origin, Script, Source};
use crate::policy::{Cost, Params, Policy, Unknown};
use crate::slots::contract::{Contract, Made, Type};
use crate::slots::made_up::{Case, Scene};
use crate::slots::schedule::{self, Last, Schedulable};
use crate::slots::{Answers, Fault, Function, Kind, Number, Question, Slot, When, ask};

/// The moment in which the synthetic run stands.
const NOW: Now = Now {
    step: 9,
    epoch: 0,
    steps: 100,
    steps_per_epoch: 10,
    seed: 0,
    part: 0,
};
/// Images in the synthetic batch.
const BATCH: i64 = 8;
/// Dimension of the synthetic embeddings.
const DIM: i64 = 16;

/// What a rehearsal is told of the run for which it stands.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Channels, height and width of a view.
    pub view: [i64; 3],
    /// Training images, which is the most rows that a bank can have.
    pub rows: i64,
}

/// Where there is no run: views of the embedded images, and as many rows as anybody asks for.
pub const NO_RUN: Stage = Stage {
    view: [1, 28, 28],
    rows: 65_536,
};

/// Asks a policy everything that a run would ask it, on random unit rows, and images of the shape of a view.
///
/// # Errors
/// The policy's fault.
pub fn synthetic(policy: &mut Policy, stage: Stage) -> Result<(), Fault> {
    let fault = policy.without_trace(|policy| {
        let mut scene = begun(policy, stage)?;
        for function in policy.slot().contract().functions {
            if function.when != When::Start {
                asked(policy, function, &scene)?;
            }
        }
        ahead(NOW, |now| {
            scene.now = now;
            step(policy, &scene).map(drop)
        })?;
        policy.save_state().map(drop)
    });
    policy.take_cost();
    fault
}

/// Lets `ask` ask a policy as halfway to the end of a run and as in its last step: what is wrong with a branch that depends on the
/// step would be found hours later.
///
/// # Errors
/// The policy's fault, with the step.
pub(super) fn ahead(now: Now, mut ask: impl FnMut(Now) -> Result<(), Fault>) -> Result<(), Fault> {
    let last = now.steps.saturating_sub(1).max(now.step);
    for step in [now.step + (last - now.step) / 2, last] {
        let later = Now {
            step,
            epoch: step / now.steps_per_epoch.max(1),
            ..now
        };
        let noted = |fault: Fault| {
            fault.noted(&format!(
                "it was asked as in step {step} of {}, ahead of time",
                now.steps
            ))
        };
        ask(later).map_err(noted)?;
    }
    Ok(())
}

/// Asks a policy about degenerate batches, each with the state that it has begun with.
///
/// # Errors
/// The policy's fault, which says in which case.
pub fn degenerate(policy: &mut Policy) -> Result<(), Fault> {
    let contract = policy.slot().contract();
    let cases = Case::DEGENERATE.into_iter();
    // Whoever asks for so many rows need not do with one.
    let counts = counts(policy) > 1;
    let tried = |case: &Case| case.concerns(contract) && !(counts && *case == Case::OneRow);
    for case in cases.filter(tried) {
        let fault = policy.without_trace(|policy| {
            let mut scene = begun(policy, NO_RUN)?;
            scene.case = case;
            of_a_step(contract).try_for_each(|function| asked(policy, function, &scene).map(drop))
        });
        policy.take_cost();
        fault.map_err(|fault| fault.noted(&format!("it was asked where {}", case.text())))?;
    }
    Ok(())
}

/// Asks a policy what a step asks, without that it has begun: so one is asked that is swapped in.
///
/// # Errors
/// The policy's fault.
pub fn without_start(policy: &mut Policy) -> Result<(), Fault> {
    let scene = scene(policy, NO_RUN);
    step(policy, &scene).map(drop)
}

/// Whether a policy, asked once more, answers as a twin does that has its saved state: a run that goes on from a checkpoint is such
/// a twin.
///
/// # Errors
/// The policy's fault, and one of kind state where the answers differ.
pub fn state(policy: &mut Policy) -> Result<(), Fault> {
    let scene = begun(policy, NO_RUN)?;
    step(policy, &scene)?;
    let twin = step(&mut policy.restored()?, &scene)?;
    let own = step(policy, &scene)?;
    let equal = own.len() == twin.len() && own.iter().zip(&twin).all(|(a, b)| a.equal(b));
    match equal {
        true => Ok(()),
        false => Err(Fault::new(
            policy.slot(),
            Kind::State,
            "it answers otherwise after its state was saved and restored: it keeps something that it does not save, or draws random \
             numbers that are not the host's",
        )),
    }
}

/// What a step costs on the synthetic data, with whatever was lazily set up paid for before.
///
/// # Errors
/// The policy's fault.
pub fn decide(policy: &mut Policy) -> Result<Cost, Fault> {
    // A plugin's twin acts, and has the cost.
    policy.without_trace(|policy| {
        let scene = begun(policy, NO_RUN)?;
        policy.take_cost();
        step(policy, &scene)?;
        Ok(policy.take_cost())
    })
}

/// The functions that a step asks.
pub(super) fn of_a_step(contract: &'static Contract) -> impl Iterator<Item = &'static Function> {
    let all = contract.functions.iter();
    all.filter(|function| matches!(function.when, When::Step | When::AfterStep))
}

/// A scene after the policy has begun in it, where policies of its slot begin.
fn begun(policy: &mut Policy, stage: Stage) -> Result<Scene, Fault> {
    let (mut scene, contract) = (scene(policy, stage), policy.slot().contract());
    let mut all = contract.functions.iter();
    if let Some(start) = all.find(|function| function.when == When::Start) {
        let question = question(policy, start, &scene);
        let answers = ask(policy, &question)?;
        scene.begin(&question, &answers);
    }
    Ok(scene)
}

/// What a step asks of a policy, and what it answers.
fn step(policy: &mut Policy, scene: &Scene) -> Result<Vec<Tensor>, Fault> {
    let mut all = Vec::new();
    for function in of_a_step(policy.slot().contract()) {
        all.extend(asked(policy, function, scene)?);
    }
    Ok(all)
}

/// What a policy answers to a function, on synthetic data.
pub(super) fn made_up(
    policy: &mut Policy,
    function: &'static Function,
    stage: Stage,
) -> Result<Vec<Tensor>, Fault> {
    let scene = scene(policy, stage);
    asked(policy, function, &scene)
}

fn asked(
    policy: &mut Policy,
    function: &'static Function,
    scene: &Scene,
) -> Result<Vec<Tensor>, Fault> {
    if function
        .gets
        .iter()
        .any(|input| input.kind == Type::Numbers)
    {
        return Ok(vec![schedule(policy, any_numbers())?]);
    }
    let question = question(policy, function, scene);
    ask(policy, &question).map(Answers::all)
}

fn question(policy: &Policy, function: &'static Function, scene: &Scene) -> Rc<Question> {
    seed_torch(0, Purpose::Rehearsal, 0, 0);
    let question = scene.question(policy.slot().contract(), function);
    question.expect("what is made up fits what policies have answered")
}

/// A batch of 8 of a bank that is large enough for what the parameters ask for. Of a bank C are the clusters, of images the channels.
fn scene(policy: &Policy, stage: Stage) -> Scene {
    let [channels, height, width] = stage.view;
    let mut scene = Scene::new(NOW);
    let of_images = policy.slot().contract().gives(Made::Pixels);
    let sizes = [
        ('B', BATCH),
        ('D', DIM),
        ('N', rows(policy).min(stage.rows)),
        ('C', if of_images { channels } else { 8 }),
        ('H', height),
        ('W', width),
        ('K', counts(policy).clamp(16, 1024)),
    ];
    sizes
        .into_iter()
        .for_each(|(letter, size)| scene.sizes.set(letter, size));
    scene
}

/// Enough rows for as many clusters and for twice the counts that the policy asks for.
fn rows(policy: &Policy) -> i64 {
    let params = policy.params();
    let clusters = params
        .get("clusters")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0);
    let clustered = clusters.max(4 * clusters.min(2048));
    let counted = counts(policy).saturating_mul(2);
    clustered.max(counted).clamp(256, 65_536)
}

/// The largest integer of a script's text that may be a count: others are seeds and the like.
const LARGEST_LITERAL: i64 = 32_768;

/// All counts together that are among the parameters or written out in a script.
fn counts(policy: &Policy) -> i64 {
    let params = policy.params().values();
    let params = params.filter_map(serde_json::Value::as_i64);
    let literals = match policy {
        Policy::Script(script) => script.literals(),
        Policy::Plugin(_) => Vec::new(),
    };
    // A dimension is no count.
    let counts = |literal: &i64| (2..=LARGEST_LITERAL).contains(literal);
    let literals = literals.into_iter().filter(counts);
    params
        .filter(|count| *count > 0)
        .chain(literals)
        .fold(0, i64::saturating_add)
}

/// Asks a schedule about the first step of a run, which has none before it, and about a later one; returns the numbers that it gave.
///
/// # Errors
/// The policy's fault.
pub(super) fn schedule(policy: &mut Policy, schedulable: &Schedulable) -> Result<Tensor, Fault> {
    let mut all = Vec::new();
    let mut given = |now: Now, last: &Last| {
        let ctx = schedule::Context {
            lr: 0.03,
            schedulable,
            last,
            rows: 256,
            now,
        };
        let numbers = schedule::run(policy, &ctx)?;
        all.extend(numbers.values().map(|number| number.value()));
        Ok(())
    };
    given(Now { step: 0, ..NOW }, &Last::default())?;
    given(NOW, &after_a_step())?;
    ahead(NOW, |now| given(now, &after_a_step()))?;
    Ok(Tensor::from_slice(&all))
}

/// Numbers of some step.
pub fn after_a_step() -> Last {
    let number = |value: f64| Tensor::from(value);
    let (loss, norm) = (number(5.0), number(1.0));
    Last::new(&loss, &loss, &norm, Some(&loss))
}

/// What a schedule may give at the beginning of a run of this plan, which asks these policies.
pub(super) fn numbers(plan: &Plan, policies: &[Policy]) -> Schedulable {
    let rate = plan.rate(NOW.steps_per_epoch);
    let rate = rate.expect("a plan's schedule of the learning rate was looked up");
    hyperparameters::schedulable(plan, Hyperparameters::of(plan, &rate, NOW), policies.iter())
}

/// What a schedule may give in some run: every name, with the numbers of the configuration and the scripts that hold unless
/// others are named.
pub fn any_numbers() -> &'static Schedulable {
    static ANY: OnceLock<Schedulable> = OnceLock::new();
    ANY.get_or_init(make_any_numbers)
}

fn make_any_numbers() -> Schedulable {
    const FINE: &str = "the defaults are whole";
    let (config, folder) = (Config::default(), None);
    let plan = Plan::new(Loaded { config, folder }).expect(FINE);
    let scripts: Vec<_> = Slot::of_branch()
        .map(|slot| {
            let script = plan.slot(slot).script.display().to_string();
            let source = Source::read(slot, &Origin::Shipped(script)).expect(FINE);
            let script = Script::build(slot, source, &Params::new(), Unknown::Refused);
            Policy::from(script.expect(FINE))
        })
        .collect();
    let mut schedulable = numbers(&plan, &scripts);
    for name in schedule::NAMES {
        schedulable.put_unless_there(name.key, Number::Real(0.0));
    }
    schedulable.take_unseen();
    schedulable
}
