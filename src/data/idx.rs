//! The IDX format of MNIST and its kin: big-endian header, then bytes (Y. LeCun et al., "The MNIST database of
//! handwritten digits"). Magic 0x00000803 is u8 in 3 dimensions, 0x00000801 is u8 in one.

mod place;

use std::cmp::Ordering;
use std::path::Path;

use super::content::Content;
use super::{Error, Images, Splits, classes, files};
use place::Place;

/// The images and labels of one split.
pub(super) struct Part {
    /// `[1, H, W]`.
    pub(super) shape: [i64; 3],
    /// u8, `N * H * W`.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<i64>,
}

/// Reads both splits from a folder.
pub(super) fn open(dir: &Path) -> Result<Splits, Error> {
    let place = Place::find(dir)?;
    let [images, labels] = place.train();
    let mut train = read(&images, &labels)?;
    let [images, labels] = place.eval();
    let mut eval = read(&images, &labels)?;
    if eval.shape != train.shape {
        let [expected, found] =
            [&train, &eval].map(|part| format!("images of {}", side(part.shape)));
        return Err(Error::unexpected(
            &images,
            format!("{expected}, as to train on"),
            found,
        ));
    }
    let last = |part: &Part| part.labels.iter().copied().max().unwrap_or(0);
    if last(&eval) > last(&train) {
        return Err(Error::unexpected(
            &labels,
            format!("labels up to {}, as to train on", last(&train)),
            format!("label {}", last(&eval)),
        ));
    }
    let both = &mut [&mut train.labels, &mut eval.labels];
    let classes = classes::settle(dir, both, |label| label.to_string());
    let name = files::name(dir);
    let images = |split, part: Part| {
        Images::new(
            format!("{name}/{split}"),
            part.shape,
            part.pixels,
            part.labels,
            classes.clone(),
        )
    };
    Ok(Splits::new(images("train", train), images("t10k", eval)))
}

fn read(images: &Path, labels: &Path) -> Result<Part, Error> {
    parse(
        (images, Content::open(images)?),
        (labels, Content::open(labels)?),
    )
}

/// The content of a file of images and a file of labels. The paths are for errors.
pub(super) fn parse(
    mut images: (&Path, Content<'_>),
    mut labels: (&Path, Content<'_>),
) -> Result<Part, Error> {
    let [count, height, width] = header(&mut images, 0x803)?;
    if count * height * width == 0 {
        return Err(Error::unexpected(
            images.0,
            "at least one image of at least one pixel",
            format!("{count} images of {height}x{width}"),
        ));
    }
    let what = format!("{count} images of {height}x{width}");
    let pixels = body(&mut images, [count, height, width], &what)?;

    let [found] = header(&mut labels, 0x801)?;
    if found != count {
        return Err(Error::unexpected(
            labels.0,
            format!(
                "{count} labels, as many as '{}' has images",
                images.0.display()
            ),
            found.to_string(),
        ));
    }
    let labels = body(&mut labels, [count], &format!("{count} labels"))?;
    Ok(Part {
        shape: [1, height as i64, width as i64],
        pixels,
        labels: labels.into_iter().map(i64::from).collect(),
    })
}

/// The `D` dimensions that follow the magic number.
fn header<const D: usize>(
    (path, content): &mut (&Path, Content<'_>),
    magic: u32,
) -> Result<[u128; D], Error> {
    let length = 4 * (D + 1);
    let bytes = content.take(length as u128)?;
    if bytes.len() < length {
        let expected = format!("a header of {length} bytes");
        return Err(Error::unexpected(
            path,
            expected,
            format!("{} bytes", bytes.len()),
        ));
    }
    let (words, _) = bytes.as_chunks::<4>();
    let found = u32::from_be_bytes(words[0]);
    if found != magic {
        let expected = format!("the magic number {magic:#010x} (u8 in {D} dimensions)");
        return Err(Error::unexpected(path, expected, format!("{found:#010x}")));
    }
    // As u128, three of them multiply without overflow, whatever a damaged file says.
    Ok(std::array::from_fn(|at| {
        u128::from(u32::from_be_bytes(words[at + 1]))
    }))
}

/// What follows the header, which must be exactly as long as the dimensions say; no more than that is read.
fn body<const D: usize>(
    (path, content): &mut (&Path, Content<'_>),
    sizes: [u128; D],
    what: &str,
) -> Result<Vec<u8>, Error> {
    let header = 4 * (D + 1);
    let length = sizes.iter().product::<u128>();
    let bytes = content.take(length + 1)?;
    let found = match (bytes.len() as u128).cmp(&length) {
        Ordering::Equal => return Ok(bytes),
        Ordering::Less => (header + bytes.len()).to_string(),
        Ordering::Greater => "more".to_owned(),
    };
    let expected = format!("{} bytes for {what}", header as u128 + length);
    Err(Error::unexpected(path, expected, found))
}

fn side([_, height, width]: [i64; 3]) -> String {
    format!("{height}x{width}")
}

#[cfg(test)]
mod tests;
