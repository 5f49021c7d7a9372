//! What the bank takes in, keeps and refuses.

use super::*;

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// A filled bank of 12 images, 4 features and 3 clusters.
fn filled(momentum: f64) -> Bank {
    let mut bank = Bank::new(12, 4, 3, momentum, Device::Cpu);
    let labels = Tensor::arange(12, (Kind::Int64, Device::Cpu)).remainder(3);
    bank.fill(
        &Tensor::randn([12, 4], FLOAT),
        &labels,
        &Tensor::randn([3, 4], FLOAT),
    )
    .unwrap();
    bank
}

fn vectors(tensor: &Tensor) -> Vec<Vec<f32>> {
    Vec::try_from(tensor).unwrap()
}

fn normalised(row: &[f32]) -> Vec<f32> {
    let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    row.iter().map(|x| x / norm).collect()
}

#[test]
fn admit_equals_plain_loops() {
    for momentum in [0.0, 0.3, 1.0] {
        let mut bank = filled(momentum);
        let mut expected = vectors(bank.features());
        let keys = Tensor::randn([3, 4], FLOAT) * 5.0;
        let index = [7, 0, 4];
        for (&row, key) in index.iter().zip(vectors(&keys)) {
            let m = momentum as f32;
            let mixed: Vec<f32> = expected[row]
                .iter()
                .zip(normalised(&key))
                .map(|(old, new)| (1.0 - m) * old + m * new)
                .collect();
            expected[row] = normalised(&mixed);
        }
        let rows = Tensor::from_slice(&index.map(|row| row as i64));
        let old_labels = bank.labels().index_select(0, &rows);
        let labels = Tensor::from_slice(&[0_i64, 0, 0]);
        let expected_ratio = old_labels.ne(0).mean(Kind::Float);
        let ratio = bank.admit(&rows, &keys, Some(&labels));
        assert_eq!(ratio.double_value(&[]), expected_ratio.double_value(&[]));
        for (got, expected) in vectors(bank.features()).iter().zip(&expected) {
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{got} {expected}");
            }
        }
        assert_eq!(bank.labels().int64_value(&[7]), 0);
        assert_eq!(bank.labels().int64_value(&[8]), 2);
        bank.check().unwrap();
    }
}

#[test]
fn a_key_without_direction_leaves_its_row() {
    let mut bank = filled(1.0);
    let before = bank.features().copy();
    let keys = Tensor::from_slice(&[f32::NAN, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]).view([2, 4]);
    let ratio = bank.admit(&Tensor::from_slice(&[3_i64, 5]), &keys, None);
    assert_eq!(ratio.double_value(&[]), 0.0);
    assert!(bank.features().equal(&before));
}

#[test]
fn the_age_of_a_row_counts_from_its_last_write() {
    let mut bank = Bank::new(4, 2, 1, 1.0, Device::Cpu);
    bank.begin_step(5);
    let rows = Tensor::randn([4, 2], FLOAT);
    let labels = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
    bank.fill(&rows, &labels, &Tensor::randn([1, 2], FLOAT))
        .unwrap();
    for (step, row) in [(7, 1_i64), (9, 3)] {
        bank.begin_step(step);
        let _ = bank.admit(
            &Tensor::from_slice(&[row]),
            &Tensor::randn([1, 2], FLOAT),
            None,
        );
    }
    // A key without direction writes nothing.
    let _ = bank.admit(
        &Tensor::from_slice(&[2_i64]),
        &Tensor::zeros([1, 2], FLOAT),
        None,
    );
    let ages = |bank: &Bank| Vec::<i64>::try_from(bank.ages(10)).unwrap();
    assert_eq!(ages(&bank), [5, 3, 5, 1]);

    let mut other = Bank::new(4, 2, 1, 1.0, Device::Cpu);
    let mut state = bank.state();
    other.load(&state).unwrap();
    assert_eq!(ages(&other), [5, 3, 5, 1]);
    state.remove("written");
    other.load(&state).unwrap();
    assert_eq!(ages(&other), [0; 4]);
    state.insert("written".to_owned(), Tensor::zeros([3], FLOAT));
    assert_eq!(
        other.load(&state).unwrap_err().to_string(),
        "'written' has shape [3], expected [4]"
    );
}

#[test]
fn a_view_shows_later_writes() {
    let mut bank = filled(1.0);
    let handle = bank.view().features.shallow_clone();
    let key = Tensor::from_slice(&[0_f32, 0.0, 0.0, 2.0]).view([1, 4]);
    let _ = bank.admit(&Tensor::from_slice(&[2_i64]), &key, None);
    assert_eq!(handle.double_value(&[2, 3]), 1.0);
}

#[test]
fn a_refusal_names_expected_and_got_and_changes_nothing() {
    let mut bank = filled(1.0);
    let (labels, centroids) = (bank.labels().copy(), bank.centroids().copy());
    let long = (Kind::Int64, Device::Cpu);
    let texts = [
        bank.set_labels(&Tensor::zeros([11], long)),
        bank.set_labels(&Tensor::zeros([12], FLOAT)),
        bank.set_labels(&(Tensor::arange(12, long) - 5)),
        bank.set_labels(&Tensor::arange(12, long)),
        bank.set_centroids(&Tensor::zeros([3, 5], FLOAT)),
        bank.set_centroids(&(Tensor::zeros([3, 4], FLOAT) / 0.0)),
    ]
    .map(|result| result.unwrap_err().to_string());
    insta::assert_snapshot!(texts.join("\n"), @r"
    'labels' has shape [11], expected [12]
    'labels' holds Float, expected Int64
    'labels[0]' is -5, expected 0..3
    'labels[3]' is 3, expected 0..3
    'centroids' has shape [3, 5], expected [3, 4]
    'centroids' holds 12 values that are not finite, expected none
    ");
    assert!(bank.labels().equal(&labels) && bank.centroids().equal(&centroids));
}

#[test]
fn a_state_comes_back_bit_for_bit_and_a_wrong_one_is_refused() {
    let mut bank = filled(0.5);
    let _ = bank.admit(
        &Tensor::from_slice(&[3_i64]),
        &Tensor::randn([1, 4], FLOAT),
        None,
    );
    let mut other = Bank::new(12, 4, 3, 0.5, Device::Cpu);
    assert!(other.check().is_err());
    other.load(&bank.state()).unwrap();
    assert!(other.features().equal(bank.features()));
    assert!(other.labels().equal(bank.labels()));
    assert!(other.centroids().equal(bank.centroids()));

    let mut state = bank.state();
    let halved = bank.features() * Tensor::from_slice(&[1.0_f32, 0.5].repeat(6)).unsqueeze(1);
    state.insert("features".to_owned(), halved);
    assert_eq!(
        other.load(&state).unwrap_err().to_string(),
        "'features[1]' has norm 0.500000, expected 1 within 0.001"
    );
    state.remove("labels");
    assert_eq!(
        other.load(&state).unwrap_err().to_string(),
        r#"the state lacks 'labels', it holds ["centroids", "features", "written"]"#
    );
}
