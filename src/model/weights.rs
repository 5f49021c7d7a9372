//! Weights in and out under torchvision's names, which timm has too (`timm.models.resnet` differs from
//! `torchvision.models.resnet` in the classifier alone): what a file holds of a network, and a network that starts from
//! the weights of a file.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::network::{BATCH_COUNT, check_weights};
use super::{Error, Network};

/// Where the names of what is no part of the encoder begin: the projection heads here, the classifier there.
const HEADS: [&str; 3] = ["head.", "inter_head.", "fc."];

/// What stands in the names of an encoder that follows another one: of both that a file holds, the other one is meant.
const FOLLOWERS: [&str; 5] = ["momentum", "encoder_k", "teacher", "target", "ema"];

/// What each batch normalisation has, and nothing else.
const RUNNING_VAR: &str = ".running_var";

/// Whether a name is that of a variable of an encoder.
fn of_encoder(name: &str) -> bool {
    !HEADS.iter().any(|head| name.starts_with(head))
}

/// Whether a file may hold an entry that an encoder does not take.
fn passed_over(name: &str) -> bool {
    !of_encoder(name) || name.ends_with(BATCH_COUNT)
}

impl Network {
    /// The encoder's variables and, with `head`, those of the projection heads; sorted by name, shallow clones. Each batch
    /// normalisation gets torchvision's `num_batches_tracked`, without which a strict load fails: `batches`, because a
    /// network does not count them, and at a fixed momentum nothing reads them.
    pub fn export(&self, head: bool, batches: u64) -> Vec<(String, Tensor)> {
        let mut named: BTreeMap<_, _> = self.state().into_iter().collect();
        named.retain(|name, _| head || of_encoder(name));
        let counts: Vec<_> = named
            .keys()
            .filter_map(|name| name.strip_suffix(RUNNING_VAR))
            .map(|norm| (format!("{norm}{BATCH_COUNT}"), Tensor::from(batches as i64)))
            .collect();
        named.extend(counts);
        named.into_iter().collect()
    }

    /// What stands before the encoder's names in weights that were saved with something around it, as `module.encoder_q.` does; empty
    /// where nothing does, or where no prefix gives most of the names. Of several encoders the one that follows no other.
    pub fn prefix(&self, weights: &BTreeMap<String, Tensor>) -> String {
        let mut own: Vec<_> = self.state().into_iter().map(|(name, _)| name).collect();
        own.retain(|name| of_encoder(name));
        let Some(first) = own.first() else {
            return String::new();
        };
        let before = weights
            .keys()
            .filter_map(|name| name.strip_suffix(first.as_str()));
        let prefixes = before.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        let having = |prefix: &str| {
            own.iter()
                .filter(|name| weights.contains_key(&format!("{prefix}{name}")))
                .count()
        };
        let most = prefixes.filter(|prefix| 2 * having(prefix) > own.len());
        let follows = |prefix: &str| FOLLOWERS.iter().any(|word| prefix.contains(word));
        most.min_by_key(|prefix| (own.len() - having(prefix), follows(prefix), prefix.len()))
            .unwrap_or_default()
            .to_owned()
    }

    /// Takes the encoder's values from weights with torchvision's names, and returns the names of the entries that it
    /// passed over: classifier, projection heads, counts of batches. The heads stay as they are.
    ///
    /// # Errors
    /// [`Error::Weights`] lists every name that is missing or unknown, of another shape with both shapes, or whose
    /// numbers are not finite or not floating-point; nothing has changed then.
    pub fn start_from(&mut self, weights: &BTreeMap<String, Tensor>) -> Result<Vec<String>, Error> {
        let mut encoder = self.state();
        encoder.retain(|(name, _)| of_encoder(name));
        check_weights(&encoder, weights, passed_over)?;
        let faults: Vec<_> = encoder
            .iter()
            .filter_map(|(name, _)| Some(format!("'{name}': {}", fault(&weights[name])?)))
            .collect();
        if !faults.is_empty() {
            return Err(Error::Weights(faults));
        }
        tch::no_grad(|| {
            for (name, mut variable) in encoder {
                variable.f_copy_(&weights[&name])?;
            }
            let passed = weights.keys().filter(|name| passed_over(name));
            Ok(passed.cloned().collect())
        })
    }
}

/// What makes a tensor no weight.
fn fault(tensor: &Tensor) -> Option<String> {
    let kind = tensor.kind();
    if ![Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16].contains(&kind) {
        return Some(format!("expected floating-point numbers, got {kind:?}"));
    }
    let finite = tensor.isfinite().all().int64_value(&[]) == 1;
    (!finite).then(|| "expected finite numbers, got others among them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::tests::{images, small, values};
    use crate::model::{EncoderKind, Spec, Stem};
    use tch::Device;

    fn resnet(encoder: EncoderKind, stem: Stem) -> Network {
        let spec = Spec {
            encoder,
            stem,
            channels: 3,
            ..small()
        };
        Network::new(&spec, Device::Cpu, 0)
    }

    fn map(named: Vec<(String, Tensor)>) -> BTreeMap<String, Tensor> {
        named.into_iter().collect()
    }

    /// Entries of `torchvision.models.NAME().state_dict()` of torchvision 0.26 without `fc.weight` and `fc.bias`, batch
    /// normalisations among them, numbers in all entries, and some shapes.
    type Listed = (
        EncoderKind,
        usize,
        usize,
        usize,
        &'static [(&'static str, &'static [i64])],
    );

    const TORCHVISION: [Listed; 3] = [
        (
            EncoderKind::ResNet18,
            120,
            20,
            11_186_132,
            &[
                ("conv1.weight", &[64, 3, 7, 7]),
                ("bn1.num_batches_tracked", &[]),
                ("layer1.1.conv2.weight", &[64, 64, 3, 3]),
                ("layer2.0.downsample.0.weight", &[128, 64, 1, 1]),
                ("layer4.1.bn2.running_mean", &[512]),
            ],
        ),
        (
            EncoderKind::ResNet34,
            216,
            36,
            21_301_732,
            &[
                ("layer3.5.conv1.weight", &[256, 256, 3, 3]),
                ("layer4.0.downsample.1.running_var", &[512]),
                ("layer4.2.bn2.bias", &[512]),
            ],
        ),
        (
            EncoderKind::ResNet50,
            318,
            53,
            23_561_205,
            &[
                ("layer1.0.conv3.weight", &[256, 64, 1, 1]),
                ("layer1.0.downsample.0.weight", &[256, 64, 1, 1]),
                ("layer3.5.bn3.num_batches_tracked", &[]),
                ("layer4.2.conv2.weight", &[512, 512, 3, 3]),
            ],
        ),
    ];

    #[test]
    fn the_names_are_those_of_torchvision() {
        for (encoder, entries, norms, numbers, some) in TORCHVISION {
            let exported = map(resnet(encoder.clone(), Stem::Imagenet).export(false, 7));
            assert_eq!(exported.len(), entries, "{encoder:?}");
            let counts = exported
                .iter()
                .filter(|(name, _)| name.ends_with(BATCH_COUNT));
            let counts: Vec<_> = counts.map(|(_, count)| count.int64_value(&[])).collect();
            assert_eq!(counts, vec![7; norms], "{encoder:?}");
            let found: usize = exported.values().map(Tensor::numel).sum();
            assert_eq!(found, numbers, "{encoder:?}");
            for (name, shape) in some {
                assert_eq!(exported[*name].size(), *shape, "{name}");
            }
            assert!(
                !exported
                    .keys()
                    .any(|name| name.contains("head") || name.contains("fc"))
            );
        }
    }

    #[test]
    fn a_head_comes_along_where_it_is_asked_for() {
        let network = resnet(EncoderKind::ResNet18, Stem::Cifar);
        let names: Vec<_> = map(network.export(true, 0)).into_keys().collect();
        assert_eq!(names.len(), 124);
        assert!(names.contains(&"head.2.bias".to_owned()));
    }

    #[test]
    fn an_encoder_starts_from_what_another_one_exported() {
        let source = Network::new(&small(), Device::Cpu, 1);
        let _ = source.features(&images(4, 1, 28), true);
        let mut target = Network::new(&small(), Device::Cpu, 2);
        let before = values(&target);
        let mut weights = map(source.export(true, 3));
        weights.insert("fc.weight".into(), Tensor::from(0.0));
        let passed = target.start_from(&weights).unwrap();
        assert!(passed.contains(&"fc.weight".to_owned()));
        assert!(passed.contains(&"head.0.bias".to_owned()));
        assert!(passed.contains(&"bn1.num_batches_tracked".to_owned()));
        assert!(!passed.contains(&"bn1.running_mean".to_owned()));
        let (images, after) = (images(3, 1, 28), values(&target));
        assert_eq!(
            target.features(&images, false),
            source.features(&images, false)
        );
        for (name, value) in &values(&source) {
            let old = &before[name];
            let expected = if of_encoder(name) { value } else { old };
            assert_eq!(&after[name], expected, "{name}");
        }
        assert!(target.parameters().iter().all(|(_, p)| p.requires_grad()));
    }

    #[test]
    fn of_several_encoders_the_one_that_follows_no_other_is_meant() {
        let source = Network::new(&small(), Device::Cpu, 1);
        let under = |prefixes: &[&str]| -> BTreeMap<String, Tensor> {
            let named = prefixes.iter().flat_map(|prefix| {
                let all = source.export(false, 0).into_iter();
                all.map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
            });
            named.collect()
        };
        for (prefixes, expected) in [
            (&[""][..], ""),
            (&["module."], "module."),
            (
                &["module.encoder_k.", "module.encoder_q."],
                "module.encoder_q.",
            ),
            (&["base_encoder.", "momentum_encoder."], "base_encoder."),
            (&["", "ema."], ""),
            (&["net"], ""),
        ] {
            assert_eq!(source.prefix(&under(prefixes)), expected, "{prefixes:?}");
        }
        let mut half = under(&["module."]);
        let names: Vec<_> = half.keys().skip(8).cloned().collect();
        names.iter().for_each(|name| drop(half.remove(name)));
        assert_eq!(source.prefix(&half), "");
    }

    #[test]
    fn weights_of_fewer_or_more_bits_are_taken() {
        let source = Network::new(&small(), Device::Cpu, 1);
        let mut target = Network::new(&small(), Device::Cpu, 2);
        for kind in [Kind::Double, Kind::Half, Kind::BFloat16] {
            let cast = |(name, t): (String, Tensor)| (name, t.detach().to_kind(kind));
            let weights: BTreeMap<_, _> = source.export(false, 0).into_iter().map(cast).collect();
            target.start_from(&weights).unwrap();
            let (found, expected) = (
                &map(target.state())["conv1.weight"],
                &weights["conv1.weight"],
            );
            assert_eq!(found.kind(), Kind::Float);
            assert_eq!(found, &expected.to_kind(Kind::Float));
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_all_listed_and_change_nothing() {
        let of = |kernel: [i64; 4], name: &str| {
            let mut weights = map(Network::new(&small(), Device::Cpu, 2).export(false, 0));
            weights.insert(
                name.into(),
                Tensor::ones(kernel, (Kind::Float, Device::Cpu)),
            );
            weights
        };
        let mut missing = of([1; 4], "stray.weight");
        missing.remove("bn1.bias");
        missing.remove("layer1.0.bn1.num_batches_tracked");
        let mut shapes = of([8, 3, 7, 7], "conv1.weight");
        shapes.insert("bn1.bias".into(), Tensor::from_slice(&[0.0_f32; 3]));
        let mut values_ = of([8, 1, 3, 3], "conv1.weight");
        values_.insert("bn1.bias".into(), Tensor::from_slice(&[1i64; 8]));
        values_.insert("bn1.weight".into(), Tensor::from_slice(&[f32::NAN; 8]));
        let cases = [
            (missing, "'bn1.bias' is missing; 'stray.weight' is unknown"),
            (
                shapes,
                "'bn1.bias': expected [8], got [3]; 'conv1.weight': expected [8, 1, 3, 3], got [8, 3, 7, 7]",
            ),
            (
                values_,
                "'bn1.bias': expected floating-point numbers, got Int64; \
                 'bn1.weight': expected finite numbers, got others among them",
            ),
        ];
        let mut network = Network::new(&small(), Device::Cpu, 1);
        let before = values(&network);
        for (weights, message) in cases {
            let error = network.start_from(&weights).unwrap_err().to_string();
            assert_eq!(error, format!("weights do not fit the network: {message}"));
            assert_eq!(values(&network), before);
        }
    }
}
