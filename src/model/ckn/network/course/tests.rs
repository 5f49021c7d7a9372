use tch::Device;

use super::super::super::spec::tests::{GRADIENT, angles, layer};
use super::super::super::{Descent, Input};
use super::super::tests::patches;
use super::*;

fn specs() -> Vec<Spec> {
    let spec = |input, layers: &[LayerSpec]| Spec {
        input,
        channels: 3,
        window: 0.3,
        root: true,
        layers: layers.to_vec(),
    };
    let descent = Descent {
        steps: 30,
        ..Descent::default()
    };
    let pairs = LayerSpec {
        fit: Fit::Pairs(descent),
        ..layer(3, 6, 2)
    };
    let centred = LayerSpec {
        centred: true,
        ..layer(2, 5, 2)
    };
    let white = Input::White {
        size: 3,
        components: 10,
    };
    vec![
        spec(Input::Raw, &[layer(3, 8, 2), centred]),
        spec(GRADIENT, &[angles(8, 2), layer(3, 7, 2)]),
        spec(white, &[layer(1, 9, 2), pairs]),
    ]
}

/// The network whose state a step has changed.
fn after(network: &Network, step: &Step) -> Network {
    let mut state: BTreeMap<_, _> = network.state().into_iter().collect();
    for (name, tensor) in &step.layers {
        let old = state.insert(name.clone(), tensor.shallow_clone());
        assert_eq!(old.unwrap().size(), tensor.size(), "{name}");
    }
    Network::load(network.spec.clone(), &state, network.device).unwrap()
}

/// All steps from `first` on of a network that was left there; the losses too.
fn whole(spec: &Spec, cut: Option<u64>) -> (Network, Vec<Step>) {
    let course = || Course::new(spec, patches(12, 3, 17), (6, 0.5), 5).unwrap();
    tch::manual_seed(3);
    let mut network = Network::random(spec.clone(), Device::Cpu).unwrap();
    let (mut course_of, mut steps) = (course(), Vec::new());
    for step in 0..Course::steps(spec) {
        if cut == Some(step) {
            course_of = course();
        }
        let step = course_of.step(&network, step).unwrap();
        network = after(&network, &step);
        steps.push(step);
    }
    (network, steps)
}

#[test]
fn a_fit_in_steps_can_be_left_between_any_two() {
    for spec in specs() {
        let (network, steps) = whole(&spec, None);
        let end = &steps[steps.len() - 1].projection;
        for cut in [1, 3, steps.len() as u64 - 1] {
            let (again, others) = whole(&spec, Some(cut));
            for ((_, one), (_, other)) in network.state().iter().zip(again.state()) {
                assert!(one.equal(&other));
            }
            let other = &others[others.len() - 1].projection;
            assert!(
                end.iter()
                    .zip(other)
                    .all(|(one, other)| one.1.equal(&other.1))
            );
        }
    }
}

#[test]
fn each_layer_gets_better_and_the_projection_is_that_of_the_features() {
    for spec in specs() {
        let (network, steps) = whole(&spec, None);
        for layer in 0..2 {
            let losses = steps.iter().filter(|step| step.layer == layer);
            let losses: Vec<_> = losses.map(|step| step.loss).collect();
            assert!(
                losses.windows(2).all(|pair| pair[1] < pair[0] + 1e-5),
                "{losses:?}"
            );
        }
        let last = &steps[steps.len() - 1];
        assert!(
            last.layer == 2 && (0.0..1.0).contains(&last.loss),
            "{}",
            last.loss
        );
        let features = network.forward(&patches(12, 3, 17)).unwrap();
        let expected = Projection::fit(&features, 6, 0.5).unwrap().state();
        assert!(last.projection[1].1.equal(&expected[1].1));
        // What is lost is what the other components have.
        let all = Projection::fit(&features, 11, 0.0).unwrap().state();
        let all = (features - &all[0].1).matmul(&all[1].1);
        let variances = all
            .square()
            .sum_dim_intlist([0].as_slice(), false, Kind::Double);
        let lost = variances.narrow(0, 6, 5).sum(Kind::Double) / variances.sum(Kind::Double);
        assert!((lost.double_value(&[]) - last.loss).abs() < 1e-3);
    }
}

#[test]
fn rounds_find_what_a_whole_fit_finds() {
    let spec = &specs()[0];
    let (network, _) = whole(spec, None);
    let mut other = Network::new(spec.clone(), Device::Cpu).unwrap();
    for at in 0..2 {
        other.fit_layer(at, &patches(12, 3, 17), 5).unwrap();
        let (one, other) = (network.layers()[at].filters(), other.layers()[at].filters());
        assert!(one.allclose(other, 1e-3, 1e-4, false), "layer {at}");
    }
}

#[test]
fn what_cannot_be_fitted_is_said_before_the_first_step() {
    let spec = &specs()[0];
    let said = |patches, dims| {
        Course::new(spec, patches, (dims, 0.5), 5)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        said(patches(12, 3, 17), 12),
        "ckn: 'dim': expected 1 to 11, what 12 patches of 80 features span, got 12"
    );
    let message = "ckn: 'patches': expected a side in which layer 0 has a sub-patch, got 2 by 2";
    assert_eq!(said(patches(12, 3, 2), 4), message);
}
