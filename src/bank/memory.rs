//! The bank itself: what it holds, how it is read and how a batch is taken in.

use std::collections::BTreeMap;

use tch::{Device, Kind, TchError, Tensor};

use super::{Error, check, rows, unit_rows};

/// The features of all N training images with their pseudo-labels and the C clusters' centroids, on the model's device.
///
/// Every write changes the storage in place. A [`View`], or a shallow clone of one of its tensors, that was taken before
/// a write therefore shows the new rows: whoever needs the old ones copies them.
#[derive(Debug)]
pub struct Bank {
    /// `[N, D]` f32 unit rows, detached.
    features: Tensor,
    /// `[N]` i64 in 0..C.
    labels: Tensor,
    /// `[C, D]` f32, finite, not necessarily unit rows.
    centroids: Tensor,
    /// `[N]` i64: the step in which each row was last written, -1 where that is not known.
    written: Tensor,
    /// The step whose writes are to come.
    step: i64,
    /// Weight of the new feature in [`Bank::admit`], 0 to 1: 1 forgets the old feature, as InterCLR does.
    pub momentum: f64,
}

/// What may be read of the bank during a step. The step reads before it writes.
#[derive(Clone, Copy, Debug)]
pub struct View<'bank> {
    /// `[N, D]` f32 unit rows, detached.
    pub features: &'bank Tensor,
    /// `[N]` i64 in 0..C.
    pub labels: &'bank Tensor,
    /// `[C, D]` f32, finite, not necessarily unit rows.
    pub centroids: &'bank Tensor,
}

impl Bank {
    /// A bank of `n` images, `dim` features and `clusters` clusters, all zero until [`Bank::fill`].
    ///
    /// `momentum` is the weight of the new feature in [`Bank::admit`], 0 to 1.
    pub fn new(n: i64, dim: i64, clusters: i64, momentum: f64, device: Device) -> Bank {
        Bank {
            features: Tensor::zeros([n, dim], (Kind::Float, device)),
            labels: Tensor::zeros([n], (Kind::Int64, device)),
            centroids: Tensor::zeros([clusters, dim], (Kind::Float, device)),
            written: Tensor::zeros([n], (Kind::Int64, device)),
            step: 0,
            momentum,
        }
    }

    /// Sets everything: `features` `[N, D]` f32 (raw or unit rows; they are normalised), `labels` `[N]` i64 in 0..C and
    /// `centroids` `[C, D]` f32, from whatever device.
    ///
    /// # Errors
    /// A wrong shape or element type, a label out of range, a feature without direction, a centroid that is not finite.
    /// The bank is then as it was.
    pub fn fill(
        &mut self,
        features: &Tensor,
        labels: &Tensor,
        centroids: &Tensor,
    ) -> Result<(), Error> {
        check::shape("features", features, &self.features.size(), Kind::Float)?;
        let features = tch::no_grad(|| unit_rows(features));
        self.write(&features, labels, centroids)?;
        let _ = self.written.fill_(self.step);
        Ok(())
    }

    /// Says which step does the writes that follow, so that [`Bank::ages`] can tell how old a row is.
    pub fn begin_step(&mut self, step: u64) {
        self.step = step as i64;
    }

    /// Steps since each row was last written, `[N]` i64, after step number `step`: 0 for the rows that this step wrote, and
    /// where the age is not known (a checkpoint that does not say it).
    pub fn ages(&self, step: u64) -> Tensor {
        let ages = step as i64 - &self.written;
        ages.masked_fill(&self.written.lt(0), 0)
    }

    /// What may be read of the bank.
    pub fn view(&self) -> View<'_> {
        View {
            features: &self.features,
            labels: &self.labels,
            centroids: &self.centroids,
        }
    }

    /// `[N, D]` f32 unit rows, detached.
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// `[N]` i64 in 0..C.
    pub fn labels(&self) -> &Tensor {
        &self.labels
    }

    /// `[C, D]` f32, finite, not necessarily unit rows.
    pub fn centroids(&self) -> &Tensor {
        &self.centroids
    }

    /// N, the number of images.
    pub fn rows(&self) -> i64 {
        self.features.size()[0]
    }

    /// D, the number of features of an image.
    pub fn dim(&self) -> i64 {
        self.features.size()[1]
    }

    /// C, the number of clusters.
    pub fn clusters(&self) -> i64 {
        self.centroids.size()[0]
    }

    /// Where everything lives.
    pub fn device(&self) -> Device {
        self.features.device()
    }

    /// The rows `[B, D]` f32 that [`Bank::admit`] would write for `keys` `[B, D]` f32, raw or unit, at the rows `index`
    /// `[B]` i64: normalize((1 - momentum) · old + momentum · normalize(key)).
    ///
    /// A row without direction (the key is zero or not finite, or old and new cancel out) stays the old one, so that one
    /// bad key cannot spoil the bank.
    pub fn blend(&self, index: &Tensor, keys: &Tensor) -> Tensor {
        self.blended(index, keys).0
    }

    /// The rows of [`Bank::blend`], and which of them are new, `[B]` bool.
    fn blended(&self, index: &Tensor, keys: &Tensor) -> (Tensor, Tensor) {
        tch::no_grad(|| {
            let old = self.features.index_select(0, index);
            let blended = old.lerp(&unit_rows(keys), self.momentum);
            let norms = rows::norms(&blended);
            // NaN is not larger than anything, so it counts as no direction.
            let has_direction = norms.gt(rows::SMALLEST_NORM);
            let rows = (blended / norms).where_self(&has_direction, &old);
            (rows, has_direction.squeeze_dim(1))
        })
    }

    /// Takes in a batch: `keys` `[B, D]` f32, raw or unit, at the distinct rows `index` `[B]` i64, as [`Bank::blend`] says,
    /// and their new `labels` `[B]` i64 where a policy gave some (already checked against 0..C).
    ///
    /// Returns the change ratio `[]` f32, the share of these rows whose label is another than before, on the device.
    pub fn admit(&mut self, index: &Tensor, keys: &Tensor, labels: Option<&Tensor>) -> Tensor {
        let (rows, new) = self.blended(index, keys);
        tch::no_grad(|| {
            let _ = self.features.index_copy_(0, index, &rows);
            let before = self.written.index_select(0, index);
            let written = before.masked_fill(&new, self.step);
            let _ = self.written.index_copy_(0, index, &written);
            let Some(labels) = labels else {
                return Tensor::zeros([], (Kind::Float, self.device()));
            };
            let changed = self.labels.index_select(0, index).ne_tensor(labels);
            let _ = self.labels.index_copy_(0, index, labels);
            changed.mean(Kind::Float)
        })
    }

    /// Replaces all labels by `labels` `[N]` i64 in 0..C.
    ///
    /// # Errors
    /// Another shape or element type, or a label out of range. The labels are then as they were.
    pub fn set_labels(&mut self, labels: &Tensor) -> Result<(), Error> {
        self.check_labels(labels)?;
        tch::no_grad(|| self.labels.f_copy_(labels))?;
        Ok(())
    }

    /// Replaces all centroids by `centroids` `[C, D]` f32.
    ///
    /// # Errors
    /// Another shape or element type, or a value that is not finite. The centroids are then as they were.
    pub fn set_centroids(&mut self, centroids: &Tensor) -> Result<(), Error> {
        self.check_centroids(centroids)?;
        tch::no_grad(|| self.centroids.f_copy_(centroids))?;
        Ok(())
    }

    /// The tensors of a checkpoint: `features`, `labels`, `centroids`, `written`. They share the bank's storage, so they are written
    /// out before the next step.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        BTreeMap::from([
            ("features".to_owned(), self.features.shallow_clone()),
            ("labels".to_owned(), self.labels.shallow_clone()),
            ("centroids".to_owned(), self.centroids.shallow_clone()),
            ("written".to_owned(), self.written.shallow_clone()),
        ])
    }

    /// Takes over what [`Bank::state`] gave, bit for bit, from whatever device. `written` may be missing, as in checkpoints
    /// of before there was one: the rows' ages are then not known.
    ///
    /// # Errors
    /// A missing tensor, or one that [`Bank::check`] would refuse. The bank is then as it was.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let features = check::entry(state, "features")?;
        let labels = check::entry(state, "labels")?;
        let centroids = check::entry(state, "centroids")?;
        let written = state.get("written");
        if let Some(written) = written {
            check::shape("written", written, &self.written.size(), Kind::Int64)?;
        }
        self.write(features, labels, centroids)?;
        match written {
            Some(written) => tch::no_grad(|| self.written.f_copy_(written))?,
            None => drop(self.written.fill_(-1)),
        }
        Ok(())
    }

    /// Whether the bank is what its readers rely on: rows of norm 1 within 1e-3, labels in 0..C, finite centroids.
    ///
    /// # Errors
    /// The first of these that does not hold, with its place.
    pub fn check(&self) -> Result<(), Error> {
        self.check_features(&self.features)?;
        self.check_labels(&self.labels)?;
        self.check_centroids(&self.centroids)
    }

    /// Checks everything, then writes everything.
    fn write(
        &mut self,
        features: &Tensor,
        labels: &Tensor,
        centroids: &Tensor,
    ) -> Result<(), Error> {
        self.check_features(features)?;
        self.check_labels(labels)?;
        self.check_centroids(centroids)?;
        tch::no_grad(|| -> Result<(), TchError> {
            self.features.f_copy_(features)?;
            self.labels.f_copy_(labels)?;
            self.centroids.f_copy_(centroids)
        })?;
        Ok(())
    }

    fn check_features(&self, features: &Tensor) -> Result<(), Error> {
        check::shape("features", features, &self.features.size(), Kind::Float)?;
        check::unit("features", features)
    }

    fn check_labels(&self, labels: &Tensor) -> Result<(), Error> {
        check::shape("labels", labels, &self.labels.size(), Kind::Int64)?;
        check::range("labels", labels, self.clusters())
    }

    fn check_centroids(&self, centroids: &Tensor) -> Result<(), Error> {
        check::shape("centroids", centroids, &self.centroids.size(), Kind::Float)?;
        check::finite("centroids", centroids)
    }
}

#[cfg(test)]
mod tests;
