//! One layer: from a map of vectors to a coarser map of other vectors.

use tch::{Kind, Tensor};

use super::inverse_root::inverse_root;
use super::pooling::{pool, pooled};
use super::{Error, Fit, Kernel, LayerSpec, Result, require, require_finite};

/// Least squared length of a sub-patch; a shorter one counts as this long.
const SHORTEST_SQUARE: f64 = 1e-6;

/// Sub-patches at the border of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Only those that lie inside of the map.
    Valid,
    /// One for each place of the map, zeros beyond its border; their size is odd.
    Same,
}

/// How a unit vector becomes features whose products are the kernel.
#[derive(Debug)]
enum Features {
    /// kappa(Z x), and after pooling the inverse root of kappa(Z Zᵀ), where there is one.
    Anchors {
        kernel: Kernel,
        /// `[P, P]` f32.
        transform: Option<Tensor>,
    },
    /// exp(W x + b) with b `[P]` f32.
    Exponential { offsets: Tensor },
}

/// A layer of a convolutional kernel network: P features of sub-patches of `size` by `size`, pooled.
#[derive(Debug)]
pub struct Layer {
    /// `[P, C, size, size]` f32: Z, unit vectors, or W.
    filters: Tensor,
    features: Features,
    /// `[1, C, size, size]` f32, subtracted from each sub-patch.
    mean: Option<Tensor>,
    padding: Padding,
    subsampling: i64,
}

impl Layer {
    /// A layer in the closed form of Mairal 2016, equation 6: psi(x) = kappa(Z Zᵀ)^(-1/2) kappa(Z x) with the anchors Z.
    ///
    /// `filters [P, C, size, size]` f32, which are brought to length 1; `mean [1, C, size, size]` is subtracted from each
    /// sub-patch, where there is one.
    ///
    /// # Errors
    /// Filters of another shape, with a row of length 0 or not finite, a mean that is not of their shape, a kernel or a
    /// subsampling out of range, and a size that the padding cannot have.
    pub fn projection(
        filters: &Tensor,
        mean: Option<Tensor>,
        kernel: Kernel,
        padding: Padding,
        subsampling: i64,
    ) -> Result<Self> {
        let mut layer = Self::anchored(filters, mean, kernel, padding, subsampling)?;
        let anchors = layer.filters.flatten(1, -1);
        let gram = kernel.of(&anchors.matmul(&anchors.tr()));
        layer.features = Features::Anchors {
            kernel,
            transform: Some(inverse_root(&gram)),
        };
        Ok(layer)
    }

    /// The same without the inverse root: features kappa(Z x), which stand for a kernel wider than kappa.
    ///
    /// # Errors
    /// As [`Layer::projection`].
    pub fn anchored(
        filters: &Tensor,
        mean: Option<Tensor>,
        kernel: Kernel,
        padding: Padding,
        subsampling: i64,
    ) -> Result<Self> {
        kernel.check()?;
        check(filters, mean.as_ref(), padding, subsampling)?;
        let lengths = filters.norm_scalaropt_dim(2.0, [1, 2, 3], true);
        let shortest = lengths.min().double_value(&[]);
        require("filters", shortest > 0.0, "rows longer than 0", shortest)?;
        Ok(Self {
            filters: filters / lengths,
            features: Features::Anchors {
                kernel,
                transform: None,
            },
            mean,
            padding,
            subsampling,
        })
    }

    /// A layer in the form of Paulin et al. 2015: psi(x) = exp(W x + b), with `weights [P, C, size, size]` and `offsets [P]`
    /// f32, fitted to the exponential kernel.
    ///
    /// # Errors
    /// As [`Layer::projection`], and offsets that are not one a row.
    pub fn exponential(
        weights: &Tensor,
        offsets: &Tensor,
        mean: Option<Tensor>,
        padding: Padding,
        subsampling: i64,
    ) -> Result<Self> {
        check(weights, mean.as_ref(), padding, subsampling)?;
        require_finite("offsets", offsets)?;
        if offsets.size() != [weights.size()[0]] {
            return Err(Error::Shape {
                what: "offsets",
                expected: format!("[{}]", weights.size()[0]),
                found: offsets.size(),
            });
        }
        Ok(Self {
            filters: weights.shallow_clone(),
            features: Features::Exponential {
                offsets: offsets.shallow_clone(),
            },
            mean,
            padding,
            subsampling,
        })
    }

    /// The layer of a specification around `centres [P, C, size, size]` f32, before it is fitted.
    ///
    /// # Errors
    /// As [`Layer::projection`].
    pub(super) fn unfitted(centres: &Tensor, spec: &LayerSpec) -> Result<Self> {
        let (kernel, padding, pooling) = (spec.kernel, spec.padding, spec.subsampling);
        let none = spec.centred.then(|| centres.zeros_like().narrow(0, 0, 1));
        match (spec.fit, kernel) {
            (Fit::Clusters { .. }, _) => Self::projection(centres, none, kernel, padding, pooling),
            (Fit::Pairs(_), Kernel::Exponential { sigma }) => {
                // exp(-|x - z|² / sigma²) of unit vectors.
                let sharp = 2.0 / (sigma * sigma);
                let lengths = centres.norm_scalaropt_dim(2.0, [1, 2, 3], true);
                let offsets =
                    lengths.new_full([spec.filters], -sharp, (Kind::Float, lengths.device()));
                let weights = centres / lengths * sharp;
                Self::exponential(&weights, &offsets, none, padding, pooling)
            }
            _ => Self::anchored(centres, none, kernel, padding, pooling),
        }
    }

    /// The filters `[P, C, size, size]` f32: the anchors at length 1, or the weights.
    pub fn filters(&self) -> &Tensor {
        &self.filters
    }

    /// The inverse root `[P, P]` f32 that follows the pooling, where there is one.
    pub fn transform(&self) -> Option<&Tensor> {
        match &self.features {
            Features::Anchors { transform, .. } => transform.as_ref(),
            Features::Exponential { .. } => None,
        }
    }

    /// The layer's map `[B, P, ⌈h / s⌉, ⌈w / s⌉]` f32 of `input [B, C, H, W]` f32; h and w are H and W, less `size - 1` where
    /// nothing is padded.
    pub fn forward(&self, input: &Tensor) -> Tensor {
        let pooled = pool(&self.features(input), self.subsampling);
        match self.transform() {
            None => pooled,
            Some(transform) => {
                let filters = transform.unsqueeze(2).unsqueeze(3);
                pooled.conv2d::<Tensor>(&filters, None, [1, 1], [0, 0], [1, 1], 1)
            }
        }
    }

    /// Before pooling and the inverse root: |x| kappa(Z x / |x|), or |x| exp(W x / |x| + b), of each sub-patch x: `[B, P, h, w]`.
    pub fn features(&self, input: &Tensor) -> Tensor {
        let lengths = self.lengths(input);
        let mut products = self.products(input, &self.filters);
        if let Some(mean) = &self.mean {
            products -= (&self.filters * mean)
                .sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Float)
                .view([1, -1, 1, 1]);
        }
        products /= &lengths;
        let features = match &self.features {
            Features::Anchors { kernel, .. } => kernel.of(&products),
            Features::Exponential { offsets } => (products + offsets.view([1, -1, 1, 1])).exp_(),
        };
        features * lengths
    }

    /// The lengths `[B, 1, h, w]` of the sub-patches.
    fn lengths(&self, input: &Tensor) -> Tensor {
        let size = self.filters.size()[2];
        let ones = Tensor::ones([1, 1, size, size], (Kind::Float, input.device()));
        let squares = input
            .square()
            .sum_dim_intlist([1].as_slice(), true, Kind::Float);
        let mut squares = self.products(&squares, &ones);
        if let Some(mean) = &self.mean {
            squares -= self.products(input, mean) * 2.0;
            squares += mean.square().sum(Kind::Float);
        }
        squares.clamp_min(SHORTEST_SQUARE).sqrt_()
    }

    /// The inner products `[B, P, h, w]` of the sub-patches with filters `[P, C, size, size]`.
    fn products(&self, input: &Tensor, filters: &Tensor) -> Tensor {
        let border = border(self.padding, filters.size()[2]);
        input.conv2d::<Tensor>(filters, None, [1, 1], [border, border], [1, 1], 1)
    }

    /// What is stored of the layer, by name. The inverse root is kept, so that a network that is loaded is the same bit by bit.
    pub(super) fn state(&self) -> Vec<(&'static str, Tensor)> {
        let mut state = vec![("filters", self.filters.shallow_clone())];
        match &self.features {
            Features::Anchors { transform, .. } => {
                state.extend(transform.iter().map(|t| ("transform", t.shallow_clone())));
            }
            Features::Exponential { offsets } => state.push(("offsets", offsets.shallow_clone())),
        }
        state.extend(self.mean.iter().map(|mean| ("mean", mean.shallow_clone())));
        state
    }

    /// Takes over stored filters, which are not brought to length 1 again, and the inverse root that was stored with them.
    ///
    /// # Errors
    /// An inverse root that is not one of as many filters.
    pub(super) fn restore(&mut self, filters: &Tensor, stored: Option<&Tensor>) -> Result<()> {
        self.filters = filters.shallow_clone();
        let (Features::Anchors { transform, .. }, Some(stored)) = (&mut self.features, stored)
        else {
            return Ok(());
        };
        let count = filters.size()[0];
        if stored.size() != [count, count] {
            return Err(Error::Shape {
                what: "transform",
                expected: format!("[{count}, {count}]"),
                found: stored.size(),
            });
        }
        require_finite("transform", stored)?;
        *transform = Some(stored.shallow_clone());
        Ok(())
    }
}

/// Zeros beyond each border.
fn border(padding: Padding, size: i64) -> i64 {
    match padding {
        Padding::Valid => 0,
        Padding::Same => size / 2,
    }
}

/// Places along a side that a layer leaves, before and after its pooling; none where a sub-patch does not fit.
pub(super) fn side(side: i64, size: i64, padding: Padding, subsampling: i64) -> Option<(i64, i64)> {
    let places = side + 2 * border(padding, size) - size + 1;
    (places > 0).then(|| (places, pooled(places, subsampling)))
}

/// That filters and numbers of a layer fit each other.
fn check(
    filters: &Tensor,
    mean: Option<&Tensor>,
    padding: Padding,
    subsampling: i64,
) -> Result<()> {
    let shape = filters.size();
    let square = shape.len() == 4 && shape[2] == shape[3] && shape.iter().all(|side| *side > 0);
    if !square {
        return Err(Error::Shape {
            what: "filters",
            expected: "[P, C, size, size]".to_owned(),
            found: shape,
        });
    }
    check_places(shape[2], padding, subsampling)?;
    require_finite("filters", filters)?;
    if let Some(mean) = mean {
        let expected = [1, shape[1], shape[2], shape[3]];
        if mean.size() != expected {
            return Err(Error::Shape {
                what: "mean",
                expected: format!("{expected:?}"),
                found: mean.size(),
            });
        }
        require_finite("mean", mean)?;
    }
    Ok(())
}

/// That sub-patches of this size can be taken and pooled so.
pub(super) fn check_places(size: i64, padding: Padding, subsampling: i64) -> Result<()> {
    require("size", size > 0, "1 or more", size)?;
    let odd = padding == Padding::Valid || size % 2 == 1;
    require("size", odd, "an odd number where maps are padded", size)?;
    require("subsampling", subsampling > 0, "1 or more", subsampling)
}

#[cfg(test)]
mod tests;
