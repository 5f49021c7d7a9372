//! What a network is made from, before it has seen a patch.

use super::layer::{check_places, side};
use super::{Descent, Error, Input, Kernel, Padding, Result, require};

/// How a layer's features are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// The closed form: spherical k-means of sub-patches in at most so many rounds, whose centroids are the anchors.
    Clusters {
        /// Most rounds; 100 in the public code.
        rounds: usize,
    },
    /// Anchors at uniform angles, and no inverse root: what CKN-grad begins with, for sub-patches that are one gradient.
    Angles,
    /// The form of 2015, beginning at sub-patches.
    Pairs(Descent),
}

/// A layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSpec {
    /// Side of a sub-patch.
    pub size: i64,
    /// P, features of a sub-patch.
    pub filters: i64,
    /// Places of the map for each place after pooling, along a side; 1 pools nothing.
    pub subsampling: i64,
    /// Sub-patches at the border.
    pub padding: Padding,
    /// The kernel that is approximated.
    pub kernel: Kernel,
    /// Whether the mean sub-patch is subtracted from each.
    pub centred: bool,
    /// Sub-patches that are drawn to fit it.
    pub samples: usize,
    /// How it is fitted.
    pub fit: Fit,
}

impl LayerSpec {
    /// That its numbers are in range.
    ///
    /// # Errors
    /// The first number that is not.
    fn check(&self) -> Result<()> {
        require("filters", self.filters > 0, "1 or more", self.filters)?;
        check_places(self.size, self.padding, self.subsampling)?;
        self.kernel.check()?;
        match self.fit {
            Fit::Clusters { rounds } => require("rounds", rounds > 0, "1 or more", rounds),
            Fit::Angles => {
                require("size", self.size == 1, "1 for uniform angles", self.size)?;
                require(
                    "centred",
                    !self.centred,
                    "false for uniform angles",
                    self.centred,
                )
            }
            Fit::Pairs(descent) => {
                let exponential = matches!(self.kernel, Kernel::Exponential { .. });
                let found = format!("{:?}", self.kernel);
                require(
                    "kernel",
                    exponential,
                    "the exponential one for a fit on pairs",
                    found,
                )?;
                descent.check()
            }
        }
    }
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What the first layer sees.
    pub input: Input,
    /// Channels of a patch: 1 or 3.
    pub channels: i64,
    /// Standard deviation, as a share of its side, of the Gaussian around the middle by which the map of the input is weighted;
    /// 0 weighs all places alike. This is a reading of this house, as SIFT weights its gradients; the papers have none.
    pub window: f64,
    /// Whether a patch is described by [`rooted`](super::rooted) rows, so that the few largest numbers do not outweigh the others. This
    /// is a reading of this house, after RootSIFT; the papers take roots of what is made of all descriptors of an image.
    pub root: bool,
    /// The layers, in order.
    pub layers: Vec<LayerSpec>,
}

impl Spec {
    /// That a network can be made from this.
    ///
    /// # Errors
    /// The first number that is out of range.
    pub fn check(&self) -> Result<()> {
        let channels = [1, 3].contains(&self.channels);
        require("channels", channels, "1 or 3", self.channels)?;
        self.input.check(self.channels)?;
        let window = self.window >= 0.0 && self.window.is_finite();
        require("window", window, "a finite share, 0 or more", self.window)?;
        require(
            "layers",
            !self.layers.is_empty(),
            "1 or more",
            self.layers.len(),
        )?;
        for (at, layer) in self.layers.iter().enumerate() {
            layer.check()?;
            let angles = layer.fit == Fit::Angles;
            let gradient = at == 0 && matches!(self.input, Input::Gradient { .. });
            let found = format!("layer {at} of input {:?}", self.input);
            require(
                "fit",
                !angles || gradient,
                "uniform angles in the first layer on gradients",
                found,
            )?;
        }
        Ok(())
    }

    /// Channels that layer `at` sees.
    pub(super) fn channels_before(&self, at: usize) -> i64 {
        match at {
            0 => self.input.channels(self.channels),
            at => self.layers[at - 1].filters,
        }
    }

    /// The maps `[P, h, w]` of each layer for patches of `height` by `width`, and the most numbers that a patch has in any of
    /// them before it is pooled.
    ///
    /// # Errors
    /// Patches in which a sub-patch does not fit.
    pub fn maps(&self, height: i64, width: i64) -> Result<(Vec<[i64; 3]>, i64)> {
        let lost = self.input.lost();
        let (mut h, mut w) = (height - lost, width - lost);
        let mut most = self.input.channels(self.channels) * h.max(0) * w.max(0);
        let mut maps = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let along = |length| side(length, layer.size, layer.padding, layer.subsampling);
            let (Some(down), Some(across)) = (along(h), along(w)) else {
                return Err(Error::Setting {
                    name: "patches",
                    expected: format!("a side in which layer {} has a sub-patch", maps.len()),
                    found: format!("{height} by {width}"),
                });
            };
            most = most.max(layer.filters * down.0 * across.0);
            (h, w) = (down.1, across.1);
            maps.push([layer.filters, h, w]);
        }
        Ok((maps, most))
    }

    /// F, the numbers that describe a patch of `height` by `width`.
    ///
    /// # Errors
    /// As [`Spec::maps`].
    pub fn features(&self, height: i64, width: i64) -> Result<i64> {
        let last = self.maps(height, width)?.0.pop();
        Ok(last.map_or(0, |map| map.iter().product()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Gradients of what was blurred a little.
    pub(in super::super) const GRADIENT: Input = Input::Gradient { blur: 0.5 };

    /// A layer of a small network.
    pub(in super::super) fn layer(size: i64, filters: i64, subsampling: i64) -> LayerSpec {
        LayerSpec {
            size,
            filters,
            subsampling,
            padding: Padding::Valid,
            kernel: Kernel::Exponential { sigma: 0.6 },
            centred: false,
            samples: 400,
            fit: Fit::Clusters { rounds: 20 },
        }
    }

    /// The first layer of CKN-grad.
    pub(in super::super) fn angles(filters: i64, subsampling: i64) -> LayerSpec {
        LayerSpec {
            fit: Fit::Angles,
            ..layer(1, filters, subsampling)
        }
    }

    fn spec(input: Input, layers: &[LayerSpec]) -> Spec {
        Spec {
            input,
            channels: 3,
            window: 0.0,
            root: false,
            layers: layers.to_vec(),
        }
    }

    #[test]
    fn maps_are_those_of_the_networks_in_the_notes() {
        let grad = spec(GRADIENT, &[angles(16, 3), layer(4, 256, 4)]);
        grad.check().unwrap();
        assert_eq!(
            grad.maps(51, 51).unwrap(),
            (vec![[16, 17, 17], [256, 4, 4]], 256 * 14 * 14)
        );
        assert_eq!(grad.features(51, 51).unwrap(), 4096);
        let raw = spec(Input::Raw, &[layer(5, 128, 5), layer(3, 256, 3)]);
        assert_eq!(raw.features(51, 51).unwrap(), 2304);
        let one = spec(GRADIENT, &[angles(16, 8)]);
        assert_eq!(one.features(51, 51).unwrap(), 784);
        let white = Input::White {
            size: 3,
            components: 12,
        };
        let white = spec(white, &[layer(1, 64, 2), layer(2, 32, 4)]);
        white.check().unwrap();
        assert_eq!(
            (white.channels_before(0), white.channels_before(1)),
            (12, 64)
        );
        assert_eq!(white.maps(51, 21).unwrap().0, [[64, 25, 10], [32, 6, 3]]);
        let error = white.features(51, 4).unwrap_err().to_string();
        assert_eq!(
            error,
            "ckn: 'patches': expected a side in which layer 1 has a sub-patch, got 51 by 4"
        );
        assert!(white.features(2, 51).is_err());
    }

    #[test]
    fn what_makes_no_network_is_said() {
        let said =
            |input, layers: &[LayerSpec]| spec(input, layers).check().unwrap_err().to_string();
        let plain = layer(3, 8, 2);
        assert_eq!(
            said(Input::Raw, &[]),
            "ckn: 'layers': expected 1 or more, got 0"
        );
        let wrong = LayerSpec {
            filters: 0,
            ..plain
        };
        assert_eq!(
            said(Input::Raw, &[plain, wrong]),
            "ckn: 'filters': expected 1 or more, got 0"
        );
        let message = "ckn: 'fit': expected uniform angles in the first layer on gradients, got layer 0 of input Raw";
        assert_eq!(said(Input::Raw, &[angles(8, 2)]), message);
        let wrong = LayerSpec {
            size: 3,
            ..angles(8, 2)
        };
        assert_eq!(
            said(GRADIENT, &[wrong]),
            "ckn: 'size': expected 1 for uniform angles, got 3"
        );
        let fit = Fit::Pairs(Descent::default());
        let wrong = LayerSpec {
            fit,
            kernel: Kernel::ArcCosineRelu,
            ..plain
        };
        let message =
            "ckn: 'kernel': expected the exponential one for a fit on pairs, got ArcCosineRelu";
        assert_eq!(said(Input::Raw, &[wrong]), message);
        let wrong = Spec {
            window: -0.1,
            ..spec(Input::Raw, &[plain])
        };
        assert_eq!(
            wrong.check().unwrap_err().to_string(),
            "ckn: 'window': expected a finite share, 0 or more, got -0.1"
        );
        let wrong = Spec {
            channels: 2,
            ..spec(Input::Raw, &[plain])
        };
        assert_eq!(
            wrong.check().unwrap_err().to_string(),
            "ckn: 'channels': expected 1 or 3, got 2"
        );
    }
}
