//! Small clusters dissolved and the largest split, by the shipped `labels/online.rhai`.

use sandbox::bank::Bank;
use sandbox::slots::Slot;
use sandbox::slots::labels;
use serde_json::json;
use tch::{Device, Tensor};

use super::{Case, now, script};

pub(crate) fn check(case: &Case) {
    let (features, centroids) = (case.tensor("bank"), case.tensor("centroids"));
    let (n, d) = features.size2().unwrap();
    let mut bank = Bank::new(n, d, centroids.size()[0], 1.0, Device::Cpu);
    bank.fill(features, case.tensor("labels"), centroids)
        .unwrap();
    let min = json!(case.number("min_cluster") as i64);
    let mut online = script(Slot::Labels, "labels/online.rhai", &[("min_cluster", min)]);
    // Step 0 is none in which centroids are recomputed.
    let upkeep = labels::after_step(&mut online, &bank, now(0)).unwrap();
    let (labels, centroids) = (upkeep.labels.unwrap(), upkeep.centroids.unwrap());

    // Which half takes the freed name is free: match each class with the one that holds the same images.
    let expected = case.tensor("new_labels");
    let classes = centroids.size()[0];
    let names: Vec<i64> = (0..classes)
        .map(|class| {
            let mine = labels.eq(class);
            let name = expected.masked_select(&mine).int64_value(&[0]);
            assert!(
                mine.equal(&expected.eq(name)),
                "{}: class {class} holds other images",
                case.file
            );
            name
        })
        .collect();
    let order = Tensor::from_slice(&names);
    case.close(
        "new_centroids",
        &centroids,
        &case.tensor("new_centroids").index_select(0, &order),
    );
}
