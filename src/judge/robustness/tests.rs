use std::path::Path;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use crate::config::{Plan, Request, load};
use crate::eval::robustness::{Smoothing, bisect, crossings, purify};
use crate::ground::Now;
use crate::policy::{Params, Policy, PolicyFile, Unknown};
use crate::slots::{Classifier, Slot, defence};

const NOW: Now = Now {
    step: 99,
    epoch: 0,
    steps: 100,
    steps_per_epoch: 100,
    seed: 3,
    part: 0,
};

fn shipped(name: &str, params: &[(&str, serde_json::Value)]) -> Policy {
    let plan = Plan::new(load::load(&Request::default()).unwrap()).unwrap();
    let script = PolicyFile::Script(plan.search.find(Slot::Defence, Path::new(name)).unwrap());
    let params: Params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let content = script.read(Slot::Defence).unwrap();
    Policy::build(Slot::Defence, content, &params, Unknown::Refused).unwrap()
}

/// A linear victim of three classes of images of 2x6x5.
fn victim() -> impl Fn(&Tensor) -> Tensor + 'static {
    let weights = Tensor::randn([60, 3], (Kind::Float, Device::Cpu));
    move |images| (images - 0.5).flatten(1, -1).matmul(&weights)
}

/// Lengths by which `stitch` may move an image here.
const LENGTHS: [f64; 3] = [0.1, 0.4, 0.8];

/// An input and the seven images of a fit: towards the input, so that its class is mostly entered; away from it; or near it all the way.
fn drawn(trial: i64) -> (Tensor, Tensor) {
    // A policy that is asked seeds the generator.
    tch::manual_seed(trial);
    let options = (Kind::Float, Device::Cpu);
    let input = Tensor::rand([2, 6, 5], options);
    let other = Tensor::rand([2, 6, 5], options);
    let (start, end) = match trial % 3 {
        0 => (&other, &input),
        1 => (&input, &other),
        _ => (&input, &input),
    };
    let steps = Tensor::linspace(0.0, 1.0, 7, options).view([-1, 1, 1, 1]);
    let jitter = Tensor::rand([7, 2, 6, 5], options) * 0.2 - 0.1;
    let images = (start + (end - start) * steps + jitter).clamp(0.0, 1.0);
    (input, images)
}

/// What comes of an input of that class by the steps one by one, and which case it is: entered, never entered, ended outside.
fn slow(
    input: &Tensor,
    images: &Tensor,
    class: &Tensor,
    ask: impl Fn(&Tensor) -> Tensor,
) -> (Tensor, usize) {
    let answers = Vec::<i64>::try_from(ask(images).argmax(1, false)).unwrap();
    let wrong = class.int64_value(&[0]);
    if answers[6] != wrong {
        return (images.get(6), 2);
    }
    let Some(&at) = crossings(&answers, wrong, 0).last() else {
        return (input.shallow_clone(), 1);
    };
    let [outside, inside] = [at, at + 1].map(|at| images.narrow(0, at as i64, 1));
    let (edge, _) = bisect(&outside, &inside, class, 10, &ask).unwrap();
    let (pure, _) = purify(&edge, &input.unsqueeze(0), class, &LENGTHS, &ask).unwrap();
    (pure.get(0), 0)
}

/// `stitch` with one candidate of one block is bisection and purification at the last crossing, done by loops.
#[test]
fn stitch_is_what_the_steps_are_one_by_one() {
    tch::manual_seed(5);
    let params = [
        ("entries", 1.into()),
        ("block", 8.into()),
        ("lengths", serde_json::json!(LENGTHS)),
    ];
    let mut stitch = shipped("stitch", &params);
    let ask = Rc::new(victim());
    let asked = Rc::clone(&ask);
    let classifier: Classifier = Rc::new(move |images| Ok(asked(images)));
    let mut cases = [0; 3];
    for trial in 0..45 {
        let (input, images) = drawn(trial);
        let class = ask(&input.unsqueeze(0)).argmax(1, false);
        let kept = defence::Kept {
            input: &input,
            input_prediction: &class.get(0),
            images: &images,
            at: &Tensor::arange(7, (Kind::Int64, Device::Cpu)),
            predictions: &ask(&images).argmax(1, false),
            victim: &classifier,
            now: NOW,
        };
        let got = defence::finish(&mut stitch, &kept).unwrap();
        let (expected, case) = slow(&input, &images, &class, &*ask);
        assert!(
            got.allclose(&expected, 1e-5, 1e-6, false),
            "{got} {expected}"
        );
        cases[case] += 1;
    }
    assert!(cases.iter().all(|count| *count > 4), "{cases:?}");
}

/// `ses` keeps where the smoothing says that a new maximum is reached, of each image by itself.
#[test]
fn ses_keeps_what_the_smoothing_chooses() {
    tch::manual_seed(1);
    let options = (Kind::Float, Device::Cpu);
    let mut ses = shipped("ses", &[("weight", 0.3.into())]);
    let curves = (Tensor::randn([40, 5], options) + 1.0).cumsum(0, Kind::Float);
    let mut smoothings = vec![Smoothing::new(0.3).unwrap(); 5];
    let images = Tensor::rand([5, 1, 2, 2], options);
    let classes = Tensor::zeros([5], (Kind::Int64, Device::Cpu));
    let mut held = 0;
    for step in 0..40 {
        let row = curves.get(step);
        let psnr = row.shallow_clone();
        let seen = defence::Step {
            images: &images,
            predictions: &classes,
            inputs: &images,
            input_predictions: &classes,
            psnr: &(Rc::new(move || psnr.shallow_clone()) as Rc<dyn Fn() -> Tensor>),
            now: Now {
                step: step as u64,
                ..NOW
            },
        };
        let kept = defence::keep(&mut ses, &seen).unwrap();
        for (at, smoothing) in smoothings.iter_mut().enumerate() {
            let expected = smoothing.push(row.double_value(&[at as i64]));
            let got = kept
                .as_ref()
                .is_some_and(|kept| kept.int64_value(&[at as i64]) == 1);
            assert_eq!(got, expected, "step {step}, image {at}");
            held += usize::from(expected);
        }
    }
    assert!(held > 20 && held < 190, "{held}");
}

/// `median` takes the middle of each window, edges being continued.
#[test]
fn median_is_that_of_a_loop() {
    tch::manual_seed(2);
    let input = Tensor::rand([2, 5, 4], (Kind::Float, Device::Cpu));
    let none: Classifier = Rc::new(|_| Err("it is not asked".into()));
    let class = Tensor::from(0i64);
    let kept = defence::Kept {
        input: &input,
        input_prediction: &class,
        images: &input.unsqueeze(0),
        at: &Tensor::from_slice(&[-1i64]),
        predictions: &class.unsqueeze(0),
        victim: &none,
        now: NOW,
    };
    let got = defence::finish(&mut shipped("median", &[]), &kept).unwrap();
    for channel in 0..2 {
        for (row, column) in (0..5i64).flat_map(|row| (0..4i64).map(move |column| (row, column))) {
            let mut window: Vec<f64> = (-1..=1)
                .flat_map(|down| (-1..=1).map(move |across| (down, across)))
                .map(|(down, across)| {
                    let (row, column) = ((row + down).clamp(0, 4), (column + across).clamp(0, 3));
                    input.double_value(&[channel, row, column])
                })
                .collect();
            window.sort_by(f64::total_cmp);
            assert_eq!(got.double_value(&[channel, row, column]), window[4]);
        }
    }
}
