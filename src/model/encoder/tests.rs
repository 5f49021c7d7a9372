//! The encoders of the few-shot literature against known names, numbers and the slow obvious way.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::model::network::tests::{copy, images, spec, values};
use crate::model::{EncoderKind, Network, Precision, Spec, Stem, key_of};

/// Each of them, narrow, with its features.
const ALL: [(EncoderKind, i64); 2] = [
    (EncoderKind::Conv4 { width: 6 }, 6),
    (EncoderKind::ResNet12 { width: 4 }, 32),
];

fn network(kind: EncoderKind, channels: i64) -> Network {
    Network::new(&spec(kind, Stem::Cifar, channels), Device::Cpu, 0)
}

/// Names of the encoder's parameters, and how many numbers they hold.
fn counted(kind: EncoderKind, channels: i64) -> (Vec<String>, usize) {
    let mut parameters = network(kind, channels).parameters();
    parameters.retain(|(name, _)| !name.starts_with("head."));
    let numbers = parameters.iter().map(|(_, tensor)| tensor.numel()).sum();
    (
        parameters.into_iter().map(|(name, _)| name).collect(),
        numbers,
    )
}

type State = BTreeMap<String, Tensor>;

/// A convolution and its batch normalisation in evaluation mode, written down with plain functions.
fn unit(state: &State, x: &Tensor, conv: &str, norm: &str) -> Tensor {
    let weight = &state[&format!("{conv}.weight")];
    let pad = weight.size()[2] / 2;
    let x = x.conv2d(weight, None::<Tensor>, [1; 2], [pad; 2], [1; 2], 1);
    let of = |field: &str| state[&format!("{norm}.{field}")].view([1, -1, 1, 1]);
    let scale = of("weight") / (of("running_var") + 1e-5).sqrt();
    (x - of("running_mean")) * scale + of("bias")
}

/// The largest of each two by two numbers of `[B, C, H, W]` with even sides.
fn largest(x: &Tensor) -> Tensor {
    let size = x.size();
    x.reshape([size[0], size[1], size[2] / 2, 2, size[3] / 2, 2])
        .amax([3i64, 5].as_slice(), false)
}

/// Conv-4 of images of 28 pixels, of which 14, 7, 3 and 1 are left.
fn conv4(state: &State, images: &Tensor) -> Tensor {
    let mut x = images.shallow_clone();
    for (block, even) in [28, 14, 6, 2].into_iter().enumerate() {
        let [conv, norm] = ["conv", "bn"].map(|layer| format!("{layer}{}", block + 1));
        x = unit(state, &x, &conv, &norm).clamp_min(0.0);
        x = largest(&x.narrow(2, 0, even).narrow(3, 0, even));
    }
    x.view([images.size()[0], -1])
}

/// ResNet-12 of images of 20 pixels, of which 10, 5, 3 and 2 are left.
fn resnet12(state: &State, images: &Tensor) -> Tensor {
    let leaky = |x: &Tensor| x.clamp_min(0.0) + x.clamp_max(0.0) * 0.1;
    let mut x = images.shallow_clone();
    for (block, odd) in [0, 0, 1, 1].into_iter().enumerate() {
        let at = format!("layer{}.0", block + 1);
        let mut y = x.shallow_clone();
        for layer in 1..=3 {
            let [conv, norm] = ["conv", "bn"].map(|name| format!("{at}.{name}{layer}"));
            y = unit(state, &y, &conv, &norm);
            y = if layer < 3 { leaky(&y) } else { y };
        }
        let [conv, norm] = [0, 1].map(|layer| format!("{at}.downsample.{layer}"));
        y += unit(state, &x, &conv, &norm);
        y = if block < 3 { leaky(&y) } else { y };
        // At an odd edge there is nothing more to find.
        let edge = y.constant_pad_nd([0, odd, 0, odd]);
        let nothing = y.ones_like().constant_pad_nd([0, odd, 0, odd]).eq(0.0);
        x = largest(&edge.masked_fill(&nothing, f64::NEG_INFINITY));
    }
    assert_eq!(x.size()[2..], [2, 2]);
    x.flatten(2, -1).sum_dim_intlist(2, false, Kind::Float) / 4.0
}

/// That the features of moved statistics are those of an oracle.
fn assert_computes(kind: EncoderKind, size: i64, oracle: fn(&State, &Tensor) -> Tensor) {
    let network = network(kind.clone(), 3);
    let images = images(4, 3, size);
    tch::no_grad(|| {
        let _ = network.features(&(&images * 2.0), true);
        let expected = oracle(&network.state().into_iter().collect(), &images);
        let found = network.features(&images, false);
        assert_eq!(found.size(), expected.size());
        assert!(expected.std(false).double_value(&[]) > 0.0);
        assert!(found.allclose(&expected, 1e-4, 1e-5, false));
    });
}

#[test]
fn conv4_has_the_names_and_sizes_of_the_papers() {
    // 9 (1 + 3 * 64) 64 of the convolutions and 4 * 2 * 64 of the normalisations.
    let (names, grey) = counted(EncoderKind::Conv4 { width: 64 }, 1);
    assert_eq!(grey, 111_680);
    let (_, colour) = counted(EncoderKind::Conv4 { width: 64 }, 3);
    assert_eq!(colour, 112_832);
    let mut expected = Vec::new();
    for block in 1..=4 {
        expected.push(format!("bn{block}.bias"));
        expected.push(format!("bn{block}.weight"));
        expected.push(format!("conv{block}.weight"));
    }
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn conv4_computes_what_the_papers_say() {
    assert_computes(EncoderKind::Conv4 { width: 6 }, 28, conv4);
}

#[test]
fn resnet12_has_the_names_and_sizes_of_the_papers() {
    let (names, oupn) = counted(EncoderKind::ResNet12 { width: 32 }, 3);
    // Of each block 9 (in + 2 out) out, in out, and 4 * 2 out: 19,648, 94,720, 377,856 and 1,509,376.
    assert_eq!(oupn, 2_001_600);
    let (_, wide) = counted(EncoderKind::ResNet12 { width: 64 }, 3);
    assert_eq!(wide, 7_996_800);
    let (_, grey) = counted(EncoderKind::ResNet12 { width: 32 }, 1);
    assert_eq!(grey, oupn - 2 * 10 * 32);
    assert_eq!(names.len(), 48);
    assert_eq!(
        names[..12],
        [
            "layer1.0.bn1.bias",
            "layer1.0.bn1.weight",
            "layer1.0.bn2.bias",
            "layer1.0.bn2.weight",
            "layer1.0.bn3.bias",
            "layer1.0.bn3.weight",
            "layer1.0.conv1.weight",
            "layer1.0.conv2.weight",
            "layer1.0.conv3.weight",
            "layer1.0.downsample.0.weight",
            "layer1.0.downsample.1.bias",
            "layer1.0.downsample.1.weight",
        ]
    );
    assert_eq!(names[47], "layer4.0.downsample.1.weight");
}

#[test]
fn resnet12_computes_what_the_papers_say() {
    assert_computes(EncoderKind::ResNet12 { width: 4 }, 20, resnet12);
}

#[test]
fn nothing_bends_the_features_of_resnet12() {
    let network = network(EncoderKind::ResNet12 { width: 4 }, 1);
    let images = images(4, 1, 28);
    let mut state: State = network.state().into_iter().collect();
    let mut bias = state.remove("layer4.0.downsample.1.bias").unwrap();
    tch::no_grad(|| {
        let expected = network.features(&images, false) - 100.0;
        let _ = bias.g_sub_scalar_(100.0);
        let found = network.features(&images, false);
        assert!(found.allclose(&expected, 1e-4, 1e-4, false));
    });
}

#[test]
fn the_first_weight_has_the_channels_of_the_images() {
    let others = [EncoderKind::Small { width: 4 }, EncoderKind::ResNet18];
    for kind in ALL.map(|(kind, _)| kind).into_iter().chain(others) {
        let state: State = network(kind.clone(), 3).state().into_iter().collect();
        assert_eq!(state[kind.first()].size()[1], 3, "{kind:?}");
    }
}

#[test]
fn images_of_any_size_and_number_are_taken() {
    for (kind, features) in ALL {
        let network = network(kind.clone(), 1);
        assert_eq!(network.spec().features(), features);
        for size in [1, 2, 3, 5, 12, 15, 16, 17, 28, 31, 32] {
            for batch in [1, 3] {
                let found = tch::no_grad(|| network.features(&images(batch, 1, size), false));
                assert_eq!(found.size(), [batch, features], "{kind:?}, {size}");
                assert_eq!(found.isfinite().all().int64_value(&[]), 1);
            }
        }
        let wide = images(2, 1, 30).narrow(2, 0, 3);
        assert_eq!(network.features(&wide, false).size(), [2, features]);
    }
}

#[test]
fn features_are_a_function_of_the_image_alone() {
    for (kind, _) in ALL {
        let network = network(kind.clone(), 1);
        let images = images(6, 1, 28);
        let _ = network.features(&images, true);
        let before = values(&network);
        let whole = network.features(&images, false);
        assert_eq!(whole, network.features(&images, false));
        let one = network.features(&images.narrow(0, 2, 1), false);
        assert!(one.allclose(&whole.narrow(0, 2, 1), 1e-4, 1e-5, false));
        assert_eq!(values(&network), before);
        let _ = network.features(&images, true);
        for (name, after) in values(&network) {
            assert_eq!(name.contains("running_"), after != before[&name], "{name}");
        }
    }
}

#[test]
fn every_parameter_receives_a_gradient() {
    for (kind, _) in ALL {
        let network = network(kind.clone(), 1);
        let rows = network.embed(&images(4, 1, 28), true).intra;
        (rows.matmul(&rows.tr()) * images(1, 1, 4).view([4, 4]))
            .sum(Kind::Float)
            .backward();
        for (name, parameter) in network.parameters() {
            let grad = parameter.grad();
            assert!(grad.defined() && grad.is_contiguous(), "{kind:?}: {name}");
            assert!(grad.abs().max().double_value(&[]) > 0.0, "{kind:?}: {name}");
        }
    }
}

#[test]
fn bfloat16_is_close_to_f32() {
    for (kind, _) in ALL {
        let full = network(kind.clone(), 1);
        let half = Spec {
            precision: Precision::Bf16,
            ..full.spec().clone()
        };
        let mut half = Network::new(&half, Device::Cpu, 0);
        half.load(&copy(&full)).unwrap();
        let images = images(16, 1, 28);
        let (expected, found) = (full.features(&images, true), half.features(&images, true));
        assert_eq!(found.kind(), Kind::Float);
        let error = (&found - &expected).abs().max() / expected.abs().max();
        let error = error.double_value(&[]);
        // Eight bits of mantissa in each layer: equal numbers would mean that nothing was rounded.
        assert!((1e-5..0.1).contains(&error), "{kind:?}: {error}");
        found.sum(Kind::Float).backward();
        assert!(half.parameters().iter().all(|(name, parameter)| {
            name.starts_with("head.") || parameter.grad().kind() == Kind::Float
        }));
    }
}

#[test]
fn weights_go_out_and_come_in_and_are_followed() {
    for (kind, _) in ALL {
        let source = network(kind.clone(), 1);
        let mut target = Network::new(source.spec(), Device::Cpu, 1);
        let images = images(4, 1, 28);
        let _ = source.features(&images, true);
        assert_eq!(values(&key_of(&source)), values(&source));
        let exported = source.export(false, 7).into_iter();
        let wrapped: BTreeMap<_, _> = exported
            .map(|(name, tensor)| (format!("module.encoder_q.{name}"), tensor))
            .collect();
        let prefix = target.prefix(&wrapped);
        assert_eq!(prefix, "module.encoder_q.");
        let bare = |(name, tensor): (String, Tensor)| (name[prefix.len()..].to_owned(), tensor);
        let passed = target.start_from(&wrapped.into_iter().map(bare).collect());
        let counts = passed.unwrap();
        assert!(
            counts
                .iter()
                .all(|name| name.ends_with("num_batches_tracked"))
        );
        let (found, expected) = (
            target.features(&images, false),
            source.features(&images, false),
        );
        assert_eq!(found, expected);
    }
}

#[test]
fn the_two_halves_of_an_encoder_are_its_whole() {
    let others = [EncoderKind::Small { width: 4 }, EncoderKind::ResNet18];
    for kind in ALL.map(|(kind, _)| kind).into_iter().chain(others) {
        for precision in [Precision::F32, Precision::Bf16] {
            let spec = Spec {
                precision,
                ..spec(kind.clone(), Stem::Cifar, 1)
            };
            let network = Network::new(&spec, Device::Cpu, 0);
            let images = images(2, 1, 28);
            let [whole, halves, map] = tch::no_grad(|| {
                let _ = network.features(&images, true);
                let map = network.middle(&images).unwrap();
                let before = map.copy();
                let found = [network.features(&images, false), network.rest(&map), before];
                assert!(map.equal(&found[2]), "{kind:?}: the map is left as it is");
                found
            });
            assert!(whole.equal(&halves), "{kind:?}, {precision:?}");
            assert_eq!((map.dim(), map.kind()), (4, Kind::Float));
            assert!(map.std(false).double_value(&[]) > 0.0);
        }
    }
}
