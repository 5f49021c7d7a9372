//! `gallery/pairs`: what a sampler chose for some queries of the batch, with true and false negatives in green and red.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::canvas::{self, Anchor, Canvas, GRID, INK, PALE};
use super::tile;
use super::{Picture, Tile, Truth, integers, montage, numbers, spread};
use crate::sampler::Pairs;

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
    let (rows, cosines) = (of(&choice.pairs.positives), of(choice.positives));
    // Those that there are first, in their order.
    let exists = rows.ge(0).to_kind(Kind::Int64);
    let order = exists.argsort_stable(true, 1, true);
    let first = order.narrow(1, 0, rows.size()[1].min(POSITIVES as i64));
    let positives = read(&rows, &cosines, &first);

    let (rows, cosines) = (of(&choice.pairs.negatives), of(choice.negatives));
    let exists = rows.ge(0);
    let falling = cosines
        .masked_fill(&exists.logical_not(), f64::NEG_INFINITY)
        .argsort_stable(true, 1, true);
    let counts = integers(&exists.sum_dim_intlist([1i64].as_slice(), false, Kind::Int64));
    let places: Vec<Vec<i64>> = counts.iter().map(|&count| ranks(count as usize)).collect();
    let width = places.iter().map(Vec::len).max().unwrap_or_default();
    let padded = places.iter().flat_map(|places| {
        let pad = std::iter::repeat_n(0, width - places.len());
        places.iter().copied().chain(pad)
    });
    let padded = Tensor::from_slice(&padded.collect::<Vec<_>>())
        .view([places.len() as i64, width as i64])
        .to_device(falling.device());
    let negatives = read(&rows, &cosines, &falling.gather(1, &padded, false));

    let queries = integers(&of(choice.index));
    let classes = Classes::of(truth, &queries, [&positives, &negatives]);
    let rows = queries.iter().enumerate();
    let rows = rows.map(|(at, &id)| {
        let own = classes.of_image(id);
        let tile = |&(id, cosine): &(i64, f64)| {
            let class = classes.of_image(id);
            let same = own.and_then(|own| class.map(|class| class == own));
            let cosine = Some(cosine);
            Tile {
                id,
                cosine,
                class,
                same,
            }
        };
        let there = positives[at].iter().filter(|(id, _)| *id >= 0);
        let negatives = &negatives[at][..places[at].len()];
        let (nearest, others) = negatives.split_at(negatives.len().min(NEGATIVES));
        Row {
            query: Tile {
                id,
                cosine: None,
                class: own,
                same: None,
            },
            positives: there.map(tile).collect(),
            nearest: nearest.iter().map(tile).collect(),
            others: others.iter().map(tile).collect(),
        }
    });
    rows.collect()
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
fn read(rows: &Tensor, cosines: &Tensor, places: &Tensor) -> Vec<Vec<(i64, f64)>> {
    let width = places.size()[1] as usize;
    if width == 0 {
        return vec![Vec::new(); places.size()[0] as usize];
    }
    let rows = integers(&rows.gather(1, places, false));
    let cosines = numbers(&cosines.gather(1, places, false));
    let all: Vec<_> = rows.into_iter().zip(cosines).collect();
    all.chunks(width).map(<[_]>::to_vec).collect()
}

/// The true classes of a few images.
struct Classes(HashMap<i64, i64>);

impl Classes {
    fn of(truth: Option<&Truth<'_>>, queries: &[i64], more: [&[Vec<(i64, f64)>]; 2]) -> Self {
        let Some(truth) = truth else {
            return Self(HashMap::new());
        };
        let more = more.into_iter().flatten().flatten().map(|&(id, _)| id);
        let ids = queries.iter().copied().chain(more).filter(|id| *id >= 0);
        let ids: Vec<i64> = ids.collect();
        let at = Tensor::from_slice(&ids).to_device(truth.labels.device());
        let classes = integers(&truth.labels.index_select(0, &at));
        Self(ids.into_iter().zip(classes).collect())
    }

    fn of_image(&self, id: i64) -> Option<i64> {
        self.0.get(&id).copied()
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
