//! The order of the columns and the shares against a loop; the colours of the cells.

use tch::Device;

use super::*;
use crate::bank::Bank;

fn bank(labels: &[i64], clusters: i64) -> Bank {
    let rows = labels.len() as i64;
    let mut bank = Bank::new(rows, 2, clusters, 1.0, Device::Cpu);
    let ones = |rows: i64| Tensor::ones([rows, 2], (Kind::Float, Device::Cpu));
    bank.fill(&ones(rows), &Tensor::from_slice(labels), &ones(clusters))
        .unwrap();
    bank
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

#[test]
fn columns_stand_in_the_order_of_a_loop() {
    let labels: Vec<i64> = (0..500).map(|row| row * row % 97 % 31).collect();
    let truth: Vec<i64> = (0..500)
        .map(|row| (row * 7 + labels[row as usize]) % 13 % 6)
        .collect();
    let bank = bank(&labels, 40);
    let (true_labels, names) = (Tensor::from_slice(&truth), names(7));
    let seen = Truth {
        labels: &true_labels,
        names: &names,
    };
    let got = table(&bank.view(), &seen).unwrap();
    let count = |class: i64, cluster: i64| {
        let pairs = truth.iter().zip(&labels);
        pairs.filter(|&(&t, &l)| t == class && l == cluster).count() as i64
    };
    let size = |cluster: i64| (0..7).map(|class| count(class, cluster)).sum::<i64>();
    let commonest = |cluster: i64| {
        let largest = (0..7).map(|class| count(class, cluster)).max();
        (0..7)
            .find(|&class| Some(count(class, cluster)) == largest)
            .unwrap()
    };
    let mut expected: Vec<i64> = (0..40).filter(|&cluster| size(cluster) > 0).collect();
    expected.sort_by_key(|&cluster| (commonest(cluster), -size(cluster), cluster));
    let order: Vec<_> = got.clusters.iter().map(|&(cluster, _)| cluster).collect();
    assert_eq!(order, expected);
    assert_eq!(got.clusters_with_rows, expected.len());
    for (column, &(cluster, rows)) in got.clusters.iter().enumerate() {
        assert_eq!(rows, size(cluster));
        assert_eq!(got.commonest[column], commonest(cluster));
        for class in 0..7 {
            let share = got.shares[class as usize * order.len() + column];
            let expected = count(class, cluster) as f64 / rows as f64;
            assert!((share - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn the_largest_are_shown_of_many_clusters_and_none_of_many_classes() {
    // Cluster c has two rows up to 1,000, then one.
    let labels: Vec<i64> = (0..1500).chain(0..1000).collect();
    let bank = bank(&labels, 1500);
    let classes = Tensor::from_slice(&labels).remainder(3);
    let names = names(101);
    let few = Truth {
        labels: &classes,
        names: &names[..3],
    };
    let got = table(&bank.view(), &few).unwrap();
    assert_eq!((got.clusters.len(), got.clusters_with_rows), (1200, 1500));
    let large = got.clusters.iter().filter(|&&(_, size)| size == 2).count();
    assert_eq!(large, 1000);
    let picture = draw(&got, &few);
    let image = image::load_from_memory(&picture.png).unwrap();
    assert_eq!(
        (image.width(), image.height()),
        (picture.width, picture.height)
    );
    let many = Truth {
        names: &names,
        ..few
    };
    assert_eq!(table(&bank.view(), &many), None);
}

#[test]
fn a_cell_is_the_darker_the_larger_its_share() {
    // Cluster 0 is all of class 0; cluster 1 is half of class 1, half of class 2.
    let bank = bank(&[0, 0, 0, 1, 1], 2);
    let labels = Tensor::from_slice(&[0_i64, 0, 0, 1, 2]);
    let names = names(3);
    let truth = Truth {
        labels: &labels,
        names: &names,
    };
    let picture = draw(&table(&bank.view(), &truth).unwrap(), &truth);
    let image = image::load_from_memory(&picture.png).unwrap().to_rgb8();
    let Layout { cell, corner, .. } = Layout::of(3, 2);
    let colour = |class: u32, column: u32| {
        let x = corner.0 + column * cell.0 + cell.0 / 2;
        image.get_pixel(x, corner.1 + class * cell.1 + cell.1 / 2).0
    };
    for (class, shares) in (0..).zip([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]) {
        assert_eq!([colour(class, 0), colour(class, 1)], shares.map(shade));
    }
    assert_eq!([shade(0.0), shade(1.0)], [[255; 3], [8, 40, 100]]);
    let darkness = |share: f64| {
        shade(share)
            .iter()
            .map(|&c| 255 - u32::from(c))
            .sum::<u32>()
    };
    assert!((0..10).all(|tenth| {
        darkness(f64::from(tenth) / 10.0) < darkness(f64::from(tenth + 1) / 10.0)
    }));
}
