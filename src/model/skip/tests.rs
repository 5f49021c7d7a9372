use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::layers::{doubled, joined, middle};
use super::*;

const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

fn scale(down: i64, up: i64, skip: i64) -> Scale {
    Scale { down, up, skip }
}

/// Three scales, the middle one without a skip connection.
fn mixed(pad: Pad, upsample: Upsample, pointwise: bool) -> SkipSpec {
    SkipSpec {
        input: 2,
        output: 3,
        scales: vec![scale(4, 5, 2), scale(6, 3, 0), scale(5, 4, 3)],
        pad,
        upsample,
        pointwise,
    }
}

fn kinds() -> Vec<SkipSpec> {
    let pads = [Pad::Zero, Pad::Reflection];
    let kinds = pads.into_iter().flat_map(|pad| {
        let upsamples = [Upsample::Bilinear, Upsample::Nearest];
        upsamples.map(|upsample| mixed(pad, upsample, pad == Pad::Zero))
    });
    kinds.chain([SkipSpec::small(3)]).collect()
}

fn skip(spec: &SkipSpec, ids: &[u64]) -> Skip {
    Skip::new(spec, ids, Device::Cpu, 7).unwrap()
}

fn off(first: &Tensor, second: &Tensor) -> f64 {
    (first - second).abs().max().double_value(&[])
}

#[test]
fn networks_side_by_side_answer_and_learn_as_each_does_alone() {
    tch::manual_seed(1);
    for spec in kinds() {
        let ids = [4, 0, 9];
        let all = skip(&spec, &ids);
        // Odd edges, so that something is cut off.
        let noise = Tensor::rand([3, spec.input, 21, 18], OPTIONS);
        let target = Tensor::rand([3, spec.output, 21, 18], OPTIONS);
        let together = all.forward(&noise);
        (&together - &target).square().sum(Kind::Float).backward();
        for (at, id) in (0..).zip(ids) {
            let one = skip(&spec, &[id]);
            assert_eq!(one.parameter_count(), all.parameter_count());
            let alone = one.forward(&noise.narrow(0, at, 1));
            assert!(off(&alone, &together.narrow(0, at, 1)) < 1e-5);
            let squares = (alone - target.narrow(0, at, 1)).square();
            squares.sum(Kind::Float).backward();
            for ((name, one), (_, all)) in one.parameters().iter().zip(all.parameters()) {
                let len = one.size()[0];
                assert_eq!(*one, all.narrow(0, at * len, len), "{name}");
                let [one, all] = [one, all].map(Tensor::grad);
                let off = off(&one, &all.narrow(0, at * len, len));
                let size = one.abs().max().double_value(&[]);
                assert!(off < 1e-4 + 1e-4 * size, "{name}: {off} of {size}");
            }
        }
    }
}

#[test]
fn a_network_answers_in_the_size_of_its_noise() {
    tch::manual_seed(1);
    for spec in kinds() {
        for (height, width) in [(16, 16), (9, 9), (17, 30), (28, 15)] {
            spec.check_size(height, width).unwrap();
            let noise = Tensor::rand([2, spec.input, height, width], OPTIONS);
            let images = skip(&spec, &[0, 1]).forward(&noise);
            assert_eq!(images.size(), [2, spec.output, height, width]);
            let [low, high] = [images.min(), images.max()].map(|end| end.double_value(&[]));
            assert!(low > 0.0 && high < 1.0 && high - low > 0.05);
        }
    }
}

/// The parameters as one counts them by hand.
fn counted(spec: &SkipSpec) -> i64 {
    let conv = |from: i64, to: i64, kernel: i64| from * to * kernel * kernel + to;
    let unit = |from, to, kernel| conv(from, to, kernel) + 2 * to;
    let (mut sum, mut from) = (0, spec.input);
    for (at, now) in spec.scales.iter().enumerate() {
        sum += unit(from, now.down, 3) + unit(now.down, now.down, 3);
        if now.skip > 0 {
            sum += unit(from, now.skip, 1);
        }
        let deeper = match spec.scales.get(at + 1) {
            Some(next) => next.up,
            None => now.down,
        };
        sum += 2 * (now.skip + deeper) + unit(now.skip + deeper, now.up, 3);
        if spec.pointwise {
            sum += unit(now.up, now.up, 1);
        }
        from = now.down;
    }
    sum + conv(spec.scales[0].up, spec.output, 1)
}

#[test]
fn the_parameters_are_as_many_as_the_layers_have() {
    for spec in kinds() {
        let count = skip(&spec, &[0]).parameter_count();
        assert_eq!(count as i64, counted(&spec));
    }
    assert_eq!(skip(&SkipSpec::small(3), &[5]).parameter_count(), 9011);
}

#[test]
fn start_weights_belong_to_seed_and_id() {
    let spec = SkipSpec::small(1);
    let weight = |ids: &[u64], seed: u64| {
        let skip = Skip::new(&spec, ids, Device::Cpu, seed).unwrap();
        let named: BTreeMap<_, _> = skip.parameters().iter().map(|(n, t)| (n, t)).collect();
        named[&"down1.conv2.weight".to_owned()].detach()
    };
    let first = weight(&[3], 0);
    assert_eq!(weight(&[8, 3], 0).narrow(0, 8, 8), first);
    assert!(weight(&[4], 0) != first && weight(&[3], 1) != first);
    // Uniform within one over the root of 8 x 3 x 3.
    let bound = 1.0 / 72f64.sqrt();
    let many = weight(&(0..50).collect::<Vec<_>>(), 0);
    let [low, high] = [many.min(), many.max()].map(|end| end.double_value(&[]));
    assert!(low >= -bound && low < -0.99 * bound, "{low}");
    assert!(high <= bound && high > 0.99 * bound, "{high}");
    assert!(many.mean(Kind::Double).double_value(&[]).abs() < 0.01 * bound);
}

#[test]
fn weights_are_taken_over_whole_or_not_at_all() {
    let spec = SkipSpec::small(1);
    let (from, mut to) = (skip(&spec, &[1, 2]), skip(&spec, &[3, 4]));
    let copy = |skip: &Skip| -> BTreeMap<String, Tensor> {
        let all = skip.parameters().iter();
        all.map(|(name, tensor)| (name.clone(), tensor.detach().copy()))
            .collect()
    };
    let mut weights = copy(&from);
    let before = copy(&to);
    let bias = weights.remove("out.conv.bias").unwrap();
    weights.insert("out.conv.more".into(), bias.copy());
    let said = to.load(&weights).unwrap_err().to_string();
    assert!(said.contains("'out.conv.bias' is missing"), "{said}");
    assert!(said.contains("'out.conv.more' is unknown"), "{said}");
    assert_eq!(copy(&to), before);
    weights.remove("out.conv.more");
    weights.insert("out.conv.bias".into(), bias);
    to.load(&weights).unwrap();
    assert_eq!(copy(&to), weights);
    assert!(weights != before);
}

#[test]
fn two_maps_are_joined_network_by_network_about_their_middles() {
    tch::manual_seed(1);
    let first = Tensor::rand([1, 2 * 3, 5, 7], OPTIONS);
    let second = Tensor::rand([1, 2, 6, 8], OPTIONS);
    let got = joined(2, &first, &second);
    assert_eq!(got.size(), [1, 8, 5, 7]);
    for (channel, row, column) in
        (0..8).flat_map(|c| (0..5).flat_map(move |r| (0..7).map(move |l| (c, r, l))))
    {
        // Of the one row and column too many, none is above or on the left.
        let expected = match (channel / 4, channel % 4) {
            (network, 3) => second.double_value(&[0, network, row, column]),
            (network, own) => first.double_value(&[0, 3 * network + own, row, column]),
        };
        assert_eq!(got.double_value(&[0, channel, row, column]), expected);
    }
    // Of two too many, one is above.
    let cut = middle(&second, [4, 5]);
    assert_eq!(cut, second.narrow(2, 1, 4).narrow(3, 1, 5));
}

#[test]
fn a_map_is_doubled_between_the_centres_of_its_pixels() {
    let map = Tensor::from_slice(&[0.0f32, 4.0, 8.0, 16.0]).view([1, 1, 2, 2]);
    let row = |upsample, at: i64| {
        let map = doubled(&map, upsample).view([4, 4]);
        Vec::<f64>::try_from(map.get(at).to_kind(Kind::Double)).unwrap()
    };
    assert_eq!(row(Upsample::Nearest, 1), [0.0, 0.0, 4.0, 4.0]);
    assert_eq!(row(Upsample::Bilinear, 0), [0.0, 1.0, 3.0, 4.0]);
    assert_eq!(row(Upsample::Bilinear, 1), [2.0, 3.25, 5.75, 7.0]);
}

#[test]
fn what_is_out_of_range_is_named() {
    let base = || SkipSpec::small(1);
    let cases = [
        (
            SkipSpec { input: 0, ..base() },
            "'input': expected 1 or more, got 0",
        ),
        (
            SkipSpec {
                output: -1,
                ..base()
            },
            "'output': expected 1 or more, got -1",
        ),
        (
            SkipSpec {
                scales: vec![],
                ..base()
            },
            "'scales': expected 1 or more, got 0",
        ),
        (
            SkipSpec {
                scales: vec![scale(0, 1, 0)],
                ..base()
            },
            "'down'",
        ),
        (
            SkipSpec {
                scales: vec![scale(1, 0, 0)],
                ..base()
            },
            "'up'",
        ),
        (
            SkipSpec {
                scales: vec![scale(1, 1, -2)],
                ..base()
            },
            "'skip': expected 0 or more, got -2",
        ),
    ];
    for (spec, message) in cases {
        let said = Skip::new(&spec, &[0], Device::Cpu, 0)
            .err()
            .unwrap()
            .to_string();
        assert!(said.contains(message), "{said}");
    }
    assert!(Skip::new(&base(), &[], Device::Cpu, 0).is_err());
    base().check_size(9, 9).unwrap();
    let said = base().check_size(20, 8).unwrap_err().to_string();
    let expected =
        "model: 'width': expected more than two to the power of the number of scales, got 8";
    assert_eq!(said, expected);
}
