//! What `model.ckn` and `method.ckn` mean, and what goes together with them.

use super::error::Error;
use super::schema::{Config, Kernels};
use super::values::{choose, need, within};
use crate::model::PatchSpec;
use crate::model::ckn::{Course, Descent, Fit, Input, Kernel, LayerSpec, Padding, Spec};

/// Where patches are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// At corners of the images.
    Corners,
    /// Each image is one.
    Image,
}

/// Where `method.ckn` takes its patches.
///
/// # Errors
/// An unknown name.
pub fn points(config: &Config) -> Result<Points, Error> {
    let known = [("corners", Points::Corners), ("image", Points::Image)];
    choose("method.ckn.points", &config.method.ckn.points, &known)
}

/// The encoder that the configuration describes, whichever it names.
pub(super) fn encoder(config: &Config) -> Result<PatchSpec, Error> {
    let kernels = &config.model.ckn;
    let network = Spec {
        input: input(kernels)?,
        channels: config.views.mean.len() as i64,
        window: kernels.window,
        root: kernels.root,
        layers: layers(config)?,
    };
    Ok(PatchSpec {
        network,
        side: config.views.size,
        power: kernels.whitening,
    })
}

/// Steps of the whole fit; nothing of another encoder, which is trained for as long as one likes.
pub(super) fn steps(spec: &PatchSpec) -> u64 {
    Course::steps(&spec.network)
}

fn input(kernels: &Kernels) -> Result<Input, Error> {
    let white = Input::White {
        size: kernels.white_size,
        components: kernels.white_components,
    };
    let gradient = Input::Gradient { blur: kernels.blur };
    let known = [("raw", Input::Raw), ("white", white), ("grad", gradient)];
    choose("model.ckn.input", &kernels.input, &known)
}

fn layers(config: &Config) -> Result<Vec<LayerSpec>, Error> {
    let (kernels, fitting) = (&config.model.ckn, &config.method.ckn);
    let clusters = Fit::Clusters {
        rounds: fitting.rounds,
    };
    let known = [
        ("clusters", clusters),
        ("pairs", Fit::Pairs(Descent::default())),
    ];
    let fit = choose("method.ckn.fit", &fitting.fit, &known)?;
    let count = kernels.sizes.len();
    let lists = [
        ("filters", &kernels.filters),
        ("subsampling", &kernels.subsampling),
    ];
    for (name, list) in lists {
        let expected = format!("{count} numbers, one a layer as in model.ckn.sizes");
        let (key, found) = (format!("model.ckn.{name}"), list.len());
        need(&key, found == count, &expected, found as f64)?;
    }
    let angles = kernels.input == "grad";
    let layer = |at: usize| LayerSpec {
        size: kernels.sizes[at],
        filters: kernels.filters[at],
        subsampling: kernels.subsampling[at],
        padding: Padding::Valid,
        kernel: Kernel::Exponential {
            sigma: kernels.sigma,
        },
        centred: false,
        samples: fitting.sub_patches,
        fit: if angles && at == 0 { Fit::Angles } else { fit },
    };
    Ok((0..count).map(layer).collect())
}

/// The ranges of both sections' numbers, and that what is named goes together.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    points(config)?;
    input(&config.model.ckn)?;
    let fitting = &config.method.ckn;
    let sigma = config.model.ckn.sigma;
    let holds = (1e-2..=1e3).contains(&sigma);
    need("model.ckn.sigma", holds, "0.01 to 1000", sigma)?;
    within("method.ckn.rounds", fitting.rounds as f64, 1e6)?;
    within("method.ckn.sub_patches", fitting.sub_patches as f64, 1e8)?;
    within("method.ckn.patches", fitting.patches as f64, 1e7)?;
    within("method.ckn.corners", fitting.corners as f64, 1e6)?;
    within("method.ckn.views", fitting.views as f64, 1000.0)?;
    within("method.ckn.size", fitting.size as f64, 4096.0)?;
    let (encoder, method) = (config.model.encoder.as_str(), config.method.name.as_str());
    match (encoder == "ckn", method == "ckn") {
        (true, true) => check_fit(config),
        (true, false) => Err(refused(
            "method.name",
            format!(
                "expected ckn with model.encoder ckn, which has no gradient to be trained by, found '{method}'"
            ),
        )),
        (false, true) => Err(refused(
            "model.encoder",
            format!(
                "expected ckn with method.name ckn, which fits kernel networks alone, found '{encoder}'"
            ),
        )),
        (false, false) => layers(config).map(drop),
    }
}

/// What a fit does not have, and that its patches fit its layers.
fn check_fit(config: &Config) -> Result<(), Error> {
    let Config {
        model, train, loss, ..
    } = config;
    let why = "0 with method 'ckn', which is fitted to patches and contrasts no images";
    need("loss.inter", loss.inter == 0.0, why, loss.inter)?;
    let why = "1 with method 'ckn', whose step is a round of a fit";
    need(
        "train.accumulate",
        train.accumulate == 1,
        why,
        train.accumulate as f64,
    )?;
    let why = "0 with encoder 'ckn', whose head are principal components";
    need("model.hidden", model.hidden == 0, why, model.hidden as f64)?;
    let said = [
        ("train.precision", "f32", train.precision.as_str()),
        (
            "data.stream.process",
            "none",
            config.data.stream.process.as_str(),
        ),
        ("model.init", "", &model.init.to_string_lossy()),
    ];
    for (key, expected, found) in said {
        if found != expected {
            let expected = if expected.is_empty() {
                "nothing"
            } else {
                expected
            };
            let message = format!("expected {expected} with method 'ckn', found '{found}'");
            return Err(refused(key, message));
        }
    }
    if !model.share_neck {
        let message = "expected true with encoder 'ckn', which has one head, found false";
        return Err(refused("model.share_neck", message.to_owned()));
    }
    let spec = encoder(config)?;
    let of_layers = |error: crate::model::ckn::Error| refused("model.ckn", error.to_string());
    spec.network.check().map_err(of_layers)?;
    let features = spec.network.features(spec.side, spec.side);
    let features = features.map_err(|error| refused("views.size", error.to_string()))?;
    let expected = format!("1 to {features}, the features of the last layer");
    let (dim, power) = (model.dim, model.ckn.whitening);
    need(
        "model.dim",
        (1..=features).contains(&dim),
        &expected,
        dim as f64,
    )?;
    need(
        "model.ckn.whitening",
        (0.0..=1.0).contains(&power),
        "0 to 1",
        power,
    )
}

fn refused(key: &str, message: String) -> Error {
    Error::Value {
        key: key.into(),
        message,
    }
}
