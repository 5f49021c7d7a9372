//! Matches between two pictures of one plane, of which it is known how it moved between them.

use std::path::Path;

use serde_json::json;
use tch::Tensor;

use super::{Described, descriptors, out};
use crate::config::{Evaluation, Matching, Plan};
use crate::data;
use crate::eval::patches::{Blobs, Frame, Homography, Rule, blobs, extract, matches, orientations};
use crate::ground::stop::{self, Stopped};
use crate::judge::left::Left;
use crate::judge::{Jury, Verdict};
use crate::model::Network;

/// Side of the region that is described, in standard deviations of the blob in its middle: that of SIFT, whose cells are three wide.
const REGION: f64 = 12.0;

/// Matching with an encoder; with `baselines` beside what needs no training.
pub(in crate::judge) fn matching(
    network: &Network,
    jury: Jury<'_>,
    baselines: bool,
) -> Result<Verdict, Stopped> {
    let settings = &jury.plan.config.eval.matching;
    let verdict = Verdict::new(Evaluation::Matching, json!(settings));
    match matched(network, jury.plan, baselines) {
        Ok(said) => Ok(said.into_iter().fold(verdict, add)),
        Err(Left::Stopped(stopped)) => Err(stopped),
        Err(Left::Out(why)) => Ok(verdict.leaves_out(why)),
    }
}

/// Who described, and what came of it.
type Said = (&'static str, &'static str, crate::eval::patches::Matching);

fn add(verdict: Verdict, (key, name, found): Said) -> Verdict {
    verdict
        .number(
            format!("{key}precision"),
            format!("matching precision{name}"),
            found.precision(),
            "",
        )
        .number(
            format!("{key}recall"),
            format!("matching recall{name}"),
            found.recall(),
            "",
        )
        .detail(&format!("{key}matches"), found.matches)
        .detail(&format!("{key}correct"), found.correct)
        .detail(&format!("{key}possible"), found.possible)
}

fn matched(network: &Network, plan: &Plan, baselines: bool) -> Result<Vec<Said>, Left> {
    let settings = &plan.config.eval.matching;
    let homography = homography(&settings.homography).map_err(Left::Out)?;
    let pictures = [("first", &settings.first), ("second", &settings.second)];
    let [one, other] = pictures.map(|(key, path)| Picture::of(key, path, settings));
    let (one, other) = (one?, other?);
    let described = |picture: &Picture| {
        let patches = picture.patches.to_device(network.device());
        descriptors(network, plan, &patches, baselines)
    };
    let (first, second) = (described(&one)?, described(&other)?);
    let pairs = first.into_iter().zip(second);
    pairs
        .map(
            |((key, name, first), (_, _, second)): (Described, Described)| {
                stop::look()?;
                let found = matches(&first, &second, Rule::default()).map_err(out)?;
                let points = (&one.points[..], &other.points[..]);
                Ok((
                    key,
                    name,
                    homography.judge(points, &found, settings.tolerance),
                ))
            },
        )
        .collect()
}

/// A picture's points and the patches around them.
struct Picture {
    points: Vec<[f64; 2]>,
    /// `[n, 3, side, side]` f32 in 0..1.
    patches: Tensor,
}

impl Picture {
    /// The strongest blobs of the picture in a file, each as large as it is and turned upright.
    fn of(key: &str, path: &Path, settings: &Matching) -> Result<Self, Left> {
        stop::look()?;
        let key = format!("eval.matching.{key}");
        if path.as_os_str().is_empty() {
            let why = format!("{key}: expected a JPEG or PNG file, found nothing");
            return Err(Left::Out(why));
        }
        let image = data::picture(path).map_err(|error| Left::Out(format!("{key}: {error}")))?;
        let found = Blobs {
            most: settings.points,
            ..Blobs::default()
        };
        let found = blobs(&image, &found).map_err(out)?;
        if found.is_empty() {
            let why = format!("{key}: '{}': expected blobs, found none", path.display());
            return Err(Left::Out(why));
        }
        let side = settings.side;
        let scale = |sigma: f64| REGION * sigma / side as f64;
        let upright = found
            .iter()
            .map(|blob| Frame::turned(blob.x, blob.y, 0.0, scale(blob.sigma)));
        let upright = extract(&image, &upright.collect::<Vec<_>>(), side).map_err(out)?;
        let angles = orientations(&upright).map_err(out)?;
        let turned = found
            .iter()
            .zip(angles)
            .map(|(blob, angle)| Frame::turned(blob.x, blob.y, angle, scale(blob.sigma)));
        let patches = extract(&image, &turned.collect::<Vec<_>>(), side).map_err(out)?;
        Ok(Self {
            points: found.iter().map(|blob| [blob.x, blob.y]).collect(),
            patches,
        })
    }
}

/// The homography in a file: nine numbers in three rows, as plain text or between the tags `data` of OpenCV's XML.
fn homography(path: &Path) -> Result<Homography, String> {
    let key = "eval.matching.homography";
    if path.as_os_str().is_empty() {
        return Err(format!(
            "{key}: expected a file with nine numbers, found nothing"
        ));
    }
    let shown = path.display();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{key}: cannot read '{shown}': {error}"))?;
    let inner = text.split_once("<data>");
    let inner = inner.map_or(&text[..], |(_, rest)| {
        rest.split("</data>").next().unwrap_or(rest)
    });
    let words: Vec<_> = inner.split([' ', ',', ';', '\t', '\n', '\r']).collect();
    let words = words.into_iter().filter(|word| !word.is_empty());
    let numbers: Result<Vec<f64>, _> = words.map(|word| word.parse().map_err(|_| word)).collect();
    let expected = "expected nine numbers, as plain text or in <data> of OpenCV's XML";
    let numbers =
        numbers.map_err(|word| format!("{key}: '{shown}': {expected}, found '{word}'"))?;
    let count = numbers.len();
    let nine: [f64; 9] = numbers
        .try_into()
        .map_err(|_| format!("{key}: '{shown}': {expected}, found {count}"))?;
    let [a, b, c, d, e, f, g, h, i] = nine;
    let determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    match determinant.is_finite() && determinant != 0.0 {
        true => Ok(Homography([[a, b, c], [d, e, f], [g, h, i]])),
        false => Err(format!(
            "{key}: '{shown}': expected a matrix that can be inverted, found one of determinant {determinant}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Homography, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h");
        std::fs::write(&path, text).unwrap();
        homography(&path)
    }

    #[test]
    fn a_homography_is_read_from_text_and_from_opencvs_file() {
        let expected = Homography([[1.0, 0.5, -30.0], [0.0, 2.0, 1e-3], [0.0, 0.0, 1.0]]);
        assert_eq!(read("1 0.5 -30\n0, 2, 1e-3\n0 0 1\n").unwrap(), expected);
        let xml = "<?xml version=\"1.0\"?>\n<opencv_storage>\n<H13 type_id=\"opencv-matrix\"><rows>3</rows><cols>3</cols>\
                   <dt>d</dt>\n<data>1 .5 -30\n 0 2. 1e-3 0 0 1</data></H13>\n</opencv_storage>";
        assert_eq!(read(xml).unwrap(), expected);
    }

    #[test]
    fn what_is_no_homography_is_said() {
        assert!(read("1 2 3").unwrap_err().ends_with("found 3"));
        assert!(read("1 2 x 4").unwrap_err().ends_with("found 'x'"));
        let flat = read("1 2 3 2 4 6 0 0 1").unwrap_err();
        assert!(flat.ends_with("found one of determinant 0"), "{flat}");
    }
}
