//! SLIC superpixels: k-means of the pixels by colour and place, each centre seeing a window around itself alone (Achanta et
//! al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods", TPAMI 34), with scikit-image 0.26's
//! choices where the paper leaves some.

mod cluster;
mod connect;
mod grid;
mod lab;

use rayon::prelude::*;

use super::{Error, Rgb, Segments};

/// Settings of [`Slic::segments`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slic {
    /// About how many segments there shall be; at least 1.
    pub segments: usize,
    /// How much nearness counts beside colour: at this distance in CIE Lab a difference of colour weighs as much as a
    /// grid step does in the plane.
    pub compactness: f64,
    /// Standard deviation, in pixels, of the Gaussian that smooths the colours first; 0 for none.
    pub sigma: f64,
    /// Most rounds of k-means; it ends earlier when no pixel changes its segment.
    pub rounds: usize,
    /// Connected pieces smaller than this part of the mean segment are given to a neighbour.
    pub smallest: f64,
    /// Connected pieces are cut off at this multiple of the mean segment.
    pub largest: f64,
}

impl Slic {
    /// As the official code of visual probing asks for them: compactness 20, sigma 1, the rest as scikit-image has it.
    pub fn of(segments: usize) -> Self {
        Self {
            segments,
            compactness: 20.0,
            sigma: 1.0,
            rounds: 10,
            smallest: 0.5,
            largest: 3.0,
        }
    }

    /// # Errors
    /// A setting with which there is no segmentation.
    pub fn check(&self) -> Result<(), Error> {
        let refused = |name, expected: &str, found: f64| {
            Err(Error::Value {
                name,
                expected: expected.to_owned(),
                found: found.to_string(),
            })
        };
        if self.segments == 0 {
            return refused("segments", "at least 1", 0.0);
        }
        if !(self.compactness.is_finite() && self.compactness > 0.0) {
            return refused("compactness", "a number above 0", self.compactness);
        }
        if !(0.0..=100.0).contains(&self.sigma) {
            return refused("sigma", "0 to 100 pixels", self.sigma);
        }
        if self.rounds == 0 {
            return refused("rounds", "at least 1", 0.0);
        }
        if !(0.0..=1.0).contains(&self.smallest) {
            return refused("smallest", "0 to 1", self.smallest);
        }
        if !(self.largest.is_finite() && self.largest >= 1.0) {
            return refused("largest", "at least 1", self.largest);
        }
        Ok(())
    }

    /// The segments of an image: connected regions, numbered from 1 in the order in which they begin.
    ///
    /// The first pixels keep 0 where they are a piece that is too small and has no neighbour with a number yet.
    ///
    /// # Errors
    /// A setting with which there is no segmentation.
    pub fn segments(&self, image: &Rgb) -> Result<Segments, Error> {
        self.check()?;
        self.cut(image, self.colours(image))
    }

    /// The smoothed colours of an image.
    fn colours(&self, image: &Rgb) -> [Vec<f32>; 3] {
        let mut colours = lab::planes(image.pixels());
        if self.sigma > 0.0 {
            let kernel = lab::gaussian(self.sigma);
            for plane in &mut colours {
                lab::smooth(plane, image.width(), &kernel);
            }
        }
        colours
    }

    /// The segments of an image of which the smoothed colours are known.
    fn cut(&self, image: &Rgb, mut colours: [Vec<f32>; 3]) -> Result<Segments, Error> {
        let (height, width) = (image.height(), image.width());
        let grid = grid::Grid::new(height, width, self.segments);
        let scale = (1.0 / self.compactness) as f32;
        for colour in colours.iter_mut().flatten() {
            *colour *= scale;
        }
        let centres = grid.centres();
        // Rounding makes the grid one of more or fewer centres than were asked for; windows follow these.
        let window = grid::Grid::new(height, width, centres.len()).steps;
        let clusters = cluster::Pixels {
            height,
            width,
            colours: &colours,
        };
        let longest = grid.steps[0].max(grid.steps[1]) as f32;
        let found = clusters.segments(&centres, window, 1.0 / (longest * longest), self.rounds);
        let mean = (height * width) as f64 / centres.len() as f64;
        let sizes = [self.smallest * mean, self.largest * mean].map(|size| size as usize);
        let labels = connect::connected(&found, width, sizes[0], sizes[1]);
        Segments::new(height, width, labels)
    }
}

/// The segments of each image by each of the `settings`, images side by side on all threads.
///
/// # Errors
/// A setting with which there is no segmentation.
pub fn segmented(images: &[Rgb], settings: &[Slic]) -> Result<Vec<Vec<Segments>>, Error> {
    settings.iter().try_for_each(Slic::check)?;
    images.par_iter().map(|image| of(image, settings)).collect()
}

/// The segments of an image; its colours are smoothed once where settings smooth alike.
fn of(image: &Rgb, settings: &[Slic]) -> Result<Vec<Segments>, Error> {
    let mut smoothed: Option<(f64, [Vec<f32>; 3])> = None;
    let cut = settings.iter().map(|slic| {
        let before = smoothed.take().filter(|(sigma, _)| *sigma == slic.sigma);
        let (sigma, colours) = before.unwrap_or_else(|| (slic.sigma, slic.colours(image)));
        let segments = slic.cut(image, colours.clone());
        smoothed = Some((sigma, colours));
        segments
    });
    cut.collect()
}

#[cfg(test)]
mod tests;
