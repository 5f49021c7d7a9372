//! How many rows of each true class a few clusters have.

use tch::{Kind, Tensor};

use super::Truth;

/// Rows of each class in each of the `chosen` M clusters, which are distinct: `[classes, M]` i64 on the device of `labels [N]`,
/// whose numbers are in `0..clusters`.
///
/// No table of all classes and clusters: with as many clusters as images it would be N times as large.
pub(super) fn classes_in(
    truth: &Truth<'_>,
    labels: &Tensor,
    clusters: i64,
    chosen: &[i64],
) -> Tensor {
    let device = labels.device();
    let (columns, classes) = (chosen.len() as i64, truth.names.len() as i64);
    // Where each cluster stands among the chosen; the others share a column that is cut off.
    let place = Tensor::full([clusters], columns, (Kind::Int64, device)).index_copy(
        0,
        &Tensor::from_slice(chosen).to_device(device),
        &Tensor::arange(columns, (Kind::Int64, device)),
    );
    let cells = truth.labels * (columns + 1) + place.index_select(0, labels);
    cells
        .bincount(None::<Tensor>, classes * (columns + 1))
        .view([classes, columns + 1])
        .narrow(1, 0, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_a_loop() {
        let truth: Vec<i64> = (0..300).map(|i| i * i % 7 % 4).collect();
        let labels: Vec<i64> = (0..300).map(|i| i * 13 % 17 % 9).collect();
        let names: Vec<String> = (0..5).map(|class| format!("class {class}")).collect();
        let chosen = [8, 0, 3];
        let seen = Truth {
            labels: &Tensor::from_slice(&truth),
            names: &names,
        };
        let got = classes_in(&seen, &Tensor::from_slice(&labels), 9, &chosen);
        assert_eq!(got.size(), [5, 3]);
        for class in 0..5 {
            for (column, &cluster) in (0..).zip(&chosen) {
                let pairs = truth.iter().zip(&labels);
                let expected = pairs.filter(|&(&t, &l)| t == class && l == cluster).count();
                assert_eq!(got.int64_value(&[class, column]), expected as i64);
            }
        }
    }
}
