//! The encoder and its head against known shapes, numbers and PyTorch.

use super::*;
use crate::model::{EncoderKind, Precision, Stem};

/// A narrow network with a hidden layer, for grey images.
pub(in crate::model) fn small() -> Spec {
    spec(EncoderKind::Small { width: 8 }, Stem::Cifar, 1)
}

/// A specification with a small head.
pub(in crate::model) fn spec(encoder: EncoderKind, stem: Stem, channels: i64) -> Spec {
    Spec {
        encoder,
        stem,
        channels,
        hidden: 16,
        dim: 12,
        norm: false,
        share_neck: true,
        precision: Precision::F32,
    }
}

/// Images `[batch, channels, size, size]` with no two alike, the same at every call.
pub(in crate::model) fn images(batch: i64, channels: i64, size: i64) -> Tensor {
    let shape = [batch, channels, size, size];
    let numbers = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu));
    (numbers * 0.37).sin().view(shape)
}

/// All values of a network, by name.
pub(in crate::model) fn values(network: &Network) -> BTreeMap<String, Vec<f64>> {
    let flat = |tensor: Tensor| Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Double));
    let entries = network.state().into_iter();
    entries
        .map(|(name, tensor)| (name, flat(tensor).unwrap()))
        .collect()
}

/// A deep copy of a network's variables.
pub(in crate::model) fn copy(network: &Network) -> BTreeMap<String, Tensor> {
    let entries = network.state().into_iter();
    entries
        .map(|(name, tensor)| (name, tensor.detach().copy()))
        .collect()
}

/// The parameters of the encoder alone.
fn encoder(spec: Spec) -> Vec<(String, Tensor)> {
    let mut parameters = Network::new(&spec, Device::Cpu, 0).parameters();
    parameters.retain(|(name, _)| !name.starts_with("head."));
    parameters
}

fn count(parameters: &[(String, Tensor)]) -> usize {
    parameters.iter().map(|(_, tensor)| tensor.numel()).sum()
}

#[test]
fn every_encoder_and_stem_takes_grey_and_colour() {
    let kinds = [
        (EncoderKind::Small { width: 8 }, 32),
        (EncoderKind::ResNet18, 512),
        (EncoderKind::ResNet50, 2048),
    ];
    for (kind, features) in kinds {
        for stem in [Stem::Imagenet, Stem::Cifar] {
            for channels in [1, 3] {
                let spec = spec(kind.clone(), stem, channels);
                assert_eq!(spec.features(), features);
                let network = Network::new(&spec, Device::Cpu, 0);
                let images = images(2, channels, 32);
                let found = tch::no_grad(|| network.features(&images, false));
                assert_eq!(found.size(), [2, features]);
                let rows = tch::no_grad(|| network.embed(&images, true).intra);
                assert_eq!(rows.size(), [2, 12]);
                let norms = rows.norm_scalaropt_dim(2, [1i64].as_slice(), false);
                assert!(norms.allclose(&norms.ones_like(), 1e-5, 1e-5, false));
            }
        }
    }
}

#[test]
fn resnets_have_the_names_and_sizes_of_torchvision() {
    let parameters = encoder(spec(EncoderKind::ResNet18, Stem::Imagenet, 3));
    let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names[..4],
        [
            "bn1.bias",
            "bn1.weight",
            "conv1.weight",
            "layer1.0.bn1.bias"
        ]
    );
    assert!(names.contains(&"layer2.0.downsample.0.weight"));
    assert!(names.contains(&"layer2.0.downsample.1.bias"));
    assert!(!names.iter().any(|name| name.starts_with("layer1.0.down")));
    assert_eq!(
        names[56..],
        [
            "layer4.1.bn2.bias",
            "layer4.1.bn2.weight",
            "layer4.1.conv1.weight",
            "layer4.1.conv2.weight"
        ]
    );
    assert_eq!((parameters.len(), count(&parameters)), (60, 11_176_512));
    let parameters = encoder(spec(EncoderKind::ResNet34, Stem::Imagenet, 3));
    assert_eq!((parameters.len(), count(&parameters)), (108, 21_284_672));
    let parameters = encoder(spec(EncoderKind::ResNet50, Stem::Imagenet, 3));
    assert_eq!((parameters.len(), count(&parameters)), (159, 23_508_032));
    assert!(
        parameters
            .iter()
            .any(|(name, _)| name == "layer1.0.downsample.0.weight")
    );
}

#[test]
fn the_state_holds_parameters_buffers_and_head() {
    let network = Network::new(&small(), Device::Cpu, 0);
    let names: Vec<_> = network.state().into_iter().map(|(name, _)| name).collect();
    for name in ["bn1.running_mean", "layer3.0.downsample.1.running_var"] {
        assert!(names.iter().any(|found| found == name), "{name}");
    }
    let head: Vec<_> = names.iter().filter(|n| n.starts_with("head.")).collect();
    assert_eq!(
        head,
        [
            "head.0.bias",
            "head.0.weight",
            "head.2.bias",
            "head.2.weight"
        ]
    );
    let linear = Spec {
        hidden: 0,
        ..small()
    };
    let linear = Network::new(&linear, Device::Cpu, 0).parameters();
    let head = linear.iter().filter(|(name, _)| name.starts_with("head."));
    let head: Vec<_> = head.map(|(name, t)| (name.as_str(), t.size())).collect();
    assert_eq!(
        head,
        [("head.0.bias", vec![12]), ("head.0.weight", vec![12, 32])]
    );
}

/// ResNet-50 in evaluation mode, written down from torchvision's source with plain functions.
fn resnet50(state: &BTreeMap<String, Tensor>, images: &Tensor) -> Tensor {
    let unit = |x: &Tensor, conv: String, norm: String, stride: i64| {
        let weight = &state[&format!("{conv}.weight")];
        let pad = weight.size()[2] / 2;
        let none = None::<Tensor>;
        let x = x.conv2d(weight, none, [stride; 2], [pad; 2], [1; 2], 1);
        let of = |field: &str| state[&format!("{norm}.{field}")].view([1, -1, 1, 1]);
        let scale = of("weight") / (of("running_var") + 1e-5).sqrt();
        (x - of("running_mean")) * scale + of("bias")
    };
    let mut x = unit(images, "conv1".into(), "bn1".into(), 2).relu();
    x = x.max_pool2d(3, 2, 1, 1, false);
    for (layer, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        for block in 0..blocks {
            let at = format!("layer{}.{block}", layer + 1);
            let stride = if layer > 0 && block == 0 { 2 } else { 1 };
            let y = unit(&x, format!("{at}.conv1"), format!("{at}.bn1"), 1).relu();
            let y = unit(&y, format!("{at}.conv2"), format!("{at}.bn2"), stride).relu();
            let y = unit(&y, format!("{at}.conv3"), format!("{at}.bn3"), 1);
            if block == 0 {
                let down = format!("{at}.downsample");
                x = unit(&x, format!("{down}.0"), format!("{down}.1"), stride);
            }
            x = (y + x).relu();
        }
    }
    x.adaptive_avg_pool2d([1, 1]).flatten(1, -1)
}

#[test]
fn a_resnet_computes_what_torchvision_does() {
    let spec = spec(EncoderKind::ResNet50, Stem::Imagenet, 3);
    let network = Network::new(&spec, Device::Cpu, 0);
    let images = images(2, 3, 64);
    tch::no_grad(|| {
        let _ = network.features(&(&images * 2.0), true);
        let expected = resnet50(&network.state().into_iter().collect(), &images);
        let found = network.features(&images, false);
        assert!(expected.std(false).double_value(&[]) > 0.0);
        assert!(found.allclose(&expected, 1e-3, 1e-4, false));
    });
}

#[test]
fn initial_weights_have_the_spread_of_torchvision() {
    let spec = spec(EncoderKind::ResNet18, Stem::Imagenet, 3);
    for (name, tensor) in Network::new(&spec, Device::Cpu, 0).parameters() {
        let size = tensor.size();
        let std = tensor.std(false).double_value(&[]);
        let bound = tensor.abs().max().double_value(&[]);
        if size.len() == 4 {
            let expected = (2.0 / (size[0] * size[2] * size[3]) as f64).sqrt();
            assert!((std / expected - 1.0).abs() < 0.05, "{name}: {std}");
        } else if name.starts_with("head.") {
            let inputs = if name.starts_with("head.0") { 512 } else { 16 };
            assert!(bound <= 1.0 / f64::from(inputs).sqrt(), "{name}: {bound}");
            assert!(std > 0.0, "{name}");
        } else {
            let expected = if name.ends_with("weight") { 1.0 } else { 0.0 };
            assert_eq!((std, bound), (0.0, expected), "{name}");
        }
    }
}

#[test]
fn the_seed_decides_the_weights() {
    // libtorch's generator belongs to the process, and another test may draw from it between the seed and a weight:
    // one agreement in several tries shows the rule, which a weight that ignores the seed would never meet.
    let new = |seed| values(&Network::new(&small(), Device::Cpu, seed));
    assert!((0..50).any(|_| new(7) == new(7)));
    assert_ne!(new(7), new(8));
}

#[test]
fn evaluation_is_repeatable_and_row_by_row_and_training_moves_the_statistics() {
    let network = Network::new(&small(), Device::Cpu, 0);
    let images = images(6, 1, 28);
    let before = values(&network);
    let whole = network.embed(&images, false).intra;
    assert_eq!(whole, network.embed(&images, false).intra);
    let part = network.embed(&images.narrow(0, 2, 1), false).intra;
    assert!(part.allclose(&whole.narrow(0, 2, 1), 1e-5, 1e-6, false));
    assert_eq!(values(&network), before);
    let _ = network.embed(&images, true).intra;
    let after = values(&network);
    for (name, old) in &before {
        assert_eq!(name.contains("running_"), &after[name] != old, "{name}");
    }
}

#[test]
fn every_parameter_receives_a_gradient() {
    let network = Network::new(&small(), Device::Cpu, 0);
    let rows = network.embed(&images(4, 1, 28), true).intra;
    (rows.matmul(&rows.tr()) * images(1, 1, 4).view([4, 4]))
        .sum(Kind::Float)
        .backward();
    for (name, parameter) in network.parameters() {
        let grad = parameter.grad();
        assert!(
            grad.defined() && grad.abs().sum(Kind::Float).double_value(&[]) > 0.0,
            "{name}"
        );
        assert!(grad.is_contiguous(), "{name}");
    }
}

#[test]
fn the_branches_share_a_head_or_have_one_each() {
    let images = images(4, 1, 28);
    let shared = Network::new(&small(), Device::Cpu, 0).embed(&images, true);
    assert_eq!(shared.intra.data_ptr(), shared.inter.data_ptr());
    let spec = Spec {
        share_neck: false,
        norm: true,
        ..small()
    };
    let network = Network::new(&spec, Device::Cpu, 0);
    let own = network.embed(&images, true);
    assert!(!own.intra.allclose(&own.inter, 1e-3, 1e-3, false));
    (&own.inter * &images.flatten(1, -1).narrow(1, 0, 12))
        .sum(Kind::Float)
        .backward();
    for (name, parameter) in network.parameters() {
        let reached = parameter.grad().defined();
        assert_eq!(reached, !name.starts_with("head."), "{name}");
    }
    let names: Vec<_> = network.state().into_iter().map(|(name, _)| name).collect();
    assert!(
        names.contains(&"inter_head.3.weight".to_owned()),
        "{names:?}"
    );
    assert!(
        names.contains(&"head.1.running_mean".to_owned()),
        "{names:?}"
    );
}

#[test]
fn bfloat16_is_close_to_f32_and_leaves_f32_gradients() {
    let images = images(8, 1, 28);
    let full = Network::new(&small(), Device::Cpu, 0);
    let mut half = Network::new(
        &Spec {
            precision: Precision::Bf16,
            ..small()
        },
        Device::Cpu,
        0,
    );
    half.load(&copy(&full)).unwrap();
    let (expected, got) = (full.features(&images, true), half.features(&images, true));
    assert_eq!(got.kind(), Kind::Float);
    let error = (&got - &expected).abs().max() / expected.abs().max();
    let error = error.double_value(&[]);
    // Eight bits of mantissa: equal numbers would mean that nothing was rounded.
    assert!((1e-5..0.05).contains(&error), "{error}");
    got.sum(Kind::Float).backward();
    let conv = half
        .parameters()
        .into_iter()
        .find(|(name, _)| name == "conv1.weight");
    assert_eq!(conv.unwrap().1.grad().kind(), Kind::Float);
}

#[test]
fn loading_the_state_is_the_identity() {
    let source = Network::new(&small(), Device::Cpu, 1);
    let _ = source.features(&images(4, 1, 28), true);
    let mut target = Network::new(&small(), Device::Cpu, 2);
    assert_ne!(values(&target), values(&source));
    let mut weights = copy(&source);
    weights.insert("bn1.num_batches_tracked".into(), Tensor::from(3));
    target.load(&weights).unwrap();
    assert_eq!(values(&target), values(&source));
    assert!(target.parameters().iter().all(|(_, p)| p.requires_grad()));
    let images = images(3, 1, 28);
    assert_eq!(
        target.embed(&images, false).intra,
        source.embed(&images, false).intra
    );
}

#[test]
fn weights_that_do_not_fit_are_listed_and_change_nothing() {
    let mut network = Network::new(&small(), Device::Cpu, 1);
    let before = values(&network);
    let mut weights = copy(&Network::new(&small(), Device::Cpu, 2));
    weights.remove("bn1.bias");
    weights.insert("fc.weight".into(), Tensor::from(0.0));
    weights.insert("head.2.bias".into(), Tensor::from_slice(&[0.0_f32; 5]));
    let error = network.load(&weights).unwrap_err().to_string();
    assert_eq!(
        error,
        "weights do not fit the network: 'bn1.bias' is missing; 'head.2.bias': expected [12], got [5]; \
         'fc.weight' is unknown"
    );
    assert_eq!(values(&network), before);
}
