//! Numbers to classes, by edges.

use super::Error;

/// The edges of the task "sentence length": distinct words of an image.
pub const SENTENCE_LENGTH: [f64; 5] = [3.0, 12.6, 22.2, 31.8, 41.4];

/// The edges of the task "character bin": pixels of a superpixel's picture of 224 times 224 that it fills.
pub const CHARACTERS: [f64; 7] = [2194.0, 10191.0, 18188.0, 26185.0, 34182.0, 42179.0, 50176.0];

/// The class of each value: how many of the ascending `edges` it reaches, less one; so -1 below all of them, and the last
/// class has no upper end.
///
/// # Errors
/// Edges that do not ascend, or a value that is no finite number.
pub fn bins(values: &[f64], edges: &[f64]) -> Result<Vec<i64>, Error> {
    if !edges.is_sorted_by(|a, b| a < b) || edges.iter().any(|edge| !edge.is_finite()) {
        return Err(Error::Value {
            name: "edges",
            expected: "finite numbers, each larger than the one before".to_owned(),
            found: format!("{edges:?}"),
        });
    }
    let of = |&value: &f64| match value.is_finite() {
        true => Ok(edges.partition_point(|edge| *edge <= value) as i64 - 1),
        false => Err(Error::Value {
            name: "value",
            expected: "a finite number".to_owned(),
            found: value.to_string(),
        }),
    };
    values.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_last_bin_whose_edge_it_reaches() {
        let values: Vec<f64> = (0..120).map(|value| f64::from(value) * 0.5).collect();
        for (value, bin) in values.iter().zip(bins(&values, &SENTENCE_LENGTH).unwrap()) {
            let reached = SENTENCE_LENGTH.iter().filter(|edge| *edge <= value).count();
            assert_eq!(bin, reached as i64 - 1, "{value}");
        }
        assert_eq!(bins(&[50175.0, 50176.0], &CHARACTERS).unwrap(), [5, 6]);
        assert_eq!(bins(&[4.0], &[]).unwrap(), [-1]);
        assert!(bins(&[], &CHARACTERS).unwrap().is_empty());
    }

    #[test]
    fn edges_out_of_order_and_values_that_are_no_numbers_are_refused() {
        for edges in [
            &[2.0, 1.0][..],
            &[1.0, 1.0],
            &[1.0, f64::NAN],
            &[f64::INFINITY],
        ] {
            let error = bins(&[1.0], edges).unwrap_err().to_string();
            assert!(error.contains("'edges'"), "{error}");
        }
        let error = bins(&[1.0, f64::NAN], &[0.0]).unwrap_err().to_string();
        assert_eq!(error, "probing: 'value' is NaN, expected a finite number");
    }
}
