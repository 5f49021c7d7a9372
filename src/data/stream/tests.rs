//! What windows are, whatever is drawn.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PROCESS: Process = Process {
    concentration: 1.0,
    discount: 0.2,
    per_class: 6,
    switch: 0.2,
};

const SPEC: Spec = Spec {
    frames: 60,
    streams: 2,
    contexts: 3,
    classes: 4,
    rotations: true,
    process: Process {
        per_class: 14,
        ..PROCESS
    },
};

/// Ten classes of so many images each.
fn images(each: usize) -> Images {
    let labels: Vec<i64> = (0..10 * each as i64).map(|id| id % 10).collect();
    let classes = (0..10).map(|class: i32| class.to_string()).collect();
    Images::new("made", [1, 2, 2], vec![0; 40 * each], labels, classes)
}

fn made(spec: Spec) -> Stream {
    Stream::new(3, &images(20), spec).unwrap()
}

fn counts(classes: &[i64]) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    for class in classes {
        *counts.entry(*class).or_default() += 1;
    }
    counts
}

proptest! {
    #[test]
    fn a_window_is_a_function_of_seed_and_number(window in 0..1000_u64) {
        let (one, other) = (made(SPEC), made(SPEC));
        let classes = one.classes(window);
        prop_assert_eq!(&classes, &other.classes(window));
        prop_assert_eq!(one.frames(window, &classes), other.frames(window, &classes));
        prop_assert_ne!(one.classes(window + 1), classes);
    }

    #[test]
    fn no_class_comes_more_often_than_it_may(window in 0..200_u64, per_class in 2..20_usize) {
        let spec = Spec { frames: 20, process: Process { per_class, ..PROCESS }, ..SPEC };
        for classes in made(spec).classes(window) {
            prop_assert_eq!(classes.len(), 20);
            prop_assert!(counts(&classes).values().all(|count| *count <= per_class));
        }
    }

    #[test]
    fn frames_are_of_their_classes_and_no_image_comes_twice(window in 0..100_u64) {
        let (stream, images) = (made(SPEC), images(20));
        let labels = images.labels().unwrap();
        let classes = stream.classes(window);
        let frames = stream.frames(window, &classes);
        prop_assert_eq!(frames.classes, classes.concat());
        for ((id, turn), class) in frames.ids.iter().zip(&frames.turns).zip(&classes.concat()) {
            prop_assert_eq!((labels[*id as usize], *turn), (class / 4, class % 4));
        }
        for (ids, classes) in frames.ids.chunks(60).zip(&classes) {
            let mut shown: Vec<_> = ids.iter().zip(classes).collect();
            shown.sort_unstable();
            shown.dedup();
            prop_assert_eq!(shown.len(), 60);
        }
    }
}

#[test]
fn a_turn_belongs_to_one_context_and_classes_to_none_but_one() {
    for rotations in [true, false] {
        let spec = Spec {
            rotations,
            classes: 3,
            ..SPEC
        };
        let spec = Spec { frames: 40, ..spec };
        for window in 0..20 {
            let Contexts(contexts) = made(spec).contexts(window, 0);
            assert_eq!(contexts.len(), 3);
            assert!(contexts.iter().all(|classes| classes.len() == 3));
            let mut all = contexts.concat();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 9);
            if rotations {
                let turns = contexts.iter().map(|classes| {
                    let first = classes[0] % TURNS;
                    assert!(classes.iter().all(|class| class % TURNS == first));
                    first
                });
                let mut turns: Vec<_> = turns.collect();
                turns.sort_unstable();
                turns.dedup();
                assert_eq!(turns.len(), 3);
            }
        }
    }
}

/// With one context the first frames follow the process: after one frame a new class comes with (theta + alpha) / (1 + theta).
#[test]
fn a_new_class_comes_as_often_as_the_process_says() {
    let contexts = Contexts(vec![(0..50).collect()]);
    let process = Process {
        concentration: 1.5,
        discount: 0.3,
        per_class: 50,
        switch: 0.2,
    };
    let (mut second, mut third, mut again) = (0, 0, 0);
    let draws = 20_000;
    for window in 0..draws {
        let mut random = stream(1, Purpose::Stream, window, 0);
        let classes = draw(&process, &contexts, 3, &mut random);
        second += usize::from(classes[1] != classes[0]);
        // Two frames of one class: the third is new with (1.5 + 0.3) / 3.5.
        if classes[0] == classes[1] {
            again += 1;
            third += usize::from(classes[2] != classes[0]);
        }
    }
    let near = |count: usize, of: usize, share: f64| {
        let found = count as f64 / of as f64;
        // Four standard errors.
        let error = 4.0 * (share * (1.0 - share) / of as f64).sqrt();
        assert!((found - share).abs() < error, "{found} {share}");
    };
    near(second, draws as usize, 1.8 / 2.5);
    near(third, again, 1.8 / 3.5);
}

/// A context is left with the probability of the switch, times that of another one being drawn.
#[test]
fn contexts_change_as_often_as_the_chain_says() {
    let contexts = Contexts(vec![(0..500).collect(), (500..1000).collect()]);
    let process = Process {
        per_class: 1000,
        ..PROCESS
    };
    let (mut changes, mut pairs) = (0, 0_u32);
    for window in 0..400 {
        let mut random = stream(2, Purpose::Stream, window, 0);
        // Far fewer than a context may give, so that none is exhausted.
        let classes = draw(&process, &contexts, 40, &mut random);
        for pair in classes[..20].windows(2) {
            changes += u32::from((pair[0] < 500) != (pair[1] < 500));
            pairs += 1;
        }
    }
    let found = f64::from(changes) / f64::from(pairs);
    assert!((found - 0.1).abs() < 0.015, "{found}");
}

#[test]
fn what_makes_no_stream_is_refused() {
    let unlabelled = Images::unlabelled("bare", [1, 2, 2], vec![0; 40]);
    let spec = |frames, per_class| Spec {
        frames,
        process: Process {
            per_class,
            ..PROCESS
        },
        ..SPEC
    };
    let cases = [
        (
            Stream::new(0, &unlabelled, SPEC).unwrap_err(),
            "'bare': expected images with labels to make a stream of, found none with one",
        ),
        (
            Stream::new(0, &images(20), spec(60, 4)).unwrap_err(),
            "data.stream: expected windows of at most 48 frames, which 3 contexts of 4 classes with data.stream.per_class = 4 frames each \
             can fill, found 60",
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(error.to_string(), expected);
    }
    // What just fits is filled.
    let stream = Stream::new(0, &images(20), spec(48, 4)).unwrap();
    for classes in stream.classes(0) {
        assert!(counts(&classes).values().all(|count| *count == 4));
        assert_eq!(classes.len(), 48);
    }
}

/// One class alone is a stream, if a dull one.
#[test]
fn one_class_is_a_stream() {
    let labels = vec![0; 9];
    let one = Images::new("one", [1, 2, 2], vec![0; 36], labels, vec!["a".into()]);
    let spec = Spec {
        frames: 12,
        streams: 1,
        contexts: 5,
        classes: 10,
        rotations: false,
        process: Process {
            per_class: 12,
            ..PROCESS
        },
    };
    let stream = Stream::new(0, &one, spec).unwrap();
    let classes = stream.classes(0);
    assert_eq!(classes, [vec![0; 12]]);
    // More frames than images: each comes once before one comes again.
    let frames = stream.frames(0, &classes);
    let mut first = frames.ids[..9].to_vec();
    first.sort_unstable();
    assert_eq!(first, (0..9).collect::<Vec<_>>());
}
