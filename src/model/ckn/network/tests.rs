use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::super::spec::tests::{GRADIENT, angles, layer};
use super::super::{Descent, Kernel, Padding};
use super::*;

/// Patches in which neighbours are alike.
pub(super) fn patches(count: i64, channels: i64, side: i64) -> Tensor {
    tch::manual_seed(31);
    let noise = Tensor::rand(
        [count, channels, side + 2, side + 2],
        (Kind::Float, Device::Cpu),
    );
    noise.avg_pool2d([3, 3], [1, 1], [0, 0], false, true, None)
}

fn network(input: Input, channels: i64, layers: &[LayerSpec]) -> Network {
    let layers = layers.to_vec();
    Network::new(
        Spec {
            input,
            channels,
            window: 0.0,
            root: false,
            layers,
        },
        Device::Cpu,
    )
    .unwrap()
}

/// A network of each kind, fitted.
fn fitted() -> Vec<Network> {
    let white = Input::White {
        size: 3,
        components: 10,
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
    let same = LayerSpec {
        padding: Padding::Same,
        kernel: Kernel::ArcCosineRelu,
        ..layer(3, 8, 2)
    };
    let patches = patches(12, 3, 17);
    let mut networks = vec![
        network(GRADIENT, 3, &[angles(8, 2), layer(3, 7, 2)]),
        network(Input::Raw, 3, &[same, centred]),
        network(white, 3, &[layer(1, 9, 2), pairs]),
    ];
    for network in &mut networks {
        for at in 0..2 {
            network.fit_layer(at, &patches, 5).unwrap();
        }
    }
    networks
}

#[test]
fn patches_are_described_one_by_one_and_as_long_as_was_said() {
    let patches = patches(5, 3, 17);
    for network in fitted() {
        let all = network.forward(&patches).unwrap();
        assert_eq!(all.size(), [5, network.spec().features(17, 17).unwrap()]);
        let maps = network.spec().maps(17, 17).unwrap().0;
        assert_eq!(network.maps(&patches).unwrap().size()[1..], maps[1]);
        for at in 0..5 {
            let one = network.forward(&patches.narrow(0, at, 1)).unwrap();
            assert!(one.allclose(&all.narrow(0, at, 1), 1e-4, 1e-5, false));
        }
        assert!(all.std(true).double_value(&[]) > 1e-3);
    }
}

#[test]
fn a_stored_network_does_the_same_bit_for_bit() {
    let patches = patches(3, 3, 17);
    for network in fitted() {
        let state: BTreeMap<_, _> = network.state().into_iter().collect();
        let again = Network::load(network.spec().clone(), &state, Device::Cpu).unwrap();
        let (one, other) = (
            network.forward(&patches).unwrap(),
            again.forward(&patches).unwrap(),
        );
        assert!(one.equal(&other));
        // A tensor that is missing is said, wherever it is.
        for name in state.keys() {
            let mut less: BTreeMap<_, _> = state
                .iter()
                .map(|(n, t)| (n.clone(), t.shallow_clone()))
                .collect();
            less.remove(name);
            assert!(
                Network::load(network.spec().clone(), &less, Device::Cpu).is_err(),
                "{name}"
            );
        }
        let mut more: BTreeMap<_, _> = network.state().into_iter().collect();
        more.insert("2.filters".to_owned(), Tensor::from(1.0f32));
        let error = Network::load(network.spec().clone(), &more, Device::Cpu)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"2.filters\"") && error.ends_with("belong to 2 layers"),
            "{error}"
        );
    }
}

#[test]
fn a_network_may_be_stored_between_two_layers() {
    let patches = patches(12, 3, 17);
    let whole = fitted().remove(0);
    let mut half = network(GRADIENT, 3, &whole.spec().layers);
    assert_eq!(half.fit_layer(0, &patches, 5).unwrap(), Fitted::Angles);
    let state: BTreeMap<_, _> = half.state().into_iter().collect();
    let mut half = Network::load(whole.spec().clone(), &state, Device::Cpu).unwrap();
    assert_eq!(half.layers().len(), 1);
    let error = half.forward(&patches).unwrap_err().to_string();
    assert_eq!(
        error,
        "ckn: layer 1 was asked for, but only the first 1 are fitted"
    );
    let Fitted::Clusters {
        samples,
        rounds,
        cosine,
    } = half.fit_layer(1, &patches, 5).unwrap()
    else {
        panic!("it was fitted otherwise");
    };
    assert!(
        samples > 300 && rounds > 1 && cosine > 0.3,
        "{samples} {rounds} {cosine}"
    );
    assert!(
        half.forward(&patches)
            .unwrap()
            .equal(&whole.forward(&patches).unwrap())
    );
}

#[test]
fn a_fit_depends_on_patches_and_seed_and_drops_what_was_fitted_on_it() {
    let patches = patches(12, 3, 17);
    let mut network = fitted().remove(1);
    let before = network.layers()[0].filters().copy();
    network.fit_layer(0, &patches, 5).unwrap();
    assert_eq!(network.layers().len(), 1);
    assert!(network.layers()[0].filters().equal(&before));
    network.fit_layer(0, &patches, 6).unwrap();
    assert!(!network.layers()[0].filters().equal(&before));
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let patches = patches(4, 3, 9);
    let mut network = network(Input::Raw, 3, &[layer(3, 8, 2), layer(2, 4, 1)]);
    let mut said =
        |at, patches: &Tensor| network.fit_layer(at, patches, 0).unwrap_err().to_string();
    let message = "ckn: layer 1 was asked for, but only the first 0 are fitted";
    assert_eq!(said(1, &patches), message);
    let message = "ckn: patches: expected shape [N, 3, H, W], got [4, 1, 9, 9]";
    assert_eq!(said(0, &patches.narrow(1, 0, 1)), message);
    let message = "ckn: patches: expected finite numbers, got 972 that are not";
    assert_eq!(said(0, &(&patches * f64::NAN)), message);
    let message = "ckn: 'patches': expected numbers of kind Float, got Double";
    assert_eq!(said(0, &patches.to_kind(Kind::Double)), message);
    let message = "ckn: sub-patches with a direction: expected at least 8, got 0";
    assert_eq!(said(0, &patches.zeros_like()), message);
    let message = "ckn: 'patches': expected a side in which layer 1 has a sub-patch, got 9 by 3";
    assert_eq!(said(0, &patches.narrow(3, 0, 3)), message);
}

#[test]
fn a_chunk_holds_a_bounded_number_of_values() {
    assert_eq!(
        (chunk(1), chunk(CHUNK), chunk(CHUNK + 1)),
        (CHUNK as usize, 1, 1)
    );
}

#[test]
fn anchors_stand_at_uniform_angles() {
    let anchors = Tensor::from_slice2(&[[1.0f32, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]);
    let got = super::angles(4).view([4, 2]);
    assert!(got.allclose(&anchors, 1e-6, 1e-6, false));
}

#[test]
fn a_rooted_descriptor_is_the_root_of_the_last_map() {
    let mut plain = network(Input::Raw, 3, &[layer(3, 6, 2), layer(2, 8, 3)]);
    let patches = patches(12, 3, 17);
    for at in 0..2 {
        plain.fit_layer(at, &patches, 5).unwrap();
    }
    let spec = Spec {
        root: true,
        ..plain.spec().clone()
    };
    let state: BTreeMap<_, _> = plain.state().into_iter().collect();
    let other = Network::load(spec, &state, Device::Cpu).unwrap();
    let rows = plain.forward(&patches).unwrap();
    assert!(other.forward(&patches).unwrap().equal(&rooted(&rows)));
    let maps = other.maps(&patches).unwrap();
    assert!(maps.equal(&plain.maps(&patches).unwrap()));
}
