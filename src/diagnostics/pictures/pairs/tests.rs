//! What is chosen against a slow loop over the pairs; that frames say what they should.

use tch::Device;

use super::*;
use crate::diagnostics::pictures::{canvas, tile};

const B: usize = 20;
const K: usize = 23;
const P: usize = 4;
const N: i64 = 300;

struct Case {
    index: Tensor,
    pairs: Pairs,
    cosines: [Tensor; 2],
    truth: Vec<i64>,
    names: Vec<String>,
}

/// Rows with gaps, one query with four negatives only, one with none, and one without a positive.
fn case() -> Case {
    let row = |at: usize| (at as i64 * 7919) % N;
    let positives: Vec<i64> = (0..B * P)
        .map(|at| match (at / P, at % P) {
            (5, _) => -1,
            (_, 0 | 2) if at % 3 == 0 => -1,
            _ => row(at + 5),
        })
        .collect();
    let negatives: Vec<i64> = (0..B * K)
        .map(|at| match (at / K, at % K) {
            (2, 4..) | (7, _) => -1,
            (_, 3 | 8) => -1,
            (_, 12 | 13) => row(at - at % K + 11 + 11),
            _ => row(at + 11),
        })
        .collect();
    let cosines = |width: usize, by: usize| -> Vec<f32> {
        (0..B * width)
            .map(|at| match (width, at % width) {
                // The row at 11 was drawn three times.
                (K, 12 | 13) => at - at % K + 11,
                _ => at,
            })
            .map(|at| ((at * by) % 997) as f32 / 500.0 - 1.0)
            .collect()
    };
    let matrix =
        |values: &[i64], width: usize| Tensor::from_slice(values).view([B as i64, width as i64]);
    Case {
        index: Tensor::from_slice(&(0..B).map(|at| row(3 * at + 1)).collect::<Vec<_>>()),
        pairs: Pairs {
            positives: matrix(&positives, P),
            negatives: matrix(&negatives, K),
        },
        cosines: [(P, 31), (K, 101)].map(|(width, by)| {
            Tensor::from_slice(&cosines(width, by)).view([B as i64, width as i64])
        }),
        truth: (0..N).map(|row| row * row % 11 % 4).collect(),
        names: ["cat", "dog", "ship", "a long name of a class"]
            .map(String::from)
            .to_vec(),
    }
}

impl Case {
    fn choice(&self) -> Choice<'_> {
        Choice {
            index: &self.index,
            pairs: &self.pairs,
            positives: &self.cosines[0],
            negatives: &self.cosines[1],
        }
    }

    fn chosen(&self) -> Vec<Row> {
        let labels = Tensor::from_slice(&self.truth);
        let truth = Truth {
            labels: &labels,
            names: &self.names,
        };
        chosen(&self.choice(), Some(&truth))
    }

    /// Row and cosine of each that there is, in the sampler's order.
    fn existing(&self, rows: &Tensor, cosines: &Tensor, query: i64) -> Vec<(i64, f64)> {
        let width = rows.size()[1];
        let all = (0..width).map(|at| {
            let place = [query, at];
            (rows.int64_value(&place), cosines.double_value(&place))
        });
        all.filter(|(row, _)| *row >= 0).collect()
    }
}

fn seen(tiles: &[Tile]) -> Vec<(i64, f64)> {
    tiles
        .iter()
        .map(|tile| (tile.id, tile.cosine.unwrap()))
        .collect()
}

#[test]
fn what_is_shown_is_what_a_loop_finds() {
    let case = case();
    let rows = case.chosen();
    assert_eq!(rows.len(), 8);
    let mut few = 0;
    for (at, row) in rows.iter().enumerate() {
        let query = (at * B / 8) as i64;
        assert_eq!(row.query.id, case.index.int64_value(&[query]));
        let mut positives = case.existing(&case.pairs.positives, &case.cosines[0], query);
        positives.truncate(2);
        assert_eq!(seen(&row.positives), positives);
        let mut negatives = case.existing(&case.pairs.negatives, &case.cosines[1], query);
        let mut seen_before = std::collections::BTreeSet::new();
        negatives.retain(|(row, _)| seen_before.insert(*row));
        negatives.sort_by(|a, b| b.1.total_cmp(&a.1));
        let rest = negatives.split_off(negatives.len().min(5));
        assert_eq!(seen(&row.nearest), negatives);
        few += usize::from(rest.len() < 5);
        let shown = seen(&row.others);
        assert_eq!(shown.len(), rest.len().min(5));
        assert_eq!(shown.last(), rest.last(), "the farthest is among them");
        // Evenly: between two shown ones lie equally many, give or take one.
        let places = shown
            .iter()
            .map(|one| rest.iter().position(|other| one == other).unwrap());
        let places: Vec<_> = places.collect();
        let steps: Vec<_> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let extremes = (steps.iter().min(), steps.iter().max());
        if let (Some(least), Some(most)) = extremes {
            assert!(*least > 0 && most - least <= 1, "{places:?}");
        }
        for tile in row.tiles() {
            assert_eq!(tile.class, Some(case.truth[tile.id as usize]));
        }
        for tile in row.tiles().skip(1) {
            assert_eq!(tile.same, Some(tile.class == row.query.class));
        }
    }
    assert!(few >= 2, "some queries have few negatives: {few}");
    let kinds = rows.iter().flat_map(Row::tiles).map(|tile| tile.same);
    let kinds: std::collections::BTreeSet<_> = kinds.collect();
    assert_eq!(kinds.len(), 3);
}

#[test]
fn without_true_labels_nothing_is_said_of_classes() {
    let case = case();
    let rows = chosen(&case.choice(), None);
    let mut tiles = rows.iter().flat_map(Row::tiles);
    assert!(tiles.all(|tile| tile.class.is_none() && tile.same.is_none()));
}

#[test]
fn frames_have_the_colour_of_the_truth_and_a_missing_tile_leaves_white() {
    let case = case();
    let labels = Tensor::from_slice(&case.truth);
    let truth = Truth {
        labels: &labels,
        names: &case.names,
    };
    let rows = chosen(&case.choice(), Some(&truth));
    let count = ids(&rows).len() as i64;
    let images = Tensor::full([count, 1, 28, 28], 0.5, (Kind::Float, Device::Cpu));
    let picture = draw(&rows, &images, Some(&truth));
    let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), (picture.width, picture.height));
    let side = 56 + 2 * tile::FRAME;
    let height = side + 30;
    let mut compared = 0;
    for (at, row) in (0..).zip(&rows) {
        let y = HEAD + at * (height + 6);
        let mut left = MARGIN;
        let query = std::slice::from_ref(&row.query);
        let groups = [
            (query, 1),
            (&row.positives, 2),
            (&row.nearest, 5),
            (&row.others, 5),
        ];
        for (tiles, places) in groups {
            for place in 0..places {
                let x = left + place as u32 * (side + GAP);
                let pixel = image.get_pixel(x + 1, y + 1).0;
                let expected = match tiles.get(place) {
                    None => [255; 3],
                    Some(Tile { same: None, .. }) => canvas::GRID,
                    Some(Tile {
                        same: Some(true), ..
                    }) => tile::SAME,
                    Some(Tile {
                        same: Some(false), ..
                    }) => tile::OTHER,
                };
                assert_eq!(pixel, expected, "row {at}, {place}");
                if tiles.len() > place {
                    let inside = image.get_pixel(x + side / 2, y + side / 2).0;
                    assert_eq!(inside, [128; 3]);
                }
                compared += 1;
            }
            left += places as u32 * (side + GAP) - GAP + APART;
        }
    }
    assert_eq!(compared, 8 * 13);
}
