use tch::Device;

use super::super::{Kernel, Layer, Padding};
use super::*;

fn unit(rows: i64, dim: i64) -> Tensor {
    let points = Tensor::randn([rows, dim], (Kind::Float, Device::Cpu));
    &points / points.norm_scalaropt_dim(2.0, [1], true)
}

#[test]
fn both_forms_approximate_the_same_kernel() {
    tch::manual_seed(21);
    let (points, others) = (unit(3000, 3), unit(300, 3));
    let (sigma, count) = (0.6, 40);
    let centres = points.narrow(0, 0, count);
    let descent = Descent {
        steps: 1500,
        pairs: 300,
        ..Descent::default()
    };
    let fitted = approximate(&points, &centres, sigma, &descent, (1, 0)).unwrap();
    assert!(
        fitted.after < 0.5 * fitted.before && fitted.after < 0.03,
        "{fitted:?}"
    );
    let shape = [count, 3, 1, 1];
    let layers = [
        Layer::exponential(
            &fitted.weights.view(shape),
            &fitted.offsets,
            None,
            Padding::Valid,
            1,
        ),
        Layer::projection(
            &centres.view(shape),
            None,
            Kernel::Exponential { sigma },
            Padding::Valid,
            1,
        ),
    ];
    let cosines = others.matmul(&others.tr());
    let exact = Kernel::Exponential { sigma }.of(&cosines);
    let input = others.view([300, 3, 1, 1]);
    for layer in layers {
        let features = layer.unwrap().forward(&input).flatten(1, -1);
        let difference = features.matmul(&features.tr()) - &exact;
        let error = difference
            .square()
            .mean(Kind::Double)
            .sqrt()
            .double_value(&[]);
        assert!(error < 0.05, "{error}");
    }
}

#[test]
fn a_step_goes_down_the_gradient_that_torch_finds() {
    tch::manual_seed(22);
    let pairs = unit(24, 4).view([2, 12, 4]);
    let mut fit = Fit::around(&unit(5, 4), 0.7, &pairs);
    let leaves = [&fit.weights, &fit.offsets].map(|leaf| leaf.copy().set_requires_grad(true));
    let tracked = Fit {
        weights: leaves[0].shallow_clone(),
        offsets: leaves[1].shallow_clone(),
        moving: [fit.weights.zeros_like(), fit.offsets.zeros_like()],
        sharpness: fit.sharpness,
    };
    let errors = tracked.products(&pairs) - tracked.kernel(&pairs);
    (errors.square().mean(Kind::Float) * 0.5).backward();
    let near = |got: &Tensor, times: f64, leaf: &Tensor| {
        got.allclose(&(leaf.grad() * times), 1e-4, 1e-7, false)
    };
    // Twice at the same place: the second step has the momentum of the first.
    for times in [1.0, 1.9] {
        fit.step(&pairs, 0.0, 0.9);
        for (moving, leaf) in fit.moving.iter().zip(&leaves) {
            assert!(near(moving, times, leaf), "{times}");
        }
    }
    fit.step(&pairs, 100.0, 0.0);
    for (after, leaf) in [&fit.weights, &fit.offsets].into_iter().zip(&leaves) {
        let moved = leaf.detach() - after;
        assert!(moved.allclose(&(leaf.grad() * 100.0), 1e-3, 1e-5, false));
    }
}

#[test]
fn a_fit_is_a_function_of_its_seed() {
    tch::manual_seed(23);
    let points = unit(500, 3);
    let descent = Descent {
        steps: 20,
        ..Descent::default()
    };
    let weights = |seed, layer| {
        approximate(
            &points,
            &points.narrow(0, 0, 4),
            0.6,
            &descent,
            (seed, layer),
        )
        .unwrap()
        .weights
    };
    assert!(weights(1, 0).equal(&weights(1, 0)));
    assert!(!weights(1, 0).equal(&weights(2, 0)) && !weights(1, 0).equal(&weights(1, 1)));
}

#[test]
fn what_cannot_be_approximated_is_said() {
    tch::manual_seed(24);
    let points = unit(9, 3);
    let said = |points: &Tensor, centres: &Tensor, descent: Descent| {
        let fit = approximate(points, centres, 0.6, &descent, (0, 0));
        fit.unwrap_err().to_string()
    };
    let plain = Descent::default();
    let message = "ckn: points to pair: expected at least 2, got 1";
    assert_eq!(said(&points.narrow(0, 0, 1), &points, plain), message);
    let message = "ckn: centres: expected shape [P, 3], got [9, 2]";
    assert_eq!(said(&points, &points.narrow(1, 0, 2), plain), message);
    let message = "ckn: 'momentum': expected 0 or more, below 1, got 1";
    assert_eq!(
        said(
            &points,
            &points,
            Descent {
                momentum: 1.0,
                ..plain
            }
        ),
        message
    );
    let wild = Descent {
        rate: 1e6,
        steps: 100,
        ..plain
    };
    let message = "ckn: 'rate': expected one at which features are nearer to the kernel than none, got 1000000";
    assert_eq!(said(&points, &points, wild), message);
}
