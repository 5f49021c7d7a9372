//! Some of many images that lie evenly among them.

/// Up to `most` of `0..len`, evenly spread, from the first on.
pub fn spread(len: usize, most: usize) -> Vec<i64> {
    let count = len.min(most);
    (0..count).map(|at| (at * len / count) as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spread_begins_at_the_first_and_has_no_double() {
        assert_eq!(spread(3, 8), [0, 1, 2]);
        assert_eq!(spread(16, 4), [0, 4, 8, 12]);
        assert_eq!(spread(10, 4), [0, 2, 5, 7]);
        assert!(spread(0, 4).is_empty());
    }
}
