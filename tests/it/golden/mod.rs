//! Goldens: numbers that public reference code computed, each file one case (`tests/goldens`, or the directory named
//! by `SANDBOX_GOLDENS`). An operation that is not known here is a failure, never a skip.

mod bank_update;
mod ckn;
mod clustering;
mod dip;
mod image;
mod inter_loss;
mod intra_loss;
mod knn;
mod oupn;
mod oupn_metrics;
mod patches;
mod probing;
mod queue;
mod robustness;
mod small_clusters;
mod unmix;

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use sandbox::ground::Now;
use sandbox::policy::Unknown;
use sandbox::policy::script::{Origin, Script, Source};
use sandbox::slots::Slot;
use serde_json::Value;
use tch::{Kind, Tensor};

/// One golden file: inputs, parameters and expected outputs of one operation.
pub(crate) struct Case {
    /// The file's name.
    pub(crate) file: String,
    /// `op` and its parameters.
    pub(crate) metadata: HashMap<String, String>,
    /// Inputs and outputs.
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl Case {
    fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        Self {
            file: path.file_name().unwrap().to_string_lossy().into_owned(),
            metadata: header.metadata().clone().unwrap_or_default(),
            tensors: Tensor::read_safetensors(path)
                .unwrap()
                .into_iter()
                .collect(),
        }
    }

    /// The tensor of this name.
    pub(crate) fn tensor(&self, name: &str) -> &Tensor {
        let has = self.tensors.keys().collect::<Vec<_>>();
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("no tensor '{name}', the file has {has:?}"))
    }

    /// The parameter of this name, as text.
    pub(crate) fn text(&self, name: &str) -> &str {
        let has = self.metadata.keys().collect::<Vec<_>>();
        self.metadata
            .get(name)
            .unwrap_or_else(|| panic!("no parameter '{name}', the file has {has:?}"))
    }

    /// The parameter of this name, as a number.
    pub(crate) fn number(&self, name: &str) -> f64 {
        let text = self.text(name);
        text.parse()
            .unwrap_or_else(|_| panic!("parameter '{name}' is '{text}', expected a number"))
    }

    /// Asserts that each element is within 1e-5 of the expected one, absolutely or relatively.
    #[track_caller]
    pub(crate) fn close(&self, name: &str, got: &Tensor, expected: &Tensor) {
        self.within(1e-5, name, got, expected);
    }

    /// Asserts that each element is as near as `allowed` to the expected one, absolutely or relatively.
    #[track_caller]
    pub(crate) fn within(&self, allowed: f64, name: &str, got: &Tensor, expected: &Tensor) {
        assert_eq!(got.size(), expected.size(), "shape of '{name}'");
        let [got, expected] = [got, expected].map(|tensor| tensor.to_kind(Kind::Double));
        let difference = (got - &expected).abs() / expected.abs().clamp_min(1.0);
        let largest = difference.max().double_value(&[]);
        // Asked this way round, not-a-number fails too.
        assert!(
            largest <= allowed,
            "'{name}' differs by {largest:e}, allowed {allowed:e}"
        );
    }
}

/// A shipped script with parameters in the place of its defaults.
pub(crate) fn script(slot: Slot, name: &str, params: &[(&str, Value)]) -> Script {
    let source = Source::read(slot, &Origin::Shipped(name.to_owned())).unwrap();
    let params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    Script::build(slot, source, &params, Unknown::Refused)
        .unwrap_or_else(|fault| panic!("{}", fault.report))
}

/// Step `step` of a run that goes on.
pub(crate) fn now(step: u64) -> Now {
    Now {
        step,
        epoch: 0,
        steps: 1000,
        steps_per_epoch: 1000,
        seed: 1,
        part: 0,
    }
}

#[test]
fn golden_cases_agree_with_the_official_code() {
    let _turn = crate::turn();
    let folder = std::env::var_os("SANDBOX_GOLDENS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens"),
        PathBuf::from,
    );
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read '{}': {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        })
        .collect();
    paths.sort();
    assert!(
        !paths.is_empty(),
        "no golden files in '{}'",
        folder.display()
    );
    let failures: Vec<String> = paths.iter().filter_map(|path| failure(path)).collect();
    assert!(
        failures.is_empty(),
        "{} of {} golden files disagree:\n{}",
        failures.len(),
        paths.len(),
        failures.join("\n")
    );
}

/// What is wrong with the case at `path`, if anything is.
fn failure(path: &Path) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(|| check(&Case::load(path)))).err()?;
    let reason = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked without a text");
    Some(format!("{}: {reason}", path.display()))
}

fn check(case: &Case) {
    match case.text("op") {
        "bank_update" => bank_update::check(case),
        "ckn_inverse_root" => ckn::check_inverse_root(case),
        "ckn_layer" => ckn::check_layer(case),
        "ckn_network" => ckn::check_network(case),
        "ckn_pool_taps" => ckn::check_taps(case),
        "image" => image::check(case),
        "inter_loss" => inter_loss::check(case),
        "intra_loss" => intra_loss::check(case),
        "knn" => knn::check(case),
        "clustering_metrics" => clustering::check(case),
        "opencv_sift" => patches::check_sift(case),
        "dip_net" => dip::check_net(case),
        "dip_parameters" => dip::check_parameters(case),
        "dip_psnr" => dip::check_psnr(case),
        "dip_ses" => dip::check_ses(case),
        "fgsm" => robustness::check_fgsm(case),
        "oupn_grad" => oupn::check_grad(case),
        "oupn_loss" => oupn::check_loss(case),
        "oupn_memory" => oupn::check_memory(case),
        "oupn_metrics" => oupn_metrics::check(case),
        "oupn_read" => oupn::check_read(case),
        "concept_keep" => probing::words::check_concepts(case),
        "probe_auc" => probing::tasks::check_auc(case),
        "probe_bins" => probing::tasks::check_bins(case),
        "probe_logreg" => probing::tasks::check_logistic(case),
        "probe_poisson" => probing::pictures::check_poisson(case),
        "slic" => probing::segments::check_slic(case),
        "somo_blend" => probing::pictures::check_blend(case),
        "somo_diff" => probing::pictures::check_difference(case),
        "superpixel_patch" => probing::pictures::check_cut_outs(case),
        "superpixels" => probing::segments::check_superpixels(case),
        "word_assign" => probing::words::check_sentences(case),
        "patch_map" => patches::check_map(case),
        "pgd" => robustness::check_pgd(case),
        "queue" => queue::check(case),
        "small_clusters" => small_clusters::check(case),
        "spherical_kmeans" => ckn::check_kmeans(case),
        "unmix_box" => unmix::check_box(case),
        "unmix_loss" => unmix::check_loss(case),
        "unmix_mix" => unmix::check_mix(case),
        other => panic!("unknown op '{other}' in '{}'", case.file),
    }
}
