//! Scenes: some images of a labelled source on a grid, on a light ground, so that it is known what each holds.
//!
//! A scene's label is how many objects it has. A grey image is laid on the ground in a dark colour of its own, as dense as its pixels are
//! bright, because the grey sources are drawn bright on black; a colour image covers its cell.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::{IndexOp, Kind, Tensor};

use super::{Error, Images, Object, Objects, Splits};
use crate::ground::seed::{Purpose, stream};

/// How scenes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Height and width of a scene, in pixels: a multiple of `cells`.
    pub side: i64,
    /// Cells along each side.
    pub cells: i64,
    /// Fewest and most objects; no cell has two.
    pub objects: [usize; 2],
    /// Scenes to train on, of the source's images to train on.
    pub train: usize,
    /// Scenes to evaluate on, of its images to evaluate on.
    pub eval: usize,
    /// What is drawn follows from it, whatever the seed of a run.
    pub seed: u64,
}

/// Composes scenes of both splits of a source.
///
/// # Errors
/// When the process was asked to stop meanwhile.
pub(super) fn compose(of: &Splits, spec: &Spec) -> Result<Splits, Error> {
    let split = |images: &Images, count, first| scenes(images, spec, count, first);
    let train = split(&of.memory, spec.train, 0)?;
    let eval = split(&of.eval, spec.eval, spec.train as u64)?;
    Ok(Splits::new(train, eval))
}

fn scenes(of: &Images, spec: &Spec, count: usize, first: u64) -> Result<Images, Error> {
    let mut pixels = Vec::new();
    let (mut labels, mut of_images) = (Vec::new(), Vec::new());
    for at in 0..count as u64 {
        Error::unless_stopped()?;
        let mut random = stream(spec.seed, Purpose::Scenes, 0, first + at);
        let held = drawn(&mut random, of.len(), spec);
        let scene = scene(of, spec, &held, &mut random);
        let scene = Vec::<u8>::try_from(scene.flatten(0, -1));
        pixels.extend(scene.expect("a line of bytes"));
        labels.push((held.len() - spec.objects[0]) as i64);
        let classes = of.labels().expect("the neighbours of a source have labels");
        let held = held.into_iter().map(|(id, place)| Object {
            kind: classes[id as usize],
            place,
        });
        of_images.push(held.collect());
    }
    let [least, most] = spec.objects;
    let counts = (least..=most).map(|count| count.to_string()).collect();
    let shape = [3, spec.side, spec.side];
    let name = format!("scenes of {}", of.name());
    let scenes = Images::new(name, shape, pixels, labels, counts);
    Ok(scenes.holding(Objects {
        of_images,
        names: of.classes().to_vec(),
        cells: spec.cells,
    }))
}

/// Which images a scene shows, and in which cell each.
fn drawn(random: &mut ChaCha8Rng, len: usize, spec: &Spec) -> Vec<(i64, [i64; 2])> {
    let [least, most] = spec.objects;
    let count = random.random_range(least..=most);
    let mut cells: Vec<i64> = (0..spec.cells * spec.cells).collect();
    cells.shuffle(random);
    let cells = cells.into_iter().take(count);
    cells
        .map(|cell| {
            let id = random.random_range(0..len as i64);
            (id, [cell / spec.cells, cell % spec.cells])
        })
        .collect()
}

/// A scene `[3, S, S]` u8.
fn scene(of: &Images, spec: &Spec, held: &[(i64, [i64; 2])], random: &mut ChaCha8Rng) -> Tensor {
    let mut colour = |from: f64, to: f64| {
        let parts = [(); 3].map(|()| random.random_range(from..to) as f32);
        Tensor::from_slice(&parts).view([3, 1, 1])
    };
    let ground = colour(0.6, 1.0).repeat([1, spec.side, spec.side]);
    let cell = spec.side / spec.cells;
    for (id, place) in held {
        let colour = colour(0.0, 0.4);
        let [top, left] = place.map(|at| at * cell);
        let mut under = ground.i((.., top..top + cell, left..left + cell));
        let tile = tile(of, *id, cell);
        let over = match tile.size()[0] {
            1 => &under * (1.0 - &tile) + colour * &tile,
            _ => tile,
        };
        under.copy_(&over);
    }
    (ground * 255.0)
        .round()
        .clamp(0.0, 255.0)
        .to_kind(Kind::Uint8)
}

/// An image `[C, c, c]` of 0 to 1, brought to the size of a cell.
fn tile(of: &Images, id: i64, cell: i64) -> Tensor {
    let shape = of.shape().expect("only images of one size are composed");
    let image = Tensor::from_slice(&of.image(id)).view(shape);
    let image = (image.to_kind(Kind::Float) / 255.0).unsqueeze(0);
    let sized = image.upsample_bilinear2d([cell, cell], false, None, None);
    sized.squeeze_dim(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        side: 12,
        cells: 3,
        objects: [1, 4],
        train: 40,
        eval: 10,
        seed: 3,
    };

    /// Three classes of images of one brightness each, grey or in colour.
    fn of(channels: i64) -> Splits {
        let split = |name: &str, count: i64| {
            let labels: Vec<i64> = (0..count).map(|id| id % 3).collect();
            let pixels = labels.iter().flat_map(|label| {
                let bright = 50 + 100 * *label as u8;
                vec![bright; (channels * 25) as usize]
            });
            let classes = ["a", "b", "c"].map(String::from).to_vec();
            Images::new(name, [channels, 5, 5], pixels.collect(), labels, classes)
        };
        Splits::new(split("train", 9), split("eval", 6))
    }

    #[test]
    fn a_scene_holds_what_it_says() {
        let splits = compose(&of(3), &SPEC).unwrap();
        assert_eq!((splits.train.len(), splits.eval.len()), (40, 10));
        assert_eq!(splits.train.shape(), Some([3, 12, 12]));
        assert_eq!(splits.train.classes(), ["1", "2", "3", "4"]);
        for images in [&splits.train, &splits.eval] {
            let held = images.objects().unwrap();
            assert_eq!(held.names, ["a", "b", "c"]);
            for id in 0..images.len() {
                let scene = Tensor::from_slice(&images.image(id as i64)).view([3, 12, 12]);
                let mut seen = Vec::new();
                for cell in 0..9 {
                    let (top, left) = (cell / 3 * 4, cell % 3 * 4);
                    let cell = scene
                        .i((.., top..top + 4, left..left + 4))
                        .to_kind(Kind::Int64);
                    let (low, high) = (cell.min().int64_value(&[]), cell.max().int64_value(&[]));
                    // An object of one brightness covers its cell; the ground is a colour.
                    if low == high && [50, 150, 250].contains(&low) {
                        seen.push(([top / 4, left / 4], (low - 50) / 100));
                    }
                }
                let own = &held.of_images[id];
                let mut said: Vec<_> = own.iter().map(|one| (one.place, one.kind)).collect();
                said.sort_unstable();
                assert_eq!(seen, said);
                assert_eq!(images.labels().unwrap()[id] + 1, said.len() as i64);
            }
        }
    }

    #[test]
    fn grey_images_lie_dark_on_a_light_ground() {
        let splits = compose(&of(1), &SPEC).unwrap();
        let scene = Tensor::from_slice(&splits.train.image(0));
        let kinds = scene.to_kind(Kind::Float);
        assert!(kinds.max().double_value(&[]) >= 0.6 * 255.0);
        let classes = &splits.train.objects().unwrap().of_images[0];
        assert!(!classes.is_empty());
        let again = compose(&of(1), &SPEC).unwrap();
        assert_eq!(again.train.image(7), splits.train.image(7));
        let other = compose(&of(1), &Spec { seed: 4, ..SPEC }).unwrap();
        assert_ne!(other.train.image(7), splits.train.image(7));
        assert_ne!(splits.eval.image(0), splits.train.image(0));
    }

    #[test]
    fn what_a_part_of_the_scenes_holds_goes_with_them() {
        let splits = compose(&of(3), &SPEC).unwrap();
        let all = splits.train.objects().unwrap().of_images.clone();
        let some = splits.train.subset(&[5, 2]);
        assert_eq!(
            some.objects().unwrap().of_images,
            [all[5].clone(), all[2].clone()]
        );
    }
}
