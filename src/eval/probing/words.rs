//! Visual words: what many superpixels have in common, and which words an image has.

use std::collections::BTreeSet;

use tch::{Kind, Tensor};

use super::Error;
use crate::bank::{Options, Start, kmeans};
use crate::ground::seed::{Purpose, seed_torch};

/// Most similarities held at once: 64 MiB of `f64`.
const CHUNK: i64 = 1 << 23;

/// Which clusters of superpixels are concepts (Ghorbani et al. 2019, "Towards automatic concept-based explanations",
/// whose code has the numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConceptRule {
    /// A concept has more members than this.
    pub min_members: usize,
    /// Most members that stand for a concept, those that cost least.
    pub max_members: usize,
    /// The images whose superpixels were clustered.
    pub images: usize,
}

/// A cluster that is a concept.
#[derive(Clone, Debug, PartialEq)]
pub struct Concept {
    /// Its number among the clusters.
    pub cluster: usize,
    /// The superpixels that stand for it, by rising cost.
    pub members: Vec<usize>,
    /// The 95th percentile of its members' costs, of all of them, between two of them in proportion.
    pub radius: f64,
}

/// The clusters that are concepts, of superpixels with their cluster in `0..clusters`, their cost (the distance from its
/// centre) and their image.
///
/// Of a concept's m members and the d images that they are of, d is above m / 2; or above m / 4 and above a quarter of all
/// images; or above m / 10 and above half of all images.
///
/// # Errors
/// Costs or images of other superpixels, a cluster out of range, or a cost that is not a number.
pub fn concepts(
    assignment: &[i64],
    cost: &[f64],
    image: &[i64],
    clusters: usize,
    rule: &ConceptRule,
) -> Result<Vec<Concept>, Error> {
    for (name, found) in [("cost", cost.len()), ("image", image.len())] {
        if found != assignment.len() {
            return Err(Error::Shape {
                name,
                expected: format!("[{}], one a superpixel", assignment.len()),
                found: vec![found as i64],
            });
        }
    }
    if let Some(cost) = cost.iter().find(|cost| cost.is_nan()) {
        return Err(Error::Value {
            name: "cost",
            expected: "numbers".to_owned(),
            found: cost.to_string(),
        });
    }
    let members = members(assignment, clusters)?;
    let concept = |(cluster, mut members): (usize, Vec<usize>)| {
        let images: BTreeSet<i64> = members.iter().map(|&member| image[member]).collect();
        if members.len() <= rule.min_members || !is_common(members.len(), images.len(), rule.images)
        {
            return None;
        }
        members.sort_by(|&a, &b| cost[a].total_cmp(&cost[b]));
        let costs: Vec<f64> = members.iter().map(|&member| cost[member]).collect();
        members.truncate(rule.max_members);
        Some(Concept {
            cluster,
            members,
            radius: percentile(&costs, 0.95),
        })
    };
    Ok(members
        .into_iter()
        .enumerate()
        .filter_map(concept)
        .collect())
}

/// Whether so many members of so many images recur, beside all images.
fn is_common(members: usize, own: usize, all: usize) -> bool {
    let (members, own, all) = (members as f64, own as f64, all as f64);
    let highly = own > 0.5 * members;
    let mildly = own > 0.25 * members && own > 0.25 * all;
    let rarely = own > 0.1 * members && own > 0.5 * all;
    highly || mildly || rarely
}

/// The place `part` of the way along ascending numbers, of which there is one, between two of them in proportion.
fn percentile(ascending: &[f64], part: f64) -> f64 {
    let place = (ascending.len() - 1) as f64 * part;
    let below = ascending[place as usize];
    let above = ascending[place.ceil() as usize];
    below + (above - below) * place.fract()
}

/// The superpixels of each cluster.
fn members(assignment: &[i64], clusters: usize) -> Result<Vec<Vec<usize>>, Error> {
    let mut members = vec![Vec::new(); clusters];
    for (superpixel, &cluster) in assignment.iter().enumerate() {
        let own = usize::try_from(cluster)
            .ok()
            .and_then(|cluster| members.get_mut(cluster));
        let own = own.ok_or_else(|| Error::Value {
            name: "cluster",
            expected: format!("0..{clusters}"),
            found: cluster.to_string(),
        })?;
        own.push(superpixel);
    }
    Ok(members)
}

/// How words are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vocabulary {
    /// Clusters of k-means; fewer where there are fewer superpixels.
    pub clusters: i64,
    /// Most iterations of a start.
    pub iterations: i64,
    /// Starts, of which the best is kept.
    pub restarts: i64,
    /// Which clusters may be words; all without it.
    pub rule: Option<ConceptRule>,
    /// Most words: the clusters with most members.
    pub words: usize,
}

impl Vocabulary {
    /// The centres of the words `[W, F] f32`, most members first, of `descriptors [N, F] f32` whose superpixels are of these `images`.
    /// `part` is which of several vocabularies it is, such as the class that the images are of: each draws for itself.
    ///
    /// # Errors
    /// What [`kmeans`] refuses, images of other superpixels, and no word at all.
    pub fn find(
        &self,
        descriptors: &Tensor,
        images: &[i64],
        seed: u64,
        part: u64,
    ) -> Result<Tensor, Error> {
        let rows = descriptors.size().first().copied().unwrap_or(0);
        if images.len() as i64 != rows {
            return Err(Error::Shape {
                name: "images",
                expected: format!("[{rows}], one a superpixel"),
                found: vec![images.len() as i64],
            });
        }
        let options = Options {
            clusters: self.clusters.min(rows),
            iterations: self.iterations,
            restarts: self.restarts,
            spherical: false,
            start: Start::PlusPlus,
        };
        seed_torch(seed, Purpose::Words, part, 0);
        let found = kmeans(descriptors, &options)?;
        let assignment =
            Vec::<i64>::try_from(&found.labels).expect("labels are a line of integers");
        let mut words = most_frequent(&assignment, options.clusters as usize, usize::MAX)?;
        if let Some(rule) = &self.rule {
            let own = found.centroids.index_select(0, &found.labels);
            let cost = (descriptors - own).norm_scalaropt_dim(2.0, [1], false);
            let cost = Vec::<f64>::try_from(cost.to_kind(Kind::Double)).expect("a line of numbers");
            let kept = concepts(&assignment, &cost, images, options.clusters as usize, rule)?;
            words.retain(|&word| kept.iter().any(|concept| concept.cluster as i64 == word));
        }
        words.truncate(self.words);
        if words.is_empty() {
            return Err(Error::Value {
                name: "words",
                expected: "at least 1".to_owned(),
                found: format!("0 of {} clusters", options.clusters),
            });
        }
        let words = Tensor::from_slice(&words).to_device(descriptors.device());
        Ok(found.centroids.index_select(0, &words))
    }
}

/// The clusters that occur, at most `most`, those with most members first, of equal ones the lower number.
///
/// # Errors
/// A cluster that is not in `0..clusters`.
pub fn most_frequent(assignment: &[i64], clusters: usize, most: usize) -> Result<Vec<i64>, Error> {
    let sizes = members(assignment, clusters)?
        .into_iter()
        .map(|own| own.len());
    let mut found: Vec<(i64, usize)> = (0..).zip(sizes).filter(|(_, size)| *size > 0).collect();
    found.sort_by_key(|&(_, size)| std::cmp::Reverse(size));
    Ok(found
        .into_iter()
        .take(most)
        .map(|(cluster, _)| cluster)
        .collect())
}

/// The word `[N] i64` whose centre of `centres [W, F]` is nearest, by Euclid, to each of the `descriptors [N, F]`; of equally near
/// ones the first. In f64, as f32 would turn some round.
///
/// # Errors
/// Tensors that are no matrices of one width, or no centre.
pub fn nearest(descriptors: &Tensor, centres: &Tensor) -> Result<Tensor, Error> {
    let (shape, own) = (descriptors.size(), centres.size());
    let &[rows, width] = &shape[..] else {
        return Err(Error::Shape {
            name: "descriptors",
            expected: "[N, F]".to_owned(),
            found: shape,
        });
    };
    if own.len() != 2 || own[0] == 0 || own[1] != width {
        return Err(Error::Shape {
            name: "centres",
            expected: format!("[W, {width}], W at least 1"),
            found: own,
        });
    }
    Ok(tch::no_grad(|| {
        let centres = centres.to_kind(Kind::Double);
        // Near the origin little is lost where the products are subtracted.
        let origin = centres.mean_dim([0i64].as_slice(), true, Kind::Double);
        let centres = centres - &origin;
        let half = centres
            .square()
            .sum_dim_intlist([1i64].as_slice(), false, Kind::Double)
            * -0.5;
        let found = Tensor::zeros([rows], (Kind::Int64, descriptors.device()));
        let chunk = (CHUNK / own[0]).max(1);
        for (rows, mut to) in descriptors
            .split(chunk, 0)
            .iter()
            .zip(found.split(chunk, 0))
        {
            let rows = rows.to_kind(Kind::Double) - &origin;
            // |x - c|² is least where x·c - |c|²/2 is largest.
            to.copy_(&half.addmm(&rows, &centres.tr()).argmax(1, false));
        }
        found
    }))
}

/// How often each image has each word, `[I, W] i64`: `words [N] i64` in `0..W` of superpixels whose images `[N] i64` are in
/// `0..I`, on one device. Of it [`Tensor::gt`] 0 are the targets of the task "word content", and their sums the lengths of the
/// sentences, in distinct words.
///
/// # Errors
/// Words and images of different superpixels, or out of range.
pub fn sentences(words: &Tensor, images: &Tensor, shape: [i64; 2]) -> Result<Tensor, Error> {
    let count = words.size();
    if count.len() != 1 || images.size() != count {
        return Err(Error::Shape {
            name: "images",
            expected: format!("[N], that of the words, which is {count:?}"),
            found: images.size(),
        });
    }
    for (name, numbers, end) in [("image", images, shape[0]), ("word", words, shape[1])] {
        if numbers.numel() > 0 {
            let [least, most] = [numbers.min(), numbers.max()].map(|found| found.int64_value(&[]));
            if least < 0 || most >= end {
                return Err(Error::Value {
                    name,
                    expected: format!("0..{end}"),
                    found: format!("{least} to {most}"),
                });
            }
        }
    }
    let mut counts = Tensor::zeros([shape[0] * shape[1]], (Kind::Int64, words.device()));
    let places = images * shape[1] + words;
    let _ = counts.index_add_(0, &places, &places.ones_like());
    Ok(counts.view(shape))
}

#[cfg(test)]
mod tests;
