use super::*;

/// An image without pattern, but with two halves of other colours.
fn image(height: usize, width: usize) -> Rgb {
    let noise = |at: usize| ((at as f64 * 12.9898).sin() * 43758.5453).rem_euclid(90.0) as u8;
    let pixels = (0..height * width).map(|at| match at % width * 2 < width {
        true => [noise(at), 40 + noise(at + 1), 160],
        false => [120 + noise(at), 200, noise(at + 7)],
    });
    Rgb::new(height, width, pixels.collect()).unwrap()
}

/// k-means as its definition has it: each pixel looks at all centres whose window it is in.
fn slow(
    pixels: &cluster::Pixels,
    start: &[[f32; 2]],
    steps: [usize; 2],
    weight: f64,
    rounds: usize,
) -> Vec<u32> {
    let (width, total) = (pixels.width, pixels.height * pixels.width);
    let value = |at: usize| {
        let colour = pixels.colours.each_ref().map(|plane| f64::from(plane[at]));
        [
            (at / width) as f64,
            (at % width) as f64,
            colour[0],
            colour[1],
            colour[2],
        ]
    };
    let mut centres: Vec<[f64; 5]> = start
        .iter()
        .map(|[y, x]| [f64::from(*y), f64::from(*x), 0.0, 0.0, 0.0])
        .collect();
    let mut nearest = vec![0; total];
    for _ in 0..rounds {
        for (at, nearest) in nearest.iter_mut().enumerate() {
            let own = value(at);
            let sees = |centre: &[f64; 5]| {
                (0..2).all(|axis| {
                    let reach = 2.0 * steps[axis] as f64;
                    let from = (centre[axis] - reach).max(0.0).floor();
                    own[axis] >= from && own[axis] < (centre[axis] + reach + 1.0).floor()
                })
            };
            let far = |centre: &[f64; 5]| -> f64 {
                let square = |axis: usize| (own[axis] - centre[axis]).powi(2);
                (square(0) + square(1)) * weight + square(2) + square(3) + square(4)
            };
            let seen = (1..).zip(&centres).filter(|(_, centre)| sees(centre));
            let best = seen.min_by(|a, b| far(a.1).total_cmp(&far(b.1)));
            *nearest = best.map_or(*nearest, |(number, _)| number);
        }
        for (number, centre) in (1..).zip(&mut centres) {
            let own: Vec<[f64; 5]> = (0..total)
                .filter(|&at| nearest[at] == number)
                .map(value)
                .collect();
            for (axis, mean) in centre.iter_mut().enumerate() {
                *mean = own.iter().map(|value| value[axis]).sum::<f64>() / own.len() as f64;
            }
        }
    }
    nearest
}

#[test]
fn windows_find_what_looking_at_all_centres_finds() {
    for (height, width, points, compactness) in
        [(24, 30, 9, 20.0), (17, 40, 14, 5.0), (12, 12, 1, 20.0)]
    {
        let mut colours = lab::planes(image(height, width).pixels());
        for colour in colours.iter_mut().flatten() {
            *colour /= compactness;
        }
        let grid = grid::Grid::new(height, width, points);
        let pixels = cluster::Pixels {
            height,
            width,
            colours: &colours,
        };
        let weight = 1.0 / (grid.steps[0] * grid.steps[0]) as f32;
        for rounds in [1, 2, 10] {
            let got = pixels.segments(&grid.centres(), grid.steps, weight, rounds);
            let expected = slow(
                &pixels,
                &grid.centres(),
                grid.steps,
                f64::from(weight),
                rounds,
            );
            let same = got.iter().zip(&expected).filter(|(a, b)| a == b).count();
            // What lies half way between two centres may fall to either.
            assert!(same * 100 >= got.len() * 99, "{same} of {}", got.len());
        }
    }
}

#[test]
fn segments_follow_the_colours_and_are_numbered_from_one() {
    let found = Slic::of(8).segments(&image(40, 60)).unwrap();
    let labels = found.labels();
    let last = found.last();
    assert!((4..=12).contains(&last), "{last}");
    assert!((1..=last).all(|label| labels.contains(&label)));
    assert!(!labels.contains(&0));
    // No segment lies across the edge between the colours by more than smoothing moves it.
    for label in 1..=last {
        let columns = labels.iter().enumerate().filter(|(_, own)| **own == label);
        let left = columns.clone().filter(|(at, _)| at % 60 < 28).count();
        let right = columns.filter(|(at, _)| at % 60 > 31).count();
        assert!(left.min(right) == 0, "{label}: {left} {right}");
    }
}

#[test]
fn small_and_flat_images_have_segments() {
    let flat = |height, width| Rgb::new(height, width, vec![[9, 90, 200]; height * width]).unwrap();
    assert_eq!(Slic::of(50).segments(&flat(1, 1)).unwrap().labels(), [1]);
    assert_eq!(Slic::of(1).segments(&flat(3, 2)).unwrap().labels(), [1; 6]);
    // Cells of a flat image are squares.
    let found = Slic::of(4).segments(&flat(20, 20)).unwrap();
    assert_eq!(found.last(), 4);
    for label in 1..=4 {
        // What lies half way between two centres goes to the first.
        assert!((81..=121).contains(&found.mask(label).area()));
    }
    // Three of them are smaller than the mean, one is cut off at it.
    let cut = Slic {
        smallest: 0.0,
        largest: 1.0,
        ..Slic::of(4)
    };
    let found = cut.segments(&flat(20, 20)).unwrap();
    assert!((1..=found.last()).all(|label| found.mask(label).area() <= 100));
    assert!(found.last() > 4, "{}", found.last());
    let line = Slic::of(3).segments(&flat(1, 30)).unwrap();
    assert_eq!(line.last(), 3);
}

#[test]
fn a_setting_decides_something_and_wrong_ones_are_refused() {
    let image = image(40, 60);
    let of = |slic: Slic| slic.segments(&image).unwrap();
    let plain = Slic {
        compactness: 4.0,
        sigma: 0.3,
        ..Slic::of(20)
    };
    for other in [
        Slic {
            compactness: 20.0,
            ..plain
        },
        Slic {
            sigma: 2.0,
            ..plain
        },
        Slic { rounds: 1, ..plain },
        Slic {
            smallest: 0.0,
            ..plain
        },
    ] {
        assert!(of(plain) != of(other), "{other:?}");
    }
    for (name, wrong) in [
        ("segments", Slic::of(0)),
        (
            "compactness",
            Slic {
                compactness: 0.0,
                ..plain
            },
        ),
        (
            "sigma",
            Slic {
                sigma: f64::NAN,
                ..plain
            },
        ),
        ("rounds", Slic { rounds: 0, ..plain }),
        (
            "smallest",
            Slic {
                smallest: 1.5,
                ..plain
            },
        ),
        (
            "largest",
            Slic {
                largest: 0.5,
                ..plain
            },
        ),
    ] {
        let error = wrong.segments(&image).unwrap_err().to_string();
        assert!(error.contains(&format!("'{name}' is ")), "{error}");
    }
}
