//! The bank against the reference: a batch taken in, then the centroids of labels of which one class is empty.

use std::collections::BTreeMap;

use sandbox::bank::{Bank, segment_mean};
use tch::Device;

/// Compares the features, the labels, the change ratio and the centroids.
pub(crate) fn check(case: &super::Case) {
    let centroids = case.tensor("centroids");
    let (features, clusters) = (case.tensor("bank"), centroids.size()[0]);
    let [n, dim] = features.size()[..] else {
        panic!("{}: 'bank' is no matrix", case.file);
    };
    let mut bank = Bank::new(n, dim, clusters, case.number("momentum"), Device::Cpu);
    let state = BTreeMap::from([
        ("features".to_owned(), features.shallow_clone()),
        ("labels".to_owned(), case.tensor("labels").shallow_clone()),
        ("centroids".to_owned(), centroids.shallow_clone()),
    ]);
    bank.load(&state).expect("the reference's bank is one");

    let (index, keys) = (case.tensor("index"), case.tensor("keys"));
    let labels = bank
        .blend(index, keys)
        .matmul(&centroids.tr())
        .argmax(1, false);
    let change_ratio = bank.admit(index, keys, Some(&labels));
    case.close("new_bank", bank.features(), case.tensor("new_bank"));
    case.close("new_labels", bank.labels(), case.tensor("new_labels"));
    case.close("change_ratio", &change_ratio, case.tensor("change_ratio"));

    let means = segment_mean(
        bank.features(),
        case.tensor("labels_with_empty_class"),
        clusters,
        Some(bank.centroids()),
    );
    case.close("new_centroids", &means, case.tensor("new_centroids"));
}
