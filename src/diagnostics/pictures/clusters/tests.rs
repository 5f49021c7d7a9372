//! What is chosen against a slow loop over the bank.

use tch::Device;

use super::*;
use crate::bank::Bank;

const N: i64 = 400;
const C: i64 = 30;

/// A bank of clusters of very different sizes, some of them empty or of one row.
fn bank() -> (Bank, Vec<i64>, Vec<i64>) {
    let labels: Vec<i64> = (0..N)
        .map(|row| match row {
            0 => 29,
            1 => 28,
            _ => (row * row) % 400 % 23,
        })
        .collect();
    let truth: Vec<i64> = (0..N)
        .map(|row| (row * 31 + labels[row as usize]) % 7 % 5)
        .collect();
    let number = |at: i64| ((at * 7919) % 1009) as f32 / 500.0 - 1.0;
    let matrix = |rows: i64, from: i64| {
        let values: Vec<f32> = (0..rows * 6).map(|at| number(at + from)).collect();
        Tensor::from_slice(&values).view([rows, 6])
    };
    let mut bank = Bank::new(N, 6, C, 1.0, Device::Cpu);
    let (features, centroids) = (matrix(N, 3), matrix(C, 77));
    bank.fill(&features, &Tensor::from_slice(&labels), &centroids)
        .unwrap();
    (bank, labels, truth)
}

fn cosine(bank: &Bank, row: i64, cluster: i64) -> f64 {
    let value = |of: &Tensor, row, at| of.double_value(&[row, at]);
    let dot: f64 = (0..6)
        .map(|at| value(bank.features(), row, at) * value(bank.centroids(), cluster, at))
        .sum();
    let norm: f64 = (0..6)
        .map(|at| value(bank.centroids(), cluster, at).powi(2))
        .sum();
    dot / norm.sqrt()
}

#[test]
fn what_is_shown_is_what_a_loop_finds() {
    let (bank, labels, truth) = bank();
    let names: Vec<String> = (0..5).map(|class| format!("class {class}")).collect();
    let true_labels = Tensor::from_slice(&truth);
    let seen = Truth {
        labels: &true_labels,
        names: &names,
    };
    let members = |cluster: i64| -> Vec<i64> {
        (0..N)
            .filter(|&row| labels[row as usize] == cluster)
            .collect()
    };
    let mut all: Vec<i64> = (0..C)
        .filter(|&cluster| !members(cluster).is_empty())
        .collect();
    all.sort_by_key(|&cluster| std::cmp::Reverse(members(cluster).len()));
    assert!(all.len() > 12 && all.len() < C as usize);
    let got = chosen(&bank.view(), Some(&seen));
    assert_eq!(got.len(), 12);
    for (at, cluster) in got.iter().enumerate() {
        assert_eq!(cluster.cluster, all[at * all.len() / 12]);
        let mut rows = members(cluster.cluster);
        assert_eq!(cluster.size, rows.len() as i64);
        let count = |class: i64| {
            rows.iter()
                .filter(|&&row| truth[row as usize] == class)
                .count()
        };
        let largest = (0..5).map(count).max().unwrap();
        let first = (0..5).find(|&class| count(class) == largest).unwrap();
        let share = largest as f64 / rows.len() as f64;
        assert_eq!(cluster.commonest, Some((first, share)));
        let near = |row: i64| cosine(&bank, row, cluster.cluster);
        rows.sort_by(|&a, &b| near(b).total_cmp(&near(a)));
        rows.truncate(10);
        let ids: Vec<_> = cluster.tiles.iter().map(|tile| tile.id).collect();
        assert_eq!(ids, rows);
        for tile in &cluster.tiles {
            assert!((tile.cosine.unwrap() - near(tile.id)).abs() < 1e-5);
            assert_eq!(tile.class, Some(truth[tile.id as usize]));
            assert_eq!(tile.same, Some(tile.class == Some(first)));
        }
    }
}

#[test]
fn a_gallery_has_its_size_with_and_without_true_labels() {
    let (bank, _, truth) = bank();
    let names: Vec<String> = (0..5).map(|class| format!("class {class}")).collect();
    let labels = Tensor::from_slice(&truth);
    let seen = Truth {
        labels: &labels,
        names: &names,
    };
    for truth in [None, Some(&seen)] {
        let shown = chosen(&bank.view(), truth);
        let count = ids(&shown).len() as i64;
        let images = Tensor::zeros([count, 3, 32, 32], (Kind::Float, Device::Cpu));
        let picture = draw(&shown, &images, truth);
        let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (picture.width, picture.height));
        let pixel = image.get_pixel(MARGIN + CAPTION + 1, HEAD + 1).0;
        let expected = match shown[0].tiles[0].same {
            None => canvas::GRID,
            Some(true) => tile::SAME,
            Some(false) => tile::OTHER,
        };
        assert_eq!(pixel, expected);
    }
}
