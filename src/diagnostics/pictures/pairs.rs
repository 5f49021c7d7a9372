//! `gallery/pairs`: what a sampler chose for some queries of the batch, with true and false negatives in green and red.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::canvas::{self, Anchor, Canvas, GRID, INK, PALE};
use super::tile;
use super::{Picture, Tile, Truth, integers, list, montage};
use crate::ground::spread;
use crate::slots::sampler::Pairs;

/// Queries that are shown.
const QUERIES: usize = 8;
/// Positives that are shown of each.
const POSITIVES: usize = 2;
/// The nearest negatives that are shown, and as many of the others.
const NEGATIVES: usize = 5;

/// What a sampler chose for a batch.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Row of the bank of each query, `[B]` i64.
    pub index: &'a Tensor,
    /// Rows of the bank, `[B, P]` and `[B, K]` i64, -1 for none.
    pub pairs: &'a Pairs,
    /// Cosines with the positives, `[B, P]`; anything where there is none.
    pub positives: &'a Tensor,
    /// Cosines with the negatives, `[B, K]`; anything where there is none.
    pub negatives: &'a Tensor,
}

/// One query with what was chosen for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The query.
    pub query: Tile,
    /// The first positives.
    pub positives: Vec<Tile>,
    /// The nearest negatives, the nearest first.
    pub nearest: Vec<Tile>,
    /// Others, evenly spread down to the farthest.
    pub others: Vec<Tile>,
}

impl Row {
    fn tiles(&self) -> impl Iterator<Item = &Tile> {
        let chosen = [&self.positives, &self.nearest, &self.others];
        std::iter::once(&self.query).chain(chosen.into_iter().flatten())
    }
}

/// The queries that are shown, evenly spread over the batch, and what is shown of each; this waits for the device.
pub fn chosen(choice: &Choice<'_>, truth: Option<&Truth<'_>>) -> Vec<Row> {
    let picked = spread(choice.index.size()[0] as usize, QUERIES);
    let picked = Tensor::from_slice(&picked).to_device(choice.index.device());
    let of = |tensor: &Tensor| tensor.index_select(0, &picked);
    let positives = first(&of(&choice.pairs.positives), &of(choice.positives));
    let negatives = falling(&of(&choice.pairs.negatives), &of(choice.negatives));
    let queries = integers(&of(choice.index));
    let classes = Classes::of(truth, &queries, [&positives, &negatives]);
    let chosen = queries.iter().zip(positives.iter().zip(&negatives));
    let rows = chosen.map(|(&query, (positives, negatives))| {
        let class = classes.of_image(query);
        let tiles = |pairs: &[Pair]| {
            pairs
                .iter()
                .map(|&pair| classes.tile(pair, class))
                .collect()
        };
        let (nearest, others) = negatives.split_at(negatives.len().min(NEGATIVES));
        Row {
            query: Tile {
                id: query,
                cosine: None,
                class,
                same: None,
            },
            positives: tiles(positives),
            nearest: tiles(nearest),
            others: tiles(others),
        }
    });
    rows.collect()
}

/// A row of the bank and its cosine with the query.
type Pair = (i64, f64);

/// The first that there are among rows and cosines `[R, P]`, in their order, for each of the R queries.
fn first(rows: &Tensor, cosines: &Tensor) -> Vec<Vec<Pair>> {
    // Those that there are before the others, by a sort that keeps their order.
    let exists = rows.ge(0).to_kind(Kind::Int64);
    let order = exists.argsort_stable(true, 1, true);
    let most = rows.size()[1].min(POSITIVES as i64);
    let mut pairs = read(rows, cosines, &order.narrow(1, 0, most));
    for pairs in &mut pairs {
        pairs.retain(|&(row, _)| row >= 0);
    }
    pairs
}

/// Those at [`ranks`] among rows and cosines `[R, K]`, in falling order of the cosine, for each of the R queries. A row that was
/// drawn several times counts once.
fn falling(rows: &Tensor, cosines: &Tensor) -> Vec<Vec<Pair>> {
    let exists = rows.ge(0);
    let order = cosines
        .masked_fill(&exists.logical_not(), f64::NEG_INFINITY)
        .argsort_stable(true, 1, true);
    // The same row has the same cosine, so that its draws lie side by side; the first is kept before all later ones.
    let sorted = rows.gather(1, &order, false);
    let before =
        sorted
            .roll(1, 1)
            .index_fill(1, &Tensor::zeros([1], (Kind::Int64, rows.device())), -1);
    let exists = sorted.ge(0).logical_and(&sorted.ne_tensor(&before));
    let kept = exists.to_kind(Kind::Int64).argsort_stable(true, 1, true);
    let order = order.gather(1, &kept, false);
    let counts = exists.sum_dim_intlist([1i64].as_slice(), false, Kind::Int64);
    let counts = integers(&counts).into_iter();
    let ranks: Vec<_> = counts.map(|count| ranks(count as usize)).collect();
    let width = ranks.iter().map(Vec::len).max().unwrap_or_default();
    let padded = ranks.iter().flat_map(|ranks| {
        let pad = std::iter::repeat_n(0, width - ranks.len());
        ranks.iter().copied().chain(pad)
    });
    let places = Tensor::from_slice(&padded.collect::<Vec<_>>())
        .view([ranks.len() as i64, width as i64])
        .to_device(order.device());
    let mut pairs = read(rows, cosines, &order.gather(1, &places, false));
    for (pairs, ranks) in pairs.iter_mut().zip(&ranks) {
        pairs.truncate(ranks.len());
    }
    pairs
}

/// Which of `count` negatives in falling order of their cosine are shown: the first ones, then the last of each of as many equal
/// parts of the rest, so that the farthest is among them.
fn ranks(count: usize) -> Vec<i64> {
    let nearest = count.min(NEGATIVES);
    let rest = count - nearest;
    let parts = rest.min(NEGATIVES);
    let others = (1..=parts).map(|part| nearest + part * rest / parts - 1);
    (0..nearest).chain(others).map(|rank| rank as i64).collect()
}

/// Rows and cosines `[R, M]` at `places [R, n]`, row by row.
fn read(rows: &Tensor, cosines: &Tensor, places: &Tensor) -> Vec<Vec<Pair>> {
    let width = places.size()[1] as usize;
    if width == 0 {
        return vec![Vec::new(); places.size()[0] as usize];
    }
    let rows = integers(&rows.gather(1, places, false));
    let cosines = list(&cosines.gather(1, places, false));
    let all: Vec<_> = rows.into_iter().zip(cosines).collect();
    all.chunks(width).map(<[_]>::to_vec).collect()
}

/// The true classes of a few images.
struct Classes(HashMap<i64, i64>);

impl Classes {
    fn of(truth: Option<&Truth<'_>>, queries: &[i64], more: [&[Vec<Pair>]; 2]) -> Self {
        let Some(truth) = truth else {
            return Self(HashMap::new());
        };
        let more = more.into_iter().flatten().flatten().map(|&(id, _)| id);
        let ids = queries.iter().copied().chain(more);
        let ids: Vec<i64> = ids.collect();
        let at = Tensor::from_slice(&ids).to_device(truth.labels.device());
        let classes = integers(&truth.labels.index_select(0, &at));
        Self(ids.into_iter().zip(classes).collect())
    }

    fn of_image(&self, id: i64) -> Option<i64> {
        self.0.get(&id).copied()
    }

    /// The tile of a row that was chosen for a query of this class.
    fn tile(&self, (id, cosine): Pair, query: Option<i64>) -> Tile {
        let class = self.of_image(id);
        Tile {
            id,
            cosine: Some(cosine),
            class,
            same: query.and_then(|query| class.map(|class| class == query)),
        }
    }
}

/// The images that are shown, in the order in which [`draw`] wants them.
pub fn ids(rows: &[Row]) -> Vec<i64> {
    let tiles = rows.iter().flat_map(Row::tiles);
    tiles.map(|tile| tile.id).collect()
}

const MARGIN: u32 = 16;
const HEAD: u32 = 76;
/// Between two tiles, and between two groups of them.
const GAP: u32 = 5;
const APART: u32 = 22;

/// Draws the rows; `images [n, C, H, W]` f32 in 0..1 are those of [`ids`].
///
/// # Panics
/// When there are no rows.
pub fn draw(rows: &[Row], images: &Tensor, truth: Option<&Truth<'_>>) -> Picture {
    let images = montage::enlarged(images, montage::times(images));
    let (width, height) = tile::extent(&images[0]);
    let step = width + GAP;
    let (left, right) = columns(rows, step);
    let mut canvas = Canvas::new(right, HEAD + rows.len() as u32 * (height + 6) + MARGIN / 2);
    head(&mut canvas, left, truth.is_some());
    let mut images = images.iter();
    for (at, row) in rows.iter().enumerate() {
        let y = HEAD + at as u32 * (height + 6);
        let query = std::slice::from_ref(&row.query);
        let groups = [query, &row.positives, &row.nearest, &row.others];
        for (left, tiles) in left.into_iter().zip(groups) {
            for (column, tile) in tiles.iter().enumerate() {
                let image = images.next().expect("an image for each tile");
                let x = left + column as u32 * step;
                tile.draw(&mut canvas, (x, y), image, truth);
            }
        }
    }
    for left in &left[1..] {
        let line = (left - APART / 2, HEAD - 16);
        let height = rows.len() as u32 * (height + 6) + 12;
        canvas.fill(line, (1, height), GRID);
    }
    canvas.picture()
}

/// Where query, positives, nearest negatives and others begin, and how wide the picture is; `step` is from one tile to the next.
fn columns(rows: &[Row], step: u32) -> ([u32; 4], u32) {
    let positives = rows.iter().map(|row| row.positives.len()).max();
    // No narrower than their titles.
    let positives = positives.unwrap_or_default().max(1);
    let groups = [1, positives, NEGATIVES, NEGATIVES].map(|tiles| tiles as u32);
    let mut left = [MARGIN; 4];
    for at in 1..4 {
        left[at] = left[at - 1] + groups[at - 1] * step - GAP + APART;
    }
    (left, left[3] + groups[3] * step - GAP + MARGIN)
}

fn head(canvas: &mut Canvas, left: [u32; 4], coloured: bool) {
    let title = "What the sampler chose: queries, positives, negatives";
    canvas.text((MARGIN, 20), Anchor::Left, 17, INK, title);
    let said = "below each image its cosine with the query";
    canvas.text((MARGIN, 42), Anchor::Left, 12, PALE, said);
    if coloured {
        let x = MARGIN + canvas::width(said, 12) + 20;
        tile::legend(
            canvas,
            (x, 42),
            ["true class of the query", "another true class"],
        );
    }
    let names = [
        "query",
        "positives",
        "nearest negatives",
        "others, down to the farthest",
    ];
    for (left, name) in left.into_iter().zip(names) {
        canvas.text((left, HEAD - 11), Anchor::Left, 12, INK, name);
    }
}

#[cfg(test)]
mod tests;
