//! `clusters/confusion`: which share of each cluster is of which true class.

use std::cmp::Reverse;

use tch::{Kind, Tensor};

use super::canvas::{self, Anchor, Canvas, Colour, GRID, INK, PALE};
use super::clusters::{by_size, first_largest};
use super::counts::classes_in;
use super::{Picture, Truth, list, thousands};
use crate::bank::View;

/// With more classes their names would be too small to be read.
const CLASSES: usize = 100;
/// Columns that are shown.
const COLUMNS: usize = 1200;

/// A table of true classes and clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The clusters that are its columns, and their sizes: by their commonest class (of equally common ones the first), then by
    /// falling size, then by number.
    pub clusters: Vec<(i64, i64)>,
    /// The commonest class of each.
    pub commonest: Vec<i64>,
    /// The shares of each class in the clusters, row by row, 0 to 1; each column adds up to 1.
    pub shares: Vec<f64>,
    /// All clusters that have rows, those that are left out among them.
    pub clusters_with_rows: usize,
}

/// The largest clusters with the shares of the true classes in them, or nothing where there are more than a hundred classes; this
/// waits for the device.
pub fn table(bank: &View<'_>, truth: &Truth<'_>) -> Option<Table> {
    if truth.names.len() > CLASSES {
        return None;
    }
    let sizes = by_size(bank);
    let clusters_with_rows = sizes.len();
    let largest = &sizes[..sizes.len().min(COLUMNS)];
    let numbered: Vec<i64> = largest.iter().map(|&(cluster, _)| cluster).collect();
    let counts = classes_in(truth, bank.labels, bank.centroids.size()[0], &numbered);
    let commonest = first_largest(&counts);
    let mut order: Vec<usize> = (0..largest.len()).collect();
    order.sort_by_key(|&at| {
        let (cluster, size) = largest[at];
        (commonest[at].0, Reverse(size), cluster)
    });
    let places: Vec<i64> = order.iter().map(|&at| at as i64).collect();
    let places = Tensor::from_slice(&places).to_device(counts.device());
    let counts = counts.index_select(1, &places).to_kind(Kind::Double);
    let shares = &counts / counts.sum_dim_intlist([0i64].as_slice(), true, Kind::Double);
    Some(Table {
        clusters: order.iter().map(|&at| largest[at]).collect(),
        commonest: order.iter().map(|&at| commonest[at].0).collect(),
        shares: list(&shares),
        clusters_with_rows,
    })
}

const MARGIN: u32 = 16;
const HEAD: u32 = 56;
const NAMES: u32 = 124;
/// Height of the bars that show the sizes.
const BARS: u32 = 44;
/// Room for the colour bar and its numbers.
const SCALE: u32 = 90;
/// The least width of the map, so that its title has room.
const NARROWEST: u32 = 420;

/// Where the map lies.
struct Layout {
    /// Pixels of a cell.
    cell: (u32, u32),
    /// Pixels of the map.
    map: (u32, u32),
    /// Its upper left corner.
    corner: (u32, u32),
}

impl Layout {
    fn of(classes: u32, columns: u32) -> Self {
        let across = (1000 / columns).clamp(1, 40).max(NARROWEST / columns);
        let down = (420 / classes).clamp(12, 30);
        Self {
            cell: (across, down),
            map: (across * columns, down * classes),
            corner: (MARGIN + NAMES, HEAD),
        }
    }
}

/// Draws the table.
///
/// # Panics
/// When it has no columns.
pub fn draw(table: &Table, truth: &Truth<'_>) -> Picture {
    let columns = table.clusters.len();
    let layout = Layout::of(truth.names.len() as u32, columns as u32);
    let (cell, map, corner) = (layout.cell, layout.map, layout.corner);
    let mut canvas = Canvas::new(
        corner.0 + map.0 + SCALE + MARGIN,
        corner.1 + map.1 + BARS + 46,
    );
    head(&mut canvas, table);
    for (class, shares) in table.shares.chunks(columns).enumerate() {
        let y = corner.1 + class as u32 * cell.1;
        for (column, &share) in shares.iter().enumerate() {
            let x = corner.0 + column as u32 * cell.0;
            canvas.fill((x, y), cell, shade(share));
        }
        let letters = cell.1.min(12);
        let name = canvas::fitted(truth.name(class as i64), letters, NAMES - 8);
        let at = (corner.0 - 6, y + cell.1 / 2);
        canvas.text(at, Anchor::Right, letters, INK, &name);
    }
    grid(&mut canvas, table, &layout);
    bars(&mut canvas, table, &layout);
    scale(&mut canvas, &layout);
    canvas.picture()
}

fn head(canvas: &mut Canvas, table: &Table) {
    let [shown, all] = [table.clusters.len(), table.clusters_with_rows].map(|n| n as i64);
    let which = match (shown, shown == all) {
        (1, true) => "the only cluster".to_owned(),
        (_, true) => format!("{} clusters", thousands(shown)),
        _ => format!(
            "the {} largest of {} clusters",
            thousands(shown),
            thousands(all)
        ),
    };
    let title = format!("True classes in {which}");
    canvas.text((MARGIN, 20), Anchor::Left, 17, INK, &title);
    let said = "a column a cluster: the shares of the true classes among its rows";
    canvas.text((MARGIN, 41), Anchor::Left, 12, PALE, said);
}

/// Lines around the map and where the commonest class changes, as far as columns are wide enough for them.
fn grid(canvas: &mut Canvas, table: &Table, layout: &Layout) {
    let (cell, map, (x, y)) = (layout.cell, layout.map, layout.corner);
    for (at, size) in [
        ((x - 1, y - 1), (map.0 + 2, 1)),
        ((x - 1, y + map.1), (map.0 + 2, 1)),
        ((x - 1, y - 1), (1, map.1 + 2)),
        ((x + map.0, y - 1), (1, map.1 + 2)),
    ] {
        canvas.fill(at, size, PALE);
    }
    let changes = table.commonest.windows(2).enumerate();
    let changes = changes.filter(|(_, pair)| pair[0] != pair[1]);
    for (before, _) in changes.filter(|_| cell.0 >= 4) {
        let line = x + (before as u32 + 1) * cell.0;
        canvas.fill((line, y), (1, map.1), GRID);
    }
}

/// A bar below each column: how many rows the cluster has.
fn bars(canvas: &mut Canvas, table: &Table, layout: &Layout) {
    let (cell, map, (left, top)) = (layout.cell, layout.map, layout.corner);
    let top = top + map.1 + 5;
    let sizes = table.clusters.iter().map(|&(_, size)| size);
    let largest = sizes.clone().max().unwrap_or(1).max(1);
    let width = if cell.0 >= 4 { cell.0 - 1 } else { cell.0 };
    for (column, size) in sizes.enumerate() {
        let height = (size * i64::from(BARS) / largest).max(1) as u32;
        let x = left + column as u32 * cell.0;
        canvas.fill((x, top), (width, height), [120, 150, 185]);
    }
    let text = (left - 6, top + 7);
    canvas.text(text, Anchor::Right, 12, PALE, "rows");
    let most = format!("{} at most", thousands(largest));
    canvas.text((left - 6, top + 23), Anchor::Right, 12, PALE, &most);
    let below = (left + map.0 / 2, top + BARS + 18);
    let axis = "clusters, by their commonest class, then by falling size";
    canvas.text(below, Anchor::Middle, 12, INK, axis);
}

/// The colour bar.
fn scale(canvas: &mut Canvas, layout: &Layout) {
    let (map, (left, top)) = (layout.map, layout.corner);
    let x = left + map.0 + 20;
    for y in 0..map.1 {
        let share = 1.0 - f64::from(y) / f64::from(map.1.max(2) - 1);
        canvas.fill((x, top + y), (14, 1), shade(share));
    }
    for (share, down) in [("100 %", 0), ("50 %", map.1 / 2), ("0 %", map.1 - 1)] {
        canvas.fill((x + 14, top + down), (4, 1), PALE);
        canvas.text((x + 21, top + down), Anchor::Left, 11, PALE, share);
    }
}

/// White to dark blue.
fn shade(share: f64) -> Colour {
    const STOPS: [[f64; 3]; 3] = [
        [255.0, 255.0, 255.0],
        [80.0, 150.0, 205.0],
        [8.0, 40.0, 100.0],
    ];
    let along = share.clamp(0.0, 1.0) * 2.0;
    let from = (along as usize).min(1);
    let part = along - from as f64;
    let mix = |channel: usize| {
        let [start, end] = [STOPS[from][channel], STOPS[from + 1][channel]];
        (start + part * (end - start)).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

#[cfg(test)]
mod tests;
