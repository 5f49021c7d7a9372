//! `gallery/clusters`: some clusters of the bank, each with the rows that are nearest to its centroid.

use std::cmp::Reverse;

use tch::{Kind, Tensor};

use super::canvas::{self, Anchor, Canvas, INK, PALE};
use super::counts::classes_in;
use super::{Picture, Tile, Truth, integers, list, montage, thousands, tile};
use crate::bank::{View, unit_rows};
use crate::ground::spread;

/// Clusters that are shown.
const CLUSTERS: usize = 12;
/// Rows that are shown of each.
const ROWS: i64 = 10;

/// A cluster with its rows that are nearest to its centroid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its number.
    pub cluster: i64,
    /// Rows of the bank in it.
    pub size: i64,
    /// Its commonest true class and the share of its rows that are of it, 0 to 1, where there are true classes.
    pub commonest: Option<(i64, f64)>,
    /// The nearest first, by the cosine with the centroid's direction.
    pub tiles: Vec<Tile>,
}

/// The clusters that have rows, the largest first, of equal ones the one with the lower number: number and size; this waits
/// for the device.
pub(super) fn by_size(bank: &View<'_>) -> Vec<(i64, i64)> {
    let sizes = bank
        .labels
        .bincount(None::<Tensor>, bank.centroids.size()[0]);
    let mut sizes: Vec<_> = (0..).zip(integers(&sizes)).collect();
    sizes.retain(|&(_, size)| size > 0);
    sizes.sort_by_key(|&(_, size)| Reverse(size));
    sizes
}

/// The clusters that are shown, evenly spread over all by falling size, the largest first; this waits for the device.
pub fn chosen(bank: &View<'_>, truth: Option<&Truth<'_>>) -> Vec<Cluster> {
    let sizes = by_size(bank);
    let shown = spread(sizes.len(), CLUSTERS).into_iter();
    let shown: Vec<_> = shown.map(|at| sizes[at as usize]).collect();
    let clusters: Vec<i64> = shown.iter().map(|&(cluster, _)| cluster).collect();
    let (cosines, nearest) = nearest(bank, &clusters);
    let width = nearest.size()[1] as usize;
    let classes = truth.map(|truth| integers(&truth.labels.take(&nearest)));
    let commonest = truth.map(|truth| commonest(truth, bank, &clusters));
    let (cosines, nearest) = (list(&cosines), integers(&nearest));
    let clusters = shown.into_iter().enumerate();
    let clusters = clusters.map(|(at, (cluster, size))| {
        let commonest = commonest.as_ref().map(|all| {
            let (class, count) = all[at];
            (class, count as f64 / size as f64)
        });
        let there = width.min(size as usize);
        let tiles = (at * width..at * width + there).map(|place| {
            let class = classes.as_ref().map(|classes| classes[place]);
            Tile {
                id: nearest[place],
                cosine: Some(cosines[place]),
                class,
                same: commonest.and_then(|(most, _)| class.map(|class| class == most)),
            }
        });
        Cluster {
            cluster,
            size,
            commonest,
            tiles: tiles.collect(),
        }
    });
    clusters.collect()
}

/// Cosines with the centroid's direction and rows `[M, 10]` of those in each of the M `clusters` that are nearest to it, the nearest
/// first; where a cluster has fewer rows, its last places are others'.
fn nearest(bank: &View<'_>, clusters: &[i64]) -> (Tensor, Tensor) {
    let clusters = Tensor::from_slice(clusters).to_device(bank.labels.device());
    let directions = unit_rows(&bank.centroids.index_select(0, &clusters));
    let strangers = bank.labels.unsqueeze(0).ne_tensor(&clusters.unsqueeze(1));
    // [M, N]: a row for each of the few clusters.
    directions
        .matmul(&bank.features.tr())
        .masked_fill(&strangers, f64::NEG_INFINITY)
        .topk(ROWS.min(bank.labels.size()[0]), 1, true, true)
}

/// The commonest class of each of these clusters, of equally common ones the first, and how many rows are of it.
fn commonest(truth: &Truth<'_>, bank: &View<'_>, clusters: &[i64]) -> Vec<(i64, i64)> {
    let counts = classes_in(truth, bank.labels, bank.centroids.size()[0], clusters);
    first_largest(&counts)
}

/// The first row with the largest number in each column of `counts [R, C]` i64, and that number; this waits for the device.
pub(super) fn first_largest(counts: &Tensor) -> Vec<(i64, i64)> {
    // An argmax may give any of equal ones.
    let largest = counts.amax([0i64].as_slice(), true);
    let rows = counts.size()[0];
    let places = Tensor::arange(rows, (Kind::Int64, counts.device())).unsqueeze(1);
    let first = places
        .expand_as(counts)
        .masked_fill(&counts.lt_tensor(&largest), rows)
        .amin([0i64].as_slice(), false);
    integers(&first)
        .into_iter()
        .zip(integers(&largest))
        .collect()
}

/// The images that are shown, in the order in which [`draw`] wants them.
pub fn ids(clusters: &[Cluster]) -> Vec<i64> {
    let tiles = clusters.iter().flat_map(|cluster| &cluster.tiles);
    tiles.map(|tile| tile.id).collect()
}

const MARGIN: u32 = 16;
const HEAD: u32 = 58;
const CAPTION: u32 = 150;
const GAP: u32 = 5;

/// Draws the clusters; `images [n, C, H, W]` f32 in 0..1 are those of [`ids`].
///
/// # Panics
/// When there are no clusters.
pub fn draw(clusters: &[Cluster], images: &Tensor, truth: Option<&Truth<'_>>) -> Picture {
    let images = montage::enlarged(images, montage::times(images));
    let (width, height) = tile::extent(&images[0]);
    let (step, row) = (width + GAP, height + 6);
    let right = MARGIN + CAPTION + ROWS as u32 * step - GAP + MARGIN;
    let mut canvas = Canvas::new(right, HEAD + clusters.len() as u32 * row + MARGIN / 2);
    let title = "Clusters, by falling size: the rows nearest to each centroid";
    canvas.text((MARGIN, 20), Anchor::Left, 17, INK, title);
    let said = "below each image its cosine with the centroid";
    canvas.text((MARGIN, 42), Anchor::Left, 12, PALE, said);
    if truth.is_some() {
        let x = MARGIN + canvas::width(said, 12) + 20;
        let meanings = ["commonest true class of the cluster", "another"];
        tile::legend(&mut canvas, (x, 42), meanings);
    }
    let mut images = images.iter();
    for (at, cluster) in clusters.iter().enumerate() {
        let y = HEAD + at as u32 * row;
        caption(&mut canvas, y + 18, cluster, truth);
        for (column, tile) in cluster.tiles.iter().enumerate() {
            let image = images.next().expect("an image for each tile");
            let x = MARGIN + CAPTION + column as u32 * step;
            tile.draw(&mut canvas, (x, y), image, truth);
        }
    }
    canvas.picture()
}

fn caption(canvas: &mut Canvas, y: u32, cluster: &Cluster, truth: Option<&Truth<'_>>) {
    let name = format!("cluster {}", cluster.cluster);
    canvas.text((MARGIN, y), Anchor::Left, 14, INK, &name);
    let rows = if cluster.size == 1 { "row" } else { "rows" };
    let size = format!("{} {rows}", thousands(cluster.size));
    canvas.text((MARGIN, y + 18), Anchor::Left, 12, PALE, &size);
    if let (Some(truth), Some((class, share))) = (truth, cluster.commonest) {
        let share = format!("{:.0} % {}", 100.0 * share, truth.name(class));
        let share = canvas::fitted(&share, 12, CAPTION - 12);
        canvas.text((MARGIN, y + 34), Anchor::Left, 12, PALE, &share);
    }
}

#[cfg(test)]
mod tests;
