//! A script for each function that answers as declared, and one for each way to answer otherwise, all made of the declaration.

use sandbox::policy::script::{Origin, Script, Source, Text};
use sandbox::policy::{Params, Unknown};
use sandbox::slots::contract::{Answer, Form, Function, Range, Type};
use sandbox::slots::made_up::Scene;
use sandbox::slots::{Kind, Question, Respondent, Sizes, Slot, ask};

use super::{Wrong, wrongs};
use crate::golden;

/// Asks a script of one function about what is made up.
fn answered(
    slot: Slot,
    function: &'static Function,
    body: &str,
) -> Result<(), sandbox::slots::Fault> {
    let usual = slot.contract().usual().name;
    let decide = match function.name == usual {
        true => String::new(),
        false => format!("fn {usual}(ctx) {{ () }}\n"),
    };
    let text = format!(
        "//! slot: {slot}\n{decide}fn {}(ctx) {{\n{body}\n}}\n",
        function.name
    );
    let text = Text {
        name: "made.rhai".into(),
        origin: Origin::Shipped("made.rhai".into()),
        text,
    };
    let source = Source::with_main(slot, text)?;
    let mut script = Script::build(slot, source, &Params::new(), Unknown::Refused)?;
    let question = question(slot, function);
    ask(&mut script as &mut dyn Respondent, &question).map(drop)
}

/// The function's question, made up; letters that an answer brings in are 2.
fn question(slot: Slot, function: &'static Function) -> std::rc::Rc<Question> {
    let mut scene = Scene::new(golden::now(3));
    super::give_what_only_a_run_knows(&mut scene, function);
    scene.question(slot.contract(), function).unwrap()
}

/// The shape as the script writes it, with two dimensions too many where that is wrong.
fn shape(answer: &Answer, sizes: &Sizes, wrong: bool) -> String {
    let mut shape = super::sizes_of(answer, sizes);
    if wrong {
        shape.extend([2, 2]);
    }
    let shape: Vec<_> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", shape.join(", "))
}

/// A tensor as declared, or wrong in one way. What must carry gradients depends on the first tracked input.
fn tensor(function: &Function, answer: &Answer, sizes: &Sizes, wrong: Option<&Wrong>) -> String {
    let shape = shape(answer, sizes, matches!(wrong, Some(Wrong::Shape)));
    let integers = matches!(answer.range, Range::Below(..));
    let value = match (wrong, answer.range) {
        (Some(Wrong::Range), Range::Below(_, letter)) => sizes.get(letter).unwrap_or(2).to_string(),
        (Some(Wrong::Range), _) => "-0.5".to_owned(),
        (Some(Wrong::NotFinite), _) => "0.0 / 0.0".to_owned(),
        _ if integers => "0".to_owned(),
        _ => "0.5".to_owned(),
    };
    let full = format!("full({shape}, {value})");
    let bools = answer.kind == Type::Bool;
    let full = match (wrong, integers) {
        (Some(Wrong::Type), true) => format!("{full}.float()"),
        (Some(Wrong::Type), false) => format!("{full}.long()"),
        (_, true) => format!("{full}.long()"),
        (_, false) if bools => format!("{full}.bool()"),
        (_, false) => full,
    };
    let tracked = function.gets.iter().find(|input| input.tracked);
    match tracked.filter(|_| !matches!(wrong, Some(Wrong::Type))) {
        Some(input) => format!("{full} + ctx.{}.sum() * 0.0", input.name),
        None => full,
    }
}

/// The body of a function that answers everything, with one answer wrong or left out.
fn body(
    function: &'static Function,
    answers: &[&'static Answer],
    sizes: &Sizes,
    at_fault: Option<(&str, &Wrong)>,
) -> String {
    let wrong = |answer: &Answer| {
        at_fault
            .filter(|(name, _)| *name == answer.name)
            .map(|(_, wrong)| wrong)
    };
    match function.form {
        Form::Numbers => "#{}".to_owned(),
        Form::Tensor => tensor(function, answers[0], sizes, wrong(answers[0])),
        Form::Map => {
            let given = answers
                .iter()
                .filter(|answer| !matches!(wrong(answer), Some(Wrong::Missing)));
            let given: Vec<_> = given
                .map(|answer| {
                    format!(
                        "{}: {}",
                        answer.name,
                        tensor(function, answer, sizes, wrong(answer))
                    )
                })
                .collect();
            format!("#{{ {} }}", given.join(", "))
        }
    }
}

/// The sets of answers that a script may give at once.
fn ways(function: &'static Function) -> Vec<Vec<&'static Answer>> {
    let all = function.of_scripts();
    match function.form {
        Form::Tensor => all.map(|answer| vec![answer]).collect(),
        Form::Map | Form::Numbers => vec![all.collect()],
    }
}

#[test]
fn each_declared_answer_is_taken_from_a_script_and_nothing_else() {
    let _turn = crate::turn();
    let mut tried = 0;
    for slot in Slot::all() {
        for function in slot.contract().functions {
            let what = format!("{slot}, {}", function.name);
            let sizes = super::bound(&question(slot, function), function);
            for way in ways(function) {
                let good = body(function, &way, &sizes, None);
                answered(slot, function, &good)
                    .unwrap_or_else(|fault| panic!("{what}: {good}\n{}", fault.report));
                for answer in &way {
                    for wrong in wrongs(answer) {
                        if matches!(wrong, Wrong::Missing) && function.form == Form::Tensor {
                            continue;
                        }
                        let bad = body(function, &way, &sizes, Some((answer.name, &wrong)));
                        let fault =
                            answered(slot, function, &bad).expect_err(&format!("{what}: {bad}"));
                        assert_eq!(fault.kind, Kind::Output, "{what}: {bad}\n{}", fault.report);
                        // Which of several tensors was meant is guessed by its dimensions.
                        let mut named = function.of_scripts().filter(|known| {
                            function.form == Form::Tensor || known.name == answer.name
                        });
                        let named =
                            named.any(|known| fault.message.contains(&format!("'{}", known.name)));
                        assert!(named, "{what}: {bad}\n{}", fault.message);
                        tried += 1;
                    }
                }
            }
            nothing(slot, function, &what);
        }
    }
    assert!(tried > 20, "{tried} wrong answers were tried");
}

/// Nothing is an answer where the declaration says so, and a stray key is none.
fn nothing(slot: Slot, function: &'static Function, what: &str) {
    let said = answered(slot, function, "()");
    assert_eq!(said.is_ok(), function.nothing.is_some(), "{what}: nothing");
    if function.form == Form::Map {
        let fault = answered(slot, function, "#{ stray: ones([1]) }").unwrap_err();
        assert!(
            fault.message.contains("unknown key 'stray'"),
            "{what}: {}",
            fault.message
        );
    }
}

/// What a function is declared to get is what its `ctx` has, and a slip of the pen is told, in the maps within it too.
#[test]
fn each_declared_input_is_there_and_a_misspelt_one_is_told() {
    let _turn = crate::turn();
    for slot in Slot::all() {
        for function in slot.contract().functions {
            for input in function.gets {
                let mut names = vec![format!("ctx.{}", input.name)];
                if let sandbox::slots::contract::Type::Map(fields) = input.kind {
                    names.extend(
                        fields
                            .iter()
                            .map(|field| format!("ctx.{}.{}", input.name, field.name)),
                    );
                }
                for name in names {
                    let there =
                        answered(slot, function, &format!("let x = {name}; throw type_of(x)"));
                    let said = there.unwrap_err().message;
                    assert!(!said.contains("no field"), "{slot}: {name}: {said}");
                    let slip = format!("{name}x");
                    let fault =
                        answered(slot, function, &format!("let x = {slip} ?? 8; x")).unwrap_err();
                    let last = name.rsplit('.').next().unwrap();
                    assert!(
                        fault.message.contains(&format!("no field '{last}x'"))
                            && fault.message.ends_with(&format!("did you mean '{last}'?")),
                        "{slot}: {slip}: {}",
                        fault.message
                    );
                }
            }
        }
    }
}
