//! Un-Mix against its official code: the boxes and mixtures of the shipped scripts, the host's losses.

use std::fmt::Write as _;

use sandbox::bank::{Queue, unit_rows};
use sandbox::method::{Margin, info_nce, mixed_info_nce};
use sandbox::policy::script::{Origin, Script, Source, Text};
use sandbox::policy::{Params, Unknown};
use sandbox::slots::Slot;
use sandbox::slots::mixer::{self, Mixture};
use tch::{Device, Kind, Tensor};

use super::{Case, now};
use crate::support::Dir;

/// The rows of a batch as they are and in reverse order.
fn targets(rows: i64) -> Tensor {
    let order = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
    Tensor::stack(&[&order, &order.flip([0i64])], 0)
}

/// The terms, their sum with the official weights, its gradients, and the queue after the step.
pub(crate) fn check_loss(case: &Case) {
    let leaf = |name: &str| case.tensor(name).copy().set_requires_grad(true);
    let leaves = ["view1", "view2", "mixed"].map(leaf);
    let flat = |view: &Tensor| unit_rows(&view.flatten(1, -1));
    let [first, second, mixed] = [0, 1, 2].map(|at| flat(&leaves[at]));
    let (queue, temperature) = (case.tensor("queue"), case.number("temperature"));
    let (rows, lam) = (first.size()[0], case.number("lam"));
    let mixture = |own: f64, reversed: f64| Mixture {
        images: case.tensor("mixed").shallow_clone(),
        targets: targets(rows),
        weights: Tensor::from_slice(&[own as f32, reversed as f32]),
    };
    let mixed_loss = |key: &Tensor, mixture: &Mixture| {
        let softmax = (temperature, &Margin::None);
        mixed_info_nce(&mixed, (&key.detach(), queue), softmax, mixture)
    };
    let symmetric = case.text("variant") == "symmetric";
    let directions = [(&first, &second, "12"), (&second, &first, "21")];
    let mut total = Tensor::from(0.0_f32);
    for (query, key, name) in directions.into_iter().take(1 + usize::from(symmetric)) {
        let base = info_nce(query, &key.detach(), queue, temperature, &Margin::None);
        let terms = [(1.0, 0.0), (0.0, 1.0)].map(|(a, b)| mixed_loss(key, &mixture(a, b)));
        let expected = |what: &str| case.tensor(&format!("{what}_{name}"));
        case.close("loss", &base.detach(), expected("loss"));
        case.close("mixed", &terms[0].detach(), expected("mixed"));
        case.close("mixed_flip", &terms[1].detach(), expected("mixed_flip"));
        total = total + base + mixed_loss(key, &mixture(lam, 1.0 - lam));
    }
    total.backward();
    case.close("total", &total.detach(), case.tensor("total"));
    for (leaf, name) in leaves.iter().zip(["view1", "view2", "mixed"]) {
        // What is no query of any term has no gradient at all.
        let got = match leaf.grad().defined() {
            true => leaf.grad(),
            false => leaf.zeros_like(),
        };
        let name = format!("grad_{name}");
        case.close(&name, &got, case.tensor(&name));
    }
    let [size, dim] = queue.size()[..] else {
        panic!("{}: 'queue' is no matrix", case.file);
    };
    let mut after = Queue::new(size, dim, 0, Device::Cpu);
    let state = [
        ("keys".to_owned(), queue.shallow_clone()),
        ("pointer".to_owned(), case.tensor("ptr").view([1])),
    ];
    after.load(&state.into_iter().collect()).unwrap();
    let keys = match symmetric {
        true => Tensor::cat(&[&first, &second], 0),
        false => second.shallow_clone(),
    };
    after.enqueue(&keys.detach());
    case.close("new_queue", after.keys(), case.tensor("new_queue"));
    assert_eq!(after.pointer(), case.tensor("new_ptr").int64_value(&[]));
}

/// The box of the shipped mixtures, in double precision as the official code has it: asked by tests of a script.
pub(crate) fn check_box(case: &Case) {
    let [width, height] = ["W", "H"].map(|name| case.number(name));
    let row = |name: &str, at: i64| {
        Vec::<f64>::try_from(case.tensor(name).get(at).view([-1]).to_kind(Kind::Double)).unwrap()
    };
    let mut text = String::from("import \"lib/mixtures\" as mixtures;\n");
    for at in 0..case.tensor("lam").size()[0] {
        let [lam, left] = ["lam", "new_lam"].map(|name| row(name, at)[0]);
        let (centre, corners) = (row("centre", at), row("box", at));
        writeln!(
            text,
            "fn test_{at}() {{\n\
             let share = zeros(1).to(\"float64\") + {lam:?};\n\
             let x = mixtures::span(share, {:?}, {width:?});\n\
             let y = mixtures::span(share, {:?}, {height:?});\n\
             let got = [x.first.item(), y.first.item(), x.last.item(), y.last.item()];\n\
             assert_eq(got, {corners:?});\n\
             let left = 1.0 - (got[2] - got[0]) * (got[3] - got[1]) / {:?};\n\
             assert((left - {left:?}).abs() <= 1e-12);\n}}",
            centre[0],
            centre[1],
            width * height,
        )
        .unwrap();
    }
    let dir = Dir::empty();
    dir.copy_script("lib/mixtures.rhai");
    dir.copy_script("mixers/unmix.rhai");
    dir.write("scripts/mixers/unmix_test.rhai", &text);
    let output = dir.output(&["test", "scripts/mixers/unmix.rhai"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

/// The mixture of the shipped scripts with the drawn share and centre.
pub(crate) fn check_mix(case: &Case) {
    let lam = case.tensor("drawn_lam").double_value(&[]);
    let images = case.tensor("images");
    let kept = match case.text("kind") {
        "global" => "share".to_owned(),
        "region" => {
            let centre = case.tensor("centre");
            let [row, column] = [0, 1].map(|at| centre.int64_value(&[at]));
            let [.., height, width] = images.size()[..] else {
                panic!("{}: 'images' are none", case.file);
            };
            format!("mixtures::outside(share, {row}, {column}, {height}, {width})")
        }
        other => panic!("{}: unknown kind '{other}'", case.file),
    };
    let text = format!(
        "//! slot: mixer\nimport \"lib/mixtures\" as mixtures;\nfn decide(ctx) {{\n\
         let share = zeros(1).to(\"float64\") + {lam:?};\n\
         let got = mixtures::mixed(ctx.images, arange(ctx.images.size(0)).flip(0), {kept});\n\
         #{{ images: got.images.to(\"float32\"), targets: got.targets, weights: got.weights.to(\"float32\") }}\n}}\n"
    );
    let main = Text {
        name: "mine".into(),
        origin: Origin::Shipped("mixers/mine.rhai".into()),
        text,
    };
    let source = Source::with_main(Slot::Mixer, main).unwrap();
    let script = Script::build(Slot::Mixer, source, &Params::new(), Unknown::Refused);
    let mut script = script.unwrap_or_else(|fault| panic!("{}", fault.report));
    let mixture = mixer::run(&mut script, images, images.size()[0], now(3));
    let mixture = mixture.unwrap().expect("it mixes");
    case.close("mixed", &mixture.images, case.tensor("mixed"));
    let flipped = mixture.images.index_select(0, &mixture.targets.get(1));
    case.close("mixed_flip", &flipped, case.tensor("mixed_flip"));
    let own = mixture.weights.get(0);
    case.close("lam", &own, case.tensor("lam"));
}
