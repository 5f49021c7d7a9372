//! TCAV against finite differences and plain descent, and where the answer is known.

use tch::Device;

use super::*;

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

/// A convolution, a bend and a linear classifier of the mean over space.
fn tiny() -> impl Fn(&Tensor) -> Tensor {
    let filters = Tensor::randn([5, 3, 3, 3], F64);
    let weights = Tensor::randn([5, 4], F64);
    move |map| {
        let bent = map.conv2d(&filters, None::<Tensor>, [1; 2], [1; 2], [1; 2], 1);
        let features = bent
            .tanh()
            .mean_dim([2i64, 3].as_slice(), false, Kind::Double);
        features.matmul(&weights)
    }
}

/// An image's loss at a map.
fn loss(logits: &impl Fn(&Tensor) -> Tensor, map: &Tensor, label: i64) -> f64 {
    let logs = logits(&map.unsqueeze(0)).log_softmax(1, None);
    -logs.double_value(&[0, label])
}

#[test]
fn derivatives_are_those_of_finite_differences_at_every_place_at_once() {
    tch::manual_seed(1);
    let logits = tiny();
    let labels = [0i64, 3, 1, 2, 3, 0, 1];
    let map = Tensor::randn([labels.len() as i64, 3, 4, 5], F64);
    let found = gradients(&map, &Tensor::from_slice(&labels), &logits);
    let directions = Tensor::randn([6, 3], F64);
    let mut falls = [0.0; 6];
    for (at, label) in (0..).zip(labels) {
        for to in 0..6 {
            let step = directions.get(to).view([3, 1, 1]) * 1e-5;
            let ahead = loss(&logits, &(map.get(at) + &step), label);
            let behind = loss(&logits, &(map.get(at) - &step), label);
            let slow = (ahead - behind) / 2e-5;
            let own = found.get(at).dot(&directions.get(to)).double_value(&[]);
            assert!((own - slow).abs() < 1e-7, "{own} {slow}");
            falls[to as usize] += f64::from(u8::from(ahead < behind)) / labels.len() as f64;
        }
    }
    let scores = Vec::<f64>::try_from(tcav_scores(&found, &directions)).unwrap();
    for (own, slow) in scores.iter().zip(falls) {
        assert!((own - slow).abs() < 1e-12, "{scores:?} {falls:?}");
    }
}

#[test]
fn a_direction_is_where_long_plain_descent_ends() {
    tch::manual_seed(2);
    let shift = Tensor::from_slice(&[1.0, -0.5, 0.0, 0.2]);
    let (own, random) = (
        Tensor::randn([12, 4], F64) + shift,
        Tensor::randn([12, 4], F64),
    );
    let found = direction(&own, &random).unwrap();
    let all = Tensor::cat(&[&own, &random], 0);
    let signs = Tensor::cat(&[Tensor::ones([12], F64), -Tensor::ones([12], F64)], 0);
    let (mut weights, mut bias) = (Tensor::zeros([4], F64), 0.0);
    for _ in 0..20_000 {
        let slope = -(-&signs * (all.mv(&weights) + bias)).sigmoid() * &signs / 24.0;
        weights = &weights - (all.tr().mv(&slope) + &weights * ALPHA) * 0.2;
        bias -= slope.sum(Kind::Double).double_value(&[]) * 0.2;
    }
    let slow = &weights / weights.norm();
    assert!(found.allclose(&slow, 0.0, 1e-3, false), "{found} {slow}");
    assert!((found.norm().double_value(&[]) - 1.0).abs() < 1e-12);
    let alike = Tensor::ones([5, 4], F64);
    assert!(direction(&alike, &alike).is_err());
}

/// The logit of class 1 rises with channel 0, and with the square of each other one: towards either side, by its own.
fn leaning(map: &Tensor) -> Tensor {
    let means = map.mean_dim([2i64, 3].as_slice(), false, Kind::Double);
    let rest = means.narrow(1, 1, 7).square();
    let logit = means.select(1, 0) * 4.0 + rest.sum_dim_intlist(1, false, Kind::Double) * 0.5;
    Tensor::stack(&[logit.zeros_like(), logit], 1)
}

#[test]
fn a_class_leans_on_its_object_and_not_on_random_words() {
    tch::manual_seed(3);
    let map = (Tensor::randn([200, 8, 1, 1], F64) * 2.0).expand([200, 8, 3, 3], false);
    let slopes = [0i64, 1].map(|class| {
        gradients(
            &map,
            &Tensor::full([200], class, (Kind::Int64, Device::Cpu)),
            leaning,
        )
    });
    let random = || Tensor::randn([40, 8], F64);
    let score = |of: &dyn Fn() -> Tensor, class: usize| {
        let directions: Vec<_> = (0..20)
            .map(|_| direction(&of(), &random()).unwrap())
            .collect();
        let scores = tcav_scores(&slopes[class], &Tensor::stack(&directions, 0));
        scores.mean(Kind::Double).double_value(&[])
    };
    let object = || {
        let there = Tensor::zeros([8], F64);
        let _ = there.get(0).fill_(6.0);
        random() + there
    };
    let found = [score(&object, 1), score(&object, 0), score(&random, 1)];
    assert!(found[0] > 0.95, "{found:?}");
    assert!(found[1] < 0.05, "{found:?}");
    assert!((found[2] - 0.5).abs() < 0.15, "{found:?}");
}
