//! Stub of k-means until the bank is merged: plain Lloyd from random rows.

use tch::{Kind, Tensor};

use super::Error;

/// How [`kmeans`] clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of clusters.
    pub clusters: i64,
    /// Most iterations of a start.
    pub iterations: i64,
    /// Number of starts.
    pub restarts: i64,
    /// Whether nearness is the cosine.
    pub spherical: bool,
    /// Where the centroids start.
    pub start: Start,
}

/// Where the centroids start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// k-means++.
    PlusPlus,
    /// Distinct rows.
    Random,
}

/// What [`kmeans`] found.
#[derive(Debug)]
pub struct Clustering {
    /// `[N]` i64.
    pub labels: Tensor,
    /// `[C, D]` f32.
    pub centroids: Tensor,
    /// Sum of the squared distances.
    pub inertia: f64,
    /// Iterations of the kept start.
    pub iterations: i64,
}

/// Clusters `features` `[N, D]` f32.
///
/// # Errors
/// More clusters than rows.
pub fn kmeans(features: &Tensor, options: &Options) -> Result<Clustering, Error> {
    let (rows, c) = (features.size()[0], options.clusters);
    if !(1..=rows).contains(&c) {
        return Err(Error::Clusters { got: c, most: rows });
    }
    let long = (Kind::Int64, features.device());
    // Evenly spaced rows: a stub needs no randomness.
    let mut centroids = features.index_select(0, &(Tensor::arange(c, long) * (rows / c)));
    let mut labels = Tensor::zeros([rows], long);
    for _ in 0..options.iterations {
        labels = Tensor::cdist(features, &centroids, 2., None).argmin(1, false);
        let counts = labels.bincount(None::<Tensor>, c).clamp_min(1).unsqueeze(1);
        centroids = centroids.zeros_like().index_add(0, &labels, features) / counts;
    }
    let inertia = (features - centroids.index_select(0, &labels))
        .square()
        .sum(None)
        .double_value(&[]);
    Ok(Clustering {
        labels,
        centroids,
        inertia,
        iterations: options.iterations,
    })
}
