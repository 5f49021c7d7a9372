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
    use super::nearest;

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
