//! A script that is called: faults, panics, counts, and state that is saved.

use super::*;
use crate::ground::Now;
use crate::slots::made_up::Scene;

const NOW: Now = Now {
    step: 0,
    epoch: 0,
    steps: 1,
    steps_per_epoch: 1,
    seed: 0,
    part: 0,
};

fn script(text: &str) -> Script {
    let text = Text {
        name: "test.rhai".into(),
        origin: Origin::Shipped("test.rhai".into()),
        text: format!("//! slot: sampler\n{text}"),
    };
    let source = Source::with_main(Slot::Sampler, text).unwrap();
    Script::build(Slot::Sampler, source, &Params::new(), Unknown::Refused).unwrap()
}

fn decide(script: &mut Script) -> Result<Dynamic, Fault> {
    script.call(&question())
}

/// What a sampler is asked about a bank of 100 rows.
pub(super) fn question() -> Rc<Question> {
    let mut scene = Scene::new(NOW);
    scene.sizes.set('N', 100);
    let contract = Slot::Sampler.contract();
    scene.question(contract, &contract.functions[0]).unwrap()
}

#[test]
fn a_panic_in_a_native_is_a_fault_and_the_script_goes_on() {
    let mut script =
        script("fn decide(ctx) { this.n = 1; if ctx.step == 0 { Fn(\"boom\").call() } }");
    script
        .engine
        .register("boom", || -> i64 { panic!("kaboom") });
    let fault = decide(&mut script).unwrap_err();
    assert_eq!(fault.kind, Kind::Panic);
    assert_eq!(
        fault.message,
        "a host function panicked in 'decide': kaboom"
    );
    assert!(
        script.state.as_map_ref().unwrap().is_empty(),
        "the state is what it was before"
    );
    script.engine.register("boom", || -> i64 { 3 });
    assert_eq!(decide(&mut script).unwrap().as_int(), Ok(3));
}

#[test]
fn counts_are_fractions_or_numbers_of_the_bank() {
    for (x, expected) in [
        ("0.1", 10),
        ("1.0", 100),
        ("0.0001", 1),
        ("7", 7),
        ("500", 100),
    ] {
        let mut script = script(&format!("fn decide(ctx) {{ ctx.count({x}) }}"));
        assert_eq!(decide(&mut script).unwrap().as_int(), Ok(expected), "{x}");
    }
    for x in ["1.5", "-0.1", "0", "-3"] {
        let mut script = script(&format!("fn decide(ctx) {{ ctx.count({x}) }}"));
        assert_eq!(decide(&mut script).unwrap_err().kind, Kind::Call, "{x}");
    }
}

#[test]
fn state_with_tensors_is_saved_and_loaded() {
    let text =
        "fn decide(ctx) { this.t = tensor([1.5, 2.5]); this.list = [1, \"a\", #{ x: true }]; 0 }";
    let mut one = script(text);
    let _ = decide(&mut one).unwrap();
    let saved = one.save_state().unwrap();
    let mut other = script("fn decide(ctx) { this.t[1].item() + this.list[0] }");
    other.load_state(&saved).unwrap();
    assert_eq!(decide(&mut other).unwrap().as_float(), Ok(3.5));
}

/// JSON has no number for them.
#[test]
fn floats_that_are_not_finite_come_back_as_they_were() {
    let text = "fn decide(ctx) { this.x = [0.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0, 0.5]; 0 }";
    let mut one = script(text);
    let _ = decide(&mut one).unwrap();
    let saved = one.save_state().unwrap();
    let tree = serde_json::to_string(&saved.tree).unwrap();
    let saved = crate::policy::Saved {
        tree: serde_json::from_str(&tree).unwrap(),
        ..saved
    };
    let mut other =
        script("fn decide(ctx) { `${this.x[0]} ${this.x[1]} ${this.x[2]} ${this.x[3]}` }");
    other.load_state(&saved).unwrap();
    assert_eq!(decide(&mut other).unwrap().to_string(), "NaN inf -inf 0.5");
}

#[test]
fn what_the_host_has_given_may_be_kept_as_a_map() {
    let text =
        "fn defaults() { #{ a: 1 } }\nfn decide(ctx) { this.p = ctx.params; this.b = ctx.bank; 0 }";
    let mut one = script(text);
    let _ = decide(&mut one).unwrap();
    let saved = one.save_state().unwrap();
    let mut other = script("fn decide(ctx) { this.p.a + this.b.labels.size(0) }");
    other.load_state(&saved).unwrap();
    assert_eq!(decide(&mut other).unwrap().as_int(), Ok(101));
}
