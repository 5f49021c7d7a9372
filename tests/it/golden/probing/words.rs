//! Visual words.

use sandbox::eval::probing::{ConceptRule, concepts, nearest, sentences};
use tch::{Kind, Tensor};

use super::super::Case;
use super::{integers, numbers};

/// The clusters that are concepts, their members and radii.
pub(crate) fn check_concepts(case: &Case) {
    let rule = ConceptRule {
        min_members: case.number("min_imgs") as usize,
        max_members: case.number("max_imgs") as usize,
        images: case.number("discovery_images") as usize,
    };
    let [assignment, image] = ["assignment", "image"].map(|name| integers(case.tensor(name)));
    let cost = numbers(case.tensor("cost"));
    let clusters = case.number("clusters") as usize;
    let found = concepts(&assignment, &cost, &image, clusters, &rule).unwrap();
    let kept: Vec<i64> = found.iter().map(|concept| concept.cluster as i64).collect();
    assert_eq!(kept, integers(case.tensor("kept")), "'kept'");
    let filled = |members: &[usize]| -> Vec<i64> {
        let own = members.iter().map(|member| *member as i64);
        own.chain(std::iter::repeat(-1))
            .take(rule.max_members)
            .collect()
    };
    let members: Vec<i64> = found
        .iter()
        .flat_map(|concept| filled(&concept.members))
        .collect();
    assert_eq!(members, integers(case.tensor("members")), "'members'");
    let radius: Vec<f64> = found.iter().map(|concept| concept.radius).collect();
    case.within(
        1e-9,
        "radius",
        &Tensor::from_slice(&radius),
        case.tensor("radius"),
    );
}

/// The nearest words, which of them an image has, and how many.
pub(crate) fn check_sentences(case: &Case) {
    let centres = case.tensor("centres");
    let words = nearest(case.tensor("descriptors"), centres).unwrap();
    assert_eq!(
        integers(&words),
        integers(case.tensor("nearest")),
        "'nearest'"
    );
    let offsets = integers(case.tensor("offsets"));
    let own = (0..).zip(offsets.windows(2));
    let images: Vec<i64> = own
        .flat_map(|(image, ends)| vec![image; (ends[1] - ends[0]) as usize])
        .collect();
    let shape = [offsets.len() as i64 - 1, centres.size()[0]];
    let has = sentences(&words, &Tensor::from_slice(&images), shape)
        .unwrap()
        .gt(0);
    assert_eq!(integers(&has), integers(case.tensor("labels")), "'labels'");
    let lengths = has.sum_dim_intlist([1i64].as_slice(), false, Kind::Int64);
    let expected = integers(case.tensor("sentence_length"));
    assert_eq!(integers(&lengths), expected, "'sentence_length'");
}
