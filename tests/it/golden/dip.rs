//! The network of deep image prior and what DIPDefend watches, as their public code computes them.

use std::collections::BTreeMap;

use sandbox::eval::robustness::{Smoothing, tiled_psnr};
use sandbox::model::skip::{Pad, Scale, Skip, SkipSpec, Upsample};
use sandbox::optim::{Adam, Group, Optimizer, zero_grad};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Case;

fn pad(name: &str) -> Pad {
    match name {
        "zero" => Pad::Zero,
        "reflection" => Pad::Reflection,
        other => panic!("unknown pad '{other}'"),
    }
}

fn upsample(name: &str) -> Upsample {
    match name {
        "bilinear" => Upsample::Bilinear,
        "nearest" => Upsample::Nearest,
        other => panic!("unknown upsample '{other}'"),
    }
}

/// Scales of widths by role: down, up, skip.
fn scales(widths: [&[i64]; 3]) -> Vec<Scale> {
    let [down, up, skip] = widths;
    assert!(down.len() == up.len() && up.len() == skip.len());
    let at = |at: usize| Scale {
        down: down[at],
        up: up[at],
        skip: skip[at],
    };
    (0..down.len()).map(at).collect()
}

/// The network of a case, with random weights.
fn network(spec: &SkipSpec) -> Skip {
    Skip::new(spec, &[0], Device::Cpu, 0).unwrap()
}

/// Forward, gradients and three steps of Adam from the weights of the file.
pub(crate) fn check_net(case: &Case) {
    let widths = ["channels_down", "channels_up", "channels_skip"].map(|name| {
        let numbers = case.text(name).split(',');
        numbers
            .map(|number| number.parse().unwrap())
            .collect::<Vec<i64>>()
    });
    let [down, up, skip] = &widths;
    let spec = SkipSpec {
        input: case.number("input_channels") as i64,
        output: case.number("output_channels") as i64,
        scales: scales([down, up, skip]),
        pad: pad(case.text("pad")),
        upsample: upsample(case.text("upsample")),
        pointwise: case.text("need1x1_up") == "true",
    };
    let mut net = network(&spec);
    assert_eq!(net.parameter_count() as f64, case.number("parameters"));
    let weights = case.tensors.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix("weight.")?;
        Some((name.to_owned(), tensor.shallow_clone()))
    });
    net.load(&weights.collect()).unwrap();
    let (input, target) = (case.tensor("input"), case.tensor("target"));
    let mut adam = Adam::new([0.9, 0.999], 1e-8, 0.0).unwrap();
    let after = case.tensor("outputs_after");
    for step in 0..=after.size()[0] {
        let answer = net.forward(input);
        let name = format!("output after {step} steps");
        match step {
            0 => case.close(&name, &answer.detach(), case.tensor("output")),
            _ => case.within(1e-4, &name, &answer.detach(), &after.get(step - 1)),
        }
        let loss = (answer - target).square().mean(Kind::Float);
        let allowed = if step == 0 { 1e-5 } else { 1e-4 };
        let expected = case.tensor("losses").get(step);
        case.within(allowed, &format!("loss {step}"), &loss.detach(), &expected);
        zero_grad(net.parameters());
        loss.backward();
        if step == 0 {
            check_gradients(case, net.parameters());
        }
        adam.step(&[Group {
            parameters: net.parameters(),
            lr: case.number("lr"),
        }]);
    }
}

/// Of those parameters of which the file has gradients.
fn check_gradients(case: &Case, parameters: &[(String, Tensor)]) {
    let gradients: BTreeMap<_, _> = parameters
        .iter()
        .map(|(name, tensor)| (format!("grad.{name}"), tensor.grad()))
        .collect();
    let expected = case.tensors.iter();
    let expected: Vec<_> = expected
        .filter(|(name, _)| name.starts_with("grad."))
        .collect();
    assert!(!expected.is_empty());
    for (name, expected) in expected {
        case.close(name, &gradients[name], expected);
    }
}

/// How many parameters configurations have, which name what differs from the official defaults.
pub(crate) fn check_parameters(case: &Case) {
    let configurations: Vec<Value> = serde_json::from_str(case.text("configurations")).unwrap();
    let counts = configurations.iter().map(|configuration| {
        let widths = |name: &str, default: [i64; 5]| match &configuration[name] {
            Value::Null => default.to_vec(),
            list => serde_json::from_value(list.clone()).unwrap(),
        };
        let text = |name: &str, default: &'static str| {
            let found = configuration[name].as_str();
            found.unwrap_or(default).to_owned()
        };
        let wide = [16, 32, 64, 128, 128];
        let number = |name: &str, default| configuration[name].as_i64().unwrap_or(default);
        let spec = SkipSpec {
            input: number("num_input_channels", 2),
            output: number("num_output_channels", 3),
            scales: scales([
                &widths("num_channels_down", wide),
                &widths("num_channels_up", wide),
                &widths("num_channels_skip", [4; 5]),
            ]),
            pad: pad(&text("pad", "zero")),
            upsample: upsample(&text("upsample_mode", "nearest")),
            pointwise: configuration["need1x1_up"].as_bool().unwrap_or(true),
        };
        network(&spec).parameter_count() as i64
    });
    let counts = Tensor::from_slice(&counts.collect::<Vec<_>>());
    assert_eq!(&counts, case.tensor("parameters"));
}

pub(crate) fn check_psnr(case: &Case) {
    let [first, second] = ["first", "second"].map(|name| case.tensor(name).unsqueeze(0));
    let got = tiled_psnr(&first, &second, case.number("tile") as i64).unwrap();
    let got = Tensor::from_slice(&got);
    case.close("psnr", &got, &case.tensor("psnr").view([1]));
}

pub(crate) fn check_ses(case: &Case) {
    let mut smoothing = Smoothing::new(case.number("lam")).unwrap();
    let (mut smoothed, mut slopes, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
    for number in Vec::<f64>::try_from(case.tensor("psnr")).unwrap() {
        smoothing.push(number);
        smoothed.push(smoothing.smoothed());
        slopes.extend(smoothing.slope());
        chosen.push(smoothing.chosen().map_or(-1, |step| step as i64));
    }
    for (name, got) in [("smoothed", smoothed), ("delta", slopes)] {
        case.within(1e-9, name, &Tensor::from_slice(&got), case.tensor(name));
    }
    assert_eq!(&Tensor::from_slice(&chosen), case.tensor("chosen"));
}
