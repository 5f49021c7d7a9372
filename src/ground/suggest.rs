//! "Did you mean": the known name nearest to one that is unknown.

/// So much of a name is enough to know it by.
const ENOUGH: usize = 3;

/// The name of `known` that is nearest to `name`, if one is near enough to be meant, or begins so.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let begins = |candidate: &str| name.len() >= ENOUGH && candidate.starts_with(name);
    let distance = |candidate: &str| match begins(candidate) {
        true => 1,
        false => strsim::damerau_levenshtein(name, candidate),
    };
    known
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.len().max(candidate.len()) / 4)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Names that are listed where there are many.
const FEW: usize = 3;

/// The three names nearest to one that is unknown, the nearest first: `a, b, c`; behind them of how many, where there are more.
/// A name that stands in another one, or in the last part of its path, is near to it.
pub fn few<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let last = |path: &'a str| path.rsplit('/').next().unwrap_or(path);
    let far = |candidate: &str| strsim::damerau_levenshtein(name, candidate);
    let mut ranked: Vec<_> = known
        .map(|candidate| {
            let within = !name.is_empty() && candidate.contains(name);
            let distance = far(candidate).min(far(last(candidate)));
            ((!within, distance, candidate.len()), candidate)
        })
        .collect();
    ranked.sort_unstable();
    let count = ranked.len();
    let names: Vec<_> = ranked.into_iter().take(FEW).map(|(_, name)| name).collect();
    match (count, names.join(", ")) {
        (0, _) => "none".to_owned(),
        (1..=FEW, names) => names,
        (count, names) => format!("{names} (the nearest of {count})"),
    }
}

/// The names that there are, and behind them the one that was meant, if any is near enough: `a, b, c; did you mean 'b'?`.
pub fn among<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let names: Vec<_> = known.clone().collect();
    let names = match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    match nearest(name, known) {
        Some(near) => format!("{names}; did you mean '{near}'?"),
        None => names,
    }
}

/// Alternatives in words: `a, b or c`.
pub fn either<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{few, nearest};

    #[test]
    fn of_many_names_the_three_nearest_are_listed() {
        let known = [
            "eval/knn_top1",
            "eval/knn_top5",
            "loss/total",
            "train/lr",
            "samplers/hard.rhai",
        ];
        let few = |name: &str| few(name, known.into_iter());
        assert_eq!(
            few("eval/knn"),
            "eval/knn_top1, eval/knn_top5, train/lr (the nearest of 5)"
        );
        assert!(few("hrad.rhai").starts_with("samplers/hard.rhai, "));
        assert!(few("lr").starts_with("train/lr, "));
        assert!(few("knn").starts_with("eval/knn_top1, eval/knn_top5, "));
        assert_eq!(super::few("x", [].into_iter()), "none");
        assert_eq!(super::few("x", ["b", "a"].into_iter()), "a, b");
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["temperature", "momentum", "lr"];
        assert_eq!(
            nearest("temprature", known.into_iter()),
            Some("temperature")
        );
        assert_eq!(nearest("momentun", known.into_iter()), Some("momentum"));
        assert_eq!(nearest("ir", known.into_iter()), Some("lr"));
        assert_eq!(nearest("mom", known.into_iter()), Some("momentum"));
        assert_eq!(nearest("banana", known.into_iter()), None);
    }
}
