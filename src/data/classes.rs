//! Which classes there are: the labels of a source become numbers from 0 on, one for each class that an image has.
//!
//! A class without images would take room in every classifier and a share of the labels that a few-label evaluation gives
//! out: lists count from 1, or hold identifiers.

use std::collections::BTreeSet;
use std::path::Path;

use super::Splits;

/// Labels and names shown of many.
const SHOWN: usize = 4;

/// Renumbers the labels of all splits of a source, which share one numbering: classes keep their order, and `name` says what a
/// label of the source is called. The result is the names of the classes. `origin` is for the note where a label changes.
pub(super) fn settle(
    origin: &Path,
    splits: &mut [&mut Vec<i64>],
    name: impl Fn(i64) -> String,
) -> Vec<String> {
    let known: BTreeSet<i64> = splits
        .iter()
        .flat_map(|labels| labels.iter().copied())
        .collect();
    let known: Vec<i64> = known.into_iter().collect();
    if known.iter().zip(0..).any(|(&label, class)| label != class) {
        tracing::warn!("'{}': {}", origin.display(), renumbered(&known));
        for label in splits.iter_mut().flat_map(|labels| labels.iter_mut()) {
            let class = known.binary_search(label);
            *label = class.expect("the label is among those that were gathered") as i64;
        }
    }
    known.into_iter().map(name).collect()
}

/// What becomes of labels.
fn renumbered(known: &[i64]) -> String {
    let shown: Vec<_> = known.iter().take(SHOWN).map(i64::to_string).collect();
    let more = match known.len() > SHOWN {
        true => format!(", and {} more", known.len() - SHOWN),
        false => String::new(),
    };
    format!(
        "its images have {} labels ({}{more}), which become classes from 0 on and keep their names",
        known.len(),
        shown.join(", ")
    )
}

/// What is odd about the classes of splits, though they can be used: numbers that they lead to mean little.
pub(super) fn oddities(splits: &Splits) -> Vec<String> {
    let (memory, eval) = (&splits.memory, &splits.eval);
    let (Some(known), Some(asked)) = (memory.labels(), eval.labels()) else {
        return vec![];
    };
    let classes: BTreeSet<i64> = known.iter().copied().collect();
    let name = |class: &i64| format!("'{}'", memory.classes()[*class as usize]);
    let mut odd = vec![];
    if let (Some(only), 1) = (classes.first(), classes.len()) {
        odd.push(format!(
            "'{}': all {} images are of one class, {}: every accuracy is 100 % by construction; a folder or label for each \
             class is needed to judge by",
            memory.name(),
            memory.len(),
            name(only)
        ));
    }
    let strange: Vec<_> = asked
        .iter()
        .filter(|label| !classes.contains(label))
        .collect();
    if let Some(first) = strange.first() {
        odd.push(format!(
            "'{}': {} of {} images are of classes that no image of '{}' has, as {}: no answer about them can be right",
            eval.name(),
            strange.len(),
            eval.len(),
            memory.name(),
            name(first)
        ));
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    #[test]
    fn labels_that_exist_become_numbers_from_0_and_keep_their_names() {
        let (mut train, mut eval) = (vec![734_512, 9, 500_001], vec![500_001, 500_001]);
        let names = settle(Path::new("ids"), &mut [&mut train, &mut eval], |label| {
            format!("n{label}")
        });
        assert_eq!(names, ["n9", "n500001", "n734512"]);
        assert_eq!((train, eval), (vec![2, 0, 1], vec![1, 1]));
    }

    #[test]
    fn a_note_shows_a_few_labels() {
        let text = renumbered(&[1, 2, 3, 5, 8, 13]);
        let expected = "its images have 6 labels (1, 2, 3, 5, and 2 more), ";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn one_class_and_classes_without_neighbours_are_odd() {
        let of = |known: &[i64], asked: &[i64]| {
            let images = |name: &str, labels: &[i64]| {
                let classes = ["a", "b"].map(String::from).to_vec();
                let pixels = vec![0; labels.len()];
                Images::new(name, [1, 1, 1], pixels, labels.to_vec(), classes)
            };
            oddities(&Splits::new(images("train", known), images("val", asked)))
        };
        assert!(of(&[0, 1], &[1, 0]).is_empty());
        let one = of(&[1, 1], &[1]);
        assert!(
            one[0].starts_with(
                "'train': all 2 images are of one class, 'b': every accuracy is 100 %"
            ),
            "{one:?}"
        );
        assert_eq!(
            of(&[0, 1, 0], &[1]).len() + one.len(),
            1,
            "one class to evaluate on says something all the same"
        );
        let strange = of(&[0, 0], &[0, 1, 1]);
        assert_eq!(
            strange[1],
            "'val': 2 of 3 images are of classes that no image of 'train' has, as 'b': no answer about them can be right"
        );
    }
}
