//! The network of deep image prior (Ulyanov et al. 2018, arXiv 1711.10925, section 3): an encoder-decoder whose scales are bridged
//! by skip connections, fitted anew to every image. Here several of them lie side by side in one.
//!
//! n networks of one form are one network of n times the channels: each convolution has n groups, each batch normalisation looks at
//! a channel of one image by itself, and to enlarge is a matter of each channel. What a network computes and learns is so what it
//! would alone, up to rounding, and a hundred images are fitted by the kernels of one.

mod layers;
mod network;

pub use network::Skip;

use super::Error;

/// How a map is continued beyond its edges before a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad {
    /// By zeros.
    Zero,
    /// By its mirror image, without the edge itself.
    Reflection,
}

/// How the decoder doubles the edges of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsample {
    /// Between the centres of the pixels, by weights (`align_corners` is false).
    Bilinear,
    /// Every pixel four times.
    Nearest,
}

/// The widths of one scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Channels of its encoder.
    pub down: i64,
    /// Channels of its decoder.
    pub up: i64,
    /// Channels of the connection between them; 0 for none.
    pub skip: i64,
}

/// What a [`Skip`] is made from. Convolutions are 3x3, those of skip connections and the last one 1x1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipSpec {
    /// Channels of the noise that is put in.
    pub input: i64,
    /// Channels of an image.
    pub output: i64,
    /// The scales, the outermost first; each halves the edges.
    pub scales: Vec<Scale>,
    /// How maps are continued.
    pub pad: Pad,
    /// How maps are enlarged.
    pub upsample: Upsample,
    /// Whether a 1x1 convolution follows each one of the decoder.
    pub pointwise: bool,
}

impl SkipSpec {
    /// The small network that DIPDefend has for images of 32x32 (Dai et al. 2020, ACM MM): widths 4, 8 and 16, no skip connections,
    /// one channel of noise; 9,011 parameters for three channels of an image.
    pub fn small(output: i64) -> Self {
        let scale = |width| Scale {
            down: width,
            up: width,
            skip: 0,
        };
        Self {
            input: 1,
            output,
            scales: [4, 8, 16].map(scale).to_vec(),
            pad: Pad::Zero,
            upsample: Upsample::Bilinear,
            pointwise: true,
        }
    }

    /// Whether a network can be made from this.
    ///
    /// # Errors
    /// [`Error::Spec`] names the first field that is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let mut rules = vec![
            ("input", self.input, 1, "1 or more"),
            ("output", self.output, 1, "1 or more"),
            ("scales", self.scales.len() as i64, 1, "1 or more"),
        ];
        for scale in &self.scales {
            rules.push(("down", scale.down, 1, "1 or more"));
            rules.push(("up", scale.up, 1, "1 or more"));
            rules.push(("skip", scale.skip, 0, "0 or more"));
        }
        match rules
            .into_iter()
            .find(|&(_, found, least, _)| found < least)
        {
            None => Ok(()),
            Some((field, found, _, expected)) => Err(Error::Spec {
                field,
                expected,
                found,
            }),
        }
    }

    /// Whether images of this height and width can be fitted: the innermost map must have two pixels along either edge, of which
    /// a batch normalisation can make statistics and a mirror an image.
    ///
    /// # Errors
    /// [`Error::Spec`] names the edge that is too short.
    pub fn check_size(&self, height: i64, width: i64) -> Result<(), Error> {
        for (field, edge) in [("height", height), ("width", width)] {
            let innermost = self.scales.iter().fold(edge, |edge, _| (edge + 1) / 2);
            if innermost < 2 {
                return Err(Error::Spec {
                    field,
                    expected: "more than two to the power of the number of scales",
                    found: edge,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
