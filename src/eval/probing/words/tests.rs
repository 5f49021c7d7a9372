use tch::Device;

use super::*;

const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Numbers without pattern, in 0..1.
fn noise(count: i64, phase: f64) -> Tensor {
    let numbers = Tensor::arange(count, (Kind::Double, Device::Cpu));
    let noise = (numbers * 12.9898 + phase).sin() * 43758.5453;
    &noise - noise.floor()
}

#[test]
fn a_concept_recurs_over_images() {
    // Members, images of theirs, all images, and whether it is one; the limits themselves are not enough.
    let rows = [
        (10, 6, 1000, true),
        (10, 5, 1000, false),
        (20, 6, 20, true),
        (20, 6, 24, false),
        (20, 5, 10, false),
        (100, 11, 20, true),
        (100, 11, 22, false),
        (100, 10, 10, false),
        (41, 41, 41, true),
    ];
    for (members, own, all, expected) in rows {
        assert_eq!(
            is_common(members, own, all),
            expected,
            "{members} {own} {all}"
        );
    }
}

#[test]
fn concepts_are_large_clusters_with_their_nearest_members() {
    // Cluster 0 has 3 members, cluster 1 has 2, cluster 2 none, cluster 3 has 4 of one image.
    let assignment = [0, 1, 3, 0, 3, 3, 1, 0, 3];
    let cost = [0.5, 0.1, 0.0, 0.1, 0.0, 0.0, 0.2, 0.3, 0.0];
    let image = [0, 1, 5, 2, 5, 5, 3, 4, 5];
    let rule = ConceptRule {
        min_members: 2,
        max_members: 2,
        images: 100,
    };
    let found = concepts(&assignment, &cost, &image, 4, &rule).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].cluster, &found[0].members[..]), (0, &[3, 7][..]));
    // Of 0.1, 0.3, 0.5 nine tenths of the way from the second to the third.
    assert!((found[0].radius - 0.48).abs() < 1e-12, "{found:?}");
    let fewer = ConceptRule {
        min_members: 1,
        ..rule
    };
    let found = concepts(&assignment, &cost, &image, 4, &fewer).unwrap();
    assert_eq!(found.iter().map(|c| c.cluster).collect::<Vec<_>>(), [0, 1]);
    assert!(concepts(&[], &[], &[], 4, &rule).unwrap().is_empty());
    let error = concepts(&[4], &[0.0], &[0], 4, &rule)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "probing: 'cluster' is 4, expected 0..4");
    let error = concepts(&[-1], &[0.0], &[0], 4, &rule)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "probing: 'cluster' is -1, expected 0..4");
    let error = concepts(&[0], &[f64::NAN], &[0], 4, &rule)
        .unwrap_err()
        .to_string();
    assert!(error.contains("'cost' is NaN"), "{error}");
    let error = concepts(&[0], &[0.0], &[0, 0], 4, &rule)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'image' has shape [2], expected [1]"),
        "{error}"
    );
}

#[test]
fn percentiles_lie_between_numbers() {
    assert_eq!(percentile(&[4.0], 0.95), 4.0);
    let hundred: Vec<f64> = (0..101).map(f64::from).collect();
    assert!((percentile(&hundred, 0.95) - 95.0).abs() < 1e-9);
    assert!((percentile(&[0.0, 10.0], 0.95) - 9.5).abs() < 1e-12);
}

#[test]
fn frequent_clusters_come_first() {
    let assignment = [2, 0, 2, 5, 5, 3];
    assert_eq!(most_frequent(&assignment, 6, 10).unwrap(), [2, 5, 0, 3]);
    assert_eq!(most_frequent(&assignment, 6, 3).unwrap(), [2, 5, 0]);
    assert!(most_frequent(&[], 6, 3).unwrap().is_empty());
    assert!(most_frequent(&[6], 6, 3).is_err());
}

#[test]
fn the_nearest_word_is_the_first_of_the_least_distance() {
    let centres = (noise(12 * 5, 0.3).view([12, 5]) * 4.0 + 1000.0).to_kind(Kind::Float);
    let descriptors = (noise(200 * 5, 0.9).view([200, 5]) * 4.0 + 1000.0).to_kind(Kind::Float);
    let got = Vec::<i64>::try_from(nearest(&descriptors, &centres).unwrap()).unwrap();
    let (rows, words): (Vec<Vec<f32>>, Vec<Vec<f32>>) = (
        Vec::try_from(&descriptors).unwrap(),
        Vec::try_from(&centres).unwrap(),
    );
    for (row, got) in rows.iter().zip(got) {
        let distance = |word: &Vec<f32>| -> f64 {
            let squares = row.iter().zip(word).map(|(a, b)| f64::from(a - b).powi(2));
            squares.sum()
        };
        let best = words
            .iter()
            .map(distance)
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(&b.1));
        assert_eq!(got as usize, best.unwrap().0);
    }
    let twice = Tensor::cat(&[&centres, &centres], 0);
    let got = nearest(&centres, &twice).unwrap();
    assert_eq!(got, Tensor::arange(12, (Kind::Int64, Device::Cpu)));
    assert_eq!(
        nearest(&descriptors.narrow(0, 0, 0), &centres)
            .unwrap()
            .size(),
        [0]
    );
    let error = nearest(&descriptors, &centres.narrow(1, 0, 4))
        .unwrap_err()
        .to_string();
    assert!(error.contains("[12, 4], expected [W, 5]"), "{error}");
    let error = nearest(&descriptors, &centres.narrow(0, 0, 0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("W at least 1"), "{error}");
    let error = nearest(&descriptors.view([-1]), &centres)
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected [N, F]"), "{error}");
}

#[test]
fn sentences_count_the_words_of_each_image() {
    let words = [3i64, 0, 3, 3, 1, 2, 3];
    let images = [0i64, 0, 0, 2, 2, 2, 2];
    let got = sentences(
        &Tensor::from_slice(&words),
        &Tensor::from_slice(&images),
        [4, 5],
    )
    .unwrap();
    for image in 0..4i64 {
        for word in 0..5i64 {
            let pairs = words.iter().zip(images);
            let times = pairs
                .filter(|pair| (*pair.0, pair.1) == (word, image))
                .count();
            assert_eq!(got.int64_value(&[image, word]), times as i64);
        }
    }
    let none = Tensor::zeros([0], (Kind::Int64, Device::Cpu));
    let got = sentences(&none, &none, [2, 3]).unwrap();
    assert_eq!(
        (got.size(), got.sum(Kind::Int64).int64_value(&[])),
        (vec![2, 3], 0)
    );
    let [one, two] = [1i64, 2].map(|value| Tensor::from_slice(&[value]));
    let refused =
        |words: &Tensor, images: &Tensor| sentences(words, images, [2, 2]).unwrap_err().to_string();
    assert!(refused(&two, &one).contains("'word' is 2 to 2, expected 0..2"));
    assert!(refused(&one, &-&two).contains("'image' is -2 to -2, expected 0..2"));
    assert!(refused(&one, &none).contains("'images' has shape [0]"));
}

/// Four clouds of 30, 20, 6 and 4 superpixels around the corners of a square.
fn clouds() -> (Tensor, Vec<i64>) {
    let sizes = [30, 20, 6, 4];
    let corners = [[0.0f32, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]];
    let each = sizes
        .iter()
        .zip(corners)
        .flat_map(|(&size, corner)| vec![corner; size]);
    let flat: Vec<f32> = each.collect::<Vec<_>>().as_flattened().to_vec();
    let near = noise(120, 0.2).to_kind(Kind::Float).view([60, 2]);
    let images = (0..60).map(|superpixel| superpixel % 20).collect();
    (Tensor::from_slice(&flat).view([60, 2]) + near, images)
}

#[test]
fn a_vocabulary_has_the_centres_of_the_largest_clusters() {
    let (descriptors, images) = clouds();
    let vocabulary = Vocabulary {
        clusters: 4,
        iterations: 50,
        restarts: 5,
        rule: None,
        words: 3,
    };
    let found = vocabulary.find(&descriptors, &images, 3, 0).unwrap();
    let mean = |from, length| {
        descriptors
            .narrow(0, from, length)
            .mean_dim([0i64].as_slice(), false, Kind::Float)
    };
    let expected = Tensor::stack(&[mean(0, 30), mean(30, 20), mean(50, 6)], 0);
    assert!(found.allclose(&expected, 1e-5, 1e-5, false), "{found:?}");
    assert_eq!(found, vocabulary.find(&descriptors, &images, 3, 0).unwrap());
    // Only the first two are more than 10 superpixels.
    let rule = ConceptRule {
        min_members: 10,
        max_members: 10,
        images: 20,
    };
    let strict = Vocabulary {
        rule: Some(rule),
        ..vocabulary
    };
    let found = strict.find(&descriptors, &images, 3, 0).unwrap();
    assert!(found.allclose(&expected.narrow(0, 0, 2), 1e-5, 1e-5, false));
    // Superpixels of a single image are no concept.
    let error = strict
        .find(&descriptors, &[0; 60], 3, 0)
        .unwrap_err()
        .to_string();
    assert!(error.contains("0 of 4 clusters"), "{error}");
    let many = Vocabulary {
        clusters: 100,
        words: 100,
        ..vocabulary
    };
    assert_eq!(many.find(&descriptors, &images, 3, 0).unwrap().size()[1], 2);
    let error = vocabulary
        .find(&Tensor::zeros([0, 2], F32), &[], 3, 0)
        .unwrap_err();
    assert!(error.to_string().contains("no words were found"), "{error}");
    let error = vocabulary.find(&descriptors, &[0; 59], 3, 0).unwrap_err();
    assert!(error.to_string().contains("[59], expected [60]"), "{error}");
}
