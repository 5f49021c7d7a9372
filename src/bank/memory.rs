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
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// A filled bank of 12 images, 4 features and 3 clusters.
    fn filled(momentum: f64) -> Bank {
        let mut bank = Bank::new(12, 4, 3, momentum, Device::Cpu);
        let labels = Tensor::arange(12, (Kind::Int64, Device::Cpu)).remainder(3);
        bank.fill(
            &Tensor::randn([12, 4], FLOAT),
            &labels,
            &Tensor::randn([3, 4], FLOAT),
        )
        .unwrap();
        bank
    }

    fn vectors(tensor: &Tensor) -> Vec<Vec<f32>> {
        Vec::try_from(tensor).unwrap()
    }

    fn normalised(row: &[f32]) -> Vec<f32> {
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter().map(|x| x / norm).collect()
    }

    #[test]
    fn admit_equals_plain_loops() {
        for momentum in [0.0, 0.3, 1.0] {
            let mut bank = filled(momentum);
            let mut expected = vectors(bank.features());
            let keys = Tensor::randn([3, 4], FLOAT) * 5.0;
            let index = [7, 0, 4];
            for (&row, key) in index.iter().zip(vectors(&keys)) {
                let m = momentum as f32;
                let mixed: Vec<f32> = expected[row]
                    .iter()
                    .zip(normalised(&key))
                    .map(|(old, new)| (1.0 - m) * old + m * new)
                    .collect();
                expected[row] = normalised(&mixed);
            }
            let rows = Tensor::from_slice(&index.map(|row| row as i64));
            let old_labels = bank.labels().index_select(0, &rows);
            let labels = Tensor::from_slice(&[0_i64, 0, 0]);
            let expected_ratio = old_labels.ne(0).mean(Kind::Float);
            let ratio = bank.admit(&rows, &keys, Some(&labels));
            assert_eq!(ratio.double_value(&[]), expected_ratio.double_value(&[]));
            for (got, expected) in vectors(bank.features()).iter().zip(&expected) {
                for (got, expected) in got.iter().zip(expected) {
                    assert!((got - expected).abs() < 1e-6, "{got} {expected}");
                }
            }
            assert_eq!(bank.labels().int64_value(&[7]), 0);
            assert_eq!(bank.labels().int64_value(&[8]), 2);
            bank.check().unwrap();
        }
    }

    #[test]
    fn a_key_without_direction_leaves_its_row() {
        let mut bank = filled(1.0);
        let before = bank.features().copy();
        let keys = Tensor::from_slice(&[f32::NAN, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]).view([2, 4]);
        let ratio = bank.admit(&Tensor::from_slice(&[3_i64, 5]), &keys, None);
        assert_eq!(ratio.double_value(&[]), 0.0);
        assert!(bank.features().equal(&before));
    }

    #[test]
    fn the_age_of_a_row_counts_from_its_last_write() {
        let mut bank = Bank::new(4, 2, 1, 1.0, Device::Cpu);
        bank.begin_step(5);
        let rows = Tensor::randn([4, 2], FLOAT);
        let labels = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
        bank.fill(&rows, &labels, &Tensor::randn([1, 2], FLOAT))
            .unwrap();
        for (step, row) in [(7, 1_i64), (9, 3)] {
            bank.begin_step(step);
            let _ = bank.admit(
                &Tensor::from_slice(&[row]),
                &Tensor::randn([1, 2], FLOAT),
                None,
            );
        }
        // A key without direction writes nothing.
        let _ = bank.admit(
            &Tensor::from_slice(&[2_i64]),
            &Tensor::zeros([1, 2], FLOAT),
            None,
        );
        let ages = |bank: &Bank| Vec::<i64>::try_from(bank.ages(10)).unwrap();
        assert_eq!(ages(&bank), [5, 3, 5, 1]);

        let mut other = Bank::new(4, 2, 1, 1.0, Device::Cpu);
        let mut state = bank.state();
        other.load(&state).unwrap();
        assert_eq!(ages(&other), [5, 3, 5, 1]);
        state.remove("written");
        other.load(&state).unwrap();
        assert_eq!(ages(&other), [0; 4]);
        state.insert("written".to_owned(), Tensor::zeros([3], FLOAT));
        assert_eq!(
            other.load(&state).unwrap_err().to_string(),
            "'written' has shape [3], expected [4]"
        );
    }

    #[test]
    fn a_view_shows_later_writes() {
        let mut bank = filled(1.0);
        let handle = bank.view().features.shallow_clone();
        let key = Tensor::from_slice(&[0_f32, 0.0, 0.0, 2.0]).view([1, 4]);
        let _ = bank.admit(&Tensor::from_slice(&[2_i64]), &key, None);
        assert_eq!(handle.double_value(&[2, 3]), 1.0);
    }

    #[test]
    fn a_refusal_names_expected_and_got_and_changes_nothing() {
        let mut bank = filled(1.0);
        let (labels, centroids) = (bank.labels().copy(), bank.centroids().copy());
        let long = (Kind::Int64, Device::Cpu);
        let texts = [
            bank.set_labels(&Tensor::zeros([11], long)),
            bank.set_labels(&Tensor::zeros([12], FLOAT)),
            bank.set_labels(&(Tensor::arange(12, long) - 5)),
            bank.set_labels(&Tensor::arange(12, long)),
            bank.set_centroids(&Tensor::zeros([3, 5], FLOAT)),
            bank.set_centroids(&(Tensor::zeros([3, 4], FLOAT) / 0.0)),
        ]
        .map(|result| result.unwrap_err().to_string());
        insta::assert_snapshot!(texts.join("\n"), @r"
        'labels' has shape [11], expected [12]
        'labels' holds Float, expected Int64
        'labels[0]' is -5, expected 0..3
        'labels[3]' is 3, expected 0..3
        'centroids' has shape [3, 5], expected [3, 4]
        'centroids' holds 12 values that are not finite, expected none
        ");
        assert!(bank.labels().equal(&labels) && bank.centroids().equal(&centroids));
    }

    #[test]
    fn a_state_comes_back_bit_for_bit_and_a_wrong_one_is_refused() {
        let mut bank = filled(0.5);
        let _ = bank.admit(
            &Tensor::from_slice(&[3_i64]),
            &Tensor::randn([1, 4], FLOAT),
            None,
        );
        let mut other = Bank::new(12, 4, 3, 0.5, Device::Cpu);
        assert!(other.check().is_err());
        other.load(&bank.state()).unwrap();
        assert!(other.features().equal(bank.features()));
        assert!(other.labels().equal(bank.labels()));
        assert!(other.centroids().equal(bank.centroids()));

        let mut state = bank.state();
        let halved = bank.features() * Tensor::from_slice(&[1.0_f32, 0.5].repeat(6)).unsqueeze(1);
        state.insert("features".to_owned(), halved);
        assert_eq!(
            other.load(&state).unwrap_err().to_string(),
            "'features[1]' has norm 0.500000, expected 1 within 0.001"
        );
        state.remove("labels");
        assert_eq!(
            other.load(&state).unwrap_err().to_string(),
            r#"the state lacks 'labels', it holds ["centroids", "features", "written"]"#
        );
    }
}
