//! Images at a victim's decision boundary, and what is made of them: steps 2 to 5 of the defence of Ding et al. 2021 (arXiv
//! 2108.00180). Its abstract names the steps; how they are done here is our reading of them, not the paper's algorithm.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::{Error, beside_pixels, classes, lengths, require, require_like, require_line, size_of};

/// Where a trajectory crosses into a class: each t from `burn_in` on at which the victim's answer is another one and that of t + 1
/// is `class`, in order.
pub fn crossings(answers: &[i64], class: i64, burn_in: usize) -> Vec<usize> {
    let pairs = answers.windows(2).enumerate().skip(burn_in);
    pairs
        .filter(|(_, pair)| pair[0] != class && pair[1] == class)
        .map(|(step, _)| step)
        .collect()
}

/// The images between `outside` and `inside`, `[N, C, H, W]` each, at which the victim's answer becomes the `class` `[N]` i64 of the
/// image inside: the ends outside of intervals that were halved so many times, and how far each lies on the way, `[N]` of the
/// images' kind. All images are halved at once.
///
/// The answer at the end outside was never the class, unless it was that from the beginning; where the way crosses several times,
/// it is one of the crossings.
///
/// # Errors
/// [`Error::Input`] where shapes differ, or are no images'.
pub fn bisect(
    outside: &Tensor,
    inside: &Tensor,
    class: &Tensor,
    halvings: u32,
    victim: impl Fn(&Tensor) -> Tensor,
) -> Result<(Tensor, Tensor), Error> {
    let [count, ..] = size_of("outside", outside)?;
    require_like("inside", inside, outside)?;
    require_line("class", class, count)?;
    Ok(tch::no_grad(|| {
        let way = inside - outside;
        let at = |share: &Tensor| outside + beside_pixels(share) * &way;
        let mut near = Tensor::zeros([count], (outside.kind(), outside.device()));
        let mut half = 1.0;
        for _ in 0..halvings {
            half /= 2.0;
            // What was halved so often is exact in binary numbers: the share of the middle is that of the near end and a half.
            let middle = &near + half;
            let entered = classes(&victim(&at(&middle))).eq_tensor(class);
            near = near.where_self(&entered, &middle);
        }
        (at(&near), near)
    }))
}

/// Images moved away from the adversarial ones: `x + eta d / |d|` in `0..=1`, with x the image on the boundary and d the way to it
/// from the adversarial image. The first of `etas` is taken at which the victim's answer is not the `class` `[N]` i64, so they are
/// given in rising order; where there is none, or d is zero, the image stays what it was.
///
/// Returns the images and how far each was moved, `[N]` of the images' kind, 0 where it was not.
///
/// # Errors
/// [`Error::Input`] where shapes differ or are no images', or `etas` are not in rising order and finite.
pub fn purify(
    boundary: &Tensor,
    adversarial: &Tensor,
    class: &Tensor,
    etas: &[f64],
    victim: impl Fn(&Tensor) -> Tensor,
) -> Result<(Tensor, Tensor), Error> {
    let [count, ..] = size_of("boundary", boundary)?;
    require_like("adversarial", adversarial, boundary)?;
    require_line("class", class, count)?;
    let rising = etas.is_sorted() && etas.iter().all(|eta| eta.is_finite());
    require("etas", rising, "finite numbers in rising order", etas)?;
    Ok(tch::no_grad(|| {
        let way = boundary - adversarial;
        let length = lengths(&way);
        let moves = length.gt(0.0).view([count]);
        let direction = (&way / length).nan_to_num(0.0, 0.0, 0.0);
        let mut moved = Tensor::zeros([count], (boundary.kind(), boundary.device()));
        let mut images = boundary.shallow_clone();
        let mut settled = moves.logical_not();
        for &eta in etas {
            let ahead = (boundary + &direction * eta).clamp(0.0, 1.0);
            let left = classes(&victim(&ahead)).ne_tensor(class);
            let taken = left.logical_and(&settled.logical_not());
            images = ahead.where_self(&beside_pixels(&taken), &images);
            moved = moved.masked_fill(&taken, eta);
            settled = settled.logical_or(&taken);
        }
        (images, moved)
    }))
}

/// One image `[C, H, W]` of several candidates `[M, C, H, W]`: each square block is cut from a candidate drawn for it, those at the
/// lower and right edge being smaller where the edges are no multiple.
///
/// # Errors
/// [`Error::Input`]: no candidates, or a `block` below 1.
pub fn stitch(candidates: &Tensor, block: i64, rng: &mut ChaCha8Rng) -> Result<Tensor, Error> {
    let [count, channels, height, width] = size_of("candidates", candidates)?;
    require("candidates", count > 0, "1 or more", count)?;
    require("block", block > 0, "1 or more", block)?;
    let blocks = [height, width].map(|edge| (edge + block - 1) / block);
    let drawn: Vec<i64> = (0..blocks[0] * blocks[1])
        .map(|_| rng.random_range(0..count))
        .collect();
    let from = Tensor::from_slice(&drawn).view(blocks);
    let from = from.repeat_interleave_self_int(block, 0, None);
    let from = from.repeat_interleave_self_int(block, 1, None);
    let from = from.narrow(0, 0, height).narrow(1, 0, width);
    let from = from.to_device(candidates.device());
    let from = from.expand([1, channels, height, width], false);
    Ok(candidates.gather(0, &from, false).squeeze_dim(0))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::ground::seed::{Purpose, stream};

    const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

    /// A victim of two classes whose logits differ by `w.x + b`, and w.
    struct Linear {
        w: Tensor,
        b: f64,
    }

    impl Linear {
        fn new() -> Self {
            // Through the middle of all images, so that either class has half of them.
            let w = Tensor::randn([24], DOUBLE);
            let b = -0.5 * w.sum(Kind::Double).double_value(&[]);
            Self { w, b }
        }

        fn margin(&self, images: &Tensor) -> Tensor {
            images.flatten(1, -1).matmul(&self.w) + self.b
        }

        /// Class 1 is where the margin is above 0.
        fn logits(&self, images: &Tensor) -> Tensor {
            let margin = self.margin(images);
            Tensor::stack(&[&margin.zeros_like(), &margin], 1)
        }
    }

    /// Pairs of images of which the victim answers 0 for the first and 1 for the second.
    fn pairs(victim: &Linear, count: i64) -> (Tensor, Tensor) {
        let pick = |sign: f64| {
            let images = Tensor::rand([60 * count, 2, 3, 4], DOUBLE);
            let rows = (victim.margin(&images) * sign)
                .gt(0.2)
                .nonzero()
                .squeeze_dim(1);
            images.index_select(0, &rows.narrow(0, 0, count))
        };
        (pick(-1.0), pick(1.0))
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        Vec::try_from(tensor.to_kind(Kind::Double)).unwrap()
    }

    #[test]
    fn a_bisection_ends_within_the_last_interval_outside_the_class() {
        tch::manual_seed(1);
        let victim = Linear::new();
        let (outside, inside) = pairs(&victim, 6);
        let class = Tensor::full([6], 1, (Kind::Int64, Device::Cpu));
        for halvings in [0, 1, 10] {
            let found = bisect(&outside, &inside, &class, halvings, |x| victim.logits(x));
            let (images, shares) = found.unwrap();
            let margins = numbers(&victim.margin(&images));
            let ways = numbers(&(victim.margin(&inside) - victim.margin(&outside)));
            let starts = numbers(&victim.margin(&outside));
            for (at, share) in numbers(&shares).into_iter().enumerate() {
                let bound = ways[at].abs() * 0.5f64.powi(halvings as i32);
                assert!(margins[at] <= 0.0 && -margins[at] <= bound + 1e-12);
                // The margin is linear: where it is 0 is known.
                let crossing = -starts[at] / ways[at];
                let expected = (crossing * 2f64.powi(halvings as i32)).floor();
                assert_eq!(share * 2f64.powi(halvings as i32), expected);
            }
        }
    }

    #[test]
    fn each_image_is_bisected_for_its_own_class() {
        tch::manual_seed(2);
        let victim = Linear::new();
        let (zero, one) = pairs(&victim, 2);
        let outside = Tensor::cat(&[zero.get(0), one.get(0)], 0).view([2, 2, 3, 4]);
        let inside = Tensor::cat(&[one.get(1), zero.get(1)], 0).view([2, 2, 3, 4]);
        let class = Tensor::from_slice(&[1i64, 0]);
        let found = bisect(&outside, &inside, &class, 12, |x| victim.logits(x)).unwrap();
        for at in 0..2 {
            let row = |all: &Tensor| all.narrow(0, at, 1);
            let alone = bisect(&row(&outside), &row(&inside), &row(&class), 12, |x| {
                victim.logits(x)
            });
            assert_eq!(row(&found.0), alone.unwrap().0);
        }
        let answers = classes(&victim.logits(&found.0));
        assert_eq!(answers, Tensor::from_slice(&[0i64, 1]));
    }

    #[test]
    fn purification_moves_along_the_way_from_the_adversarial_image() {
        tch::manual_seed(3);
        let victim = Linear::new();
        let (outside, inside) = pairs(&victim, 5);
        // Far from 0 and 1, so that nothing is cut off.
        let [outside, inside] = [outside, inside].map(|images| images * 0.5 + 0.25);
        let class = classes(&victim.logits(&inside));
        let etas = [0.0, 0.01, 0.05, 0.2];
        let asked = std::cell::Cell::new(0);
        let found = purify(&outside, &inside, &class, &etas, |x| {
            asked.set(asked.get() + 1);
            // Refuses what was moved by less than 0.04, whatever it is.
            let far = lengths(&(x - &outside))
                .view([-1])
                .ge(0.04)
                .to_kind(Kind::Double);
            let own = class.one_hot(2).to_kind(Kind::Double);
            own * (1.0 - far.unsqueeze(1) * 2.0)
        });
        let (images, moved) = found.unwrap();
        assert_eq!(asked.get(), etas.len());
        assert_eq!(numbers(&moved), [0.05; 5]);
        let way = (&outside - &inside).flatten(1, -1);
        let along = way.matmul(&victim.w) / lengths(&(&outside - &inside)).view([-1]);
        let expected = victim.margin(&outside) + along * 0.05;
        let off = (victim.margin(&images) - expected).abs().max();
        assert!(off.double_value(&[]) < 1e-12);
    }

    #[test]
    fn what_needs_no_move_or_has_none_stays() {
        let victim = |x: &Tensor| {
            let bright = x.flatten(1, -1).mean_dim(1, false, None);
            Tensor::stack(&[&bright.zeros_like(), &(bright - 0.5)], 1)
        };
        let bright = |values: &[f64]| {
            let values = Tensor::from_slice(values).view([-1, 1, 1, 1]);
            values.expand([-1, 1, 2, 2], true).copy()
        };
        let class = Tensor::from_slice(&[1i64, 1, 1, 1]);
        // Leaves at once; leaves at 0.2 (of a length, half of that a pixel); never; has nowhere to go.
        let boundary = bright(&[0.4, 0.55, 0.99, 0.7]);
        let adversarial = bright(&[0.8, 0.9, 1.0, 0.7]);
        let (images, moved) = purify(&boundary, &adversarial, &class, &[0.0, 0.2], victim).unwrap();
        assert_eq!(numbers(&moved), [0.0, 0.2, 0.0, 0.0]);
        let off = (images - bright(&[0.4, 0.45, 0.99, 0.7])).abs().max();
        assert!(off.double_value(&[]) < 1e-12);
        // Cut off at 0.
        let dark = purify(
            &bright(&[0.1]),
            &bright(&[0.9]),
            &class.get(0).view([1]),
            &[2.0],
            victim,
        );
        assert_eq!(dark.unwrap().0, bright(&[0.0]));
        for etas in [&[0.2, 0.1][..], &[f64::NAN], &[f64::INFINITY]] {
            let said = purify(&boundary, &adversarial, &class, etas, victim).unwrap_err();
            assert!(said.to_string().contains("rising order"), "{said}");
        }
        let none = boundary.narrow(0, 0, 0);
        let none = purify(&none, &none, &class.narrow(0, 0, 0), &[0.1], victim).unwrap();
        assert_eq!(none.0.size()[0], 0);
    }

    #[test]
    fn a_stitched_image_takes_whole_blocks_of_its_candidates() {
        let candidates = Tensor::arange(4 * 3 * 10 * 7, DOUBLE).view([4, 3, 10, 7]);
        let mut rng = stream(5, Purpose::Stitch, 0, 9);
        let got = stitch(&candidates, 4, &mut rng).unwrap();
        assert_eq!(got.size(), [3, 10, 7]);
        let mut taken = Vec::new();
        for (top, left) in [0, 4, 8]
            .into_iter()
            .flat_map(|top| [0, 4].map(|left| (top, left)))
        {
            let (high, wide) = (4.min(10 - top), 4.min(7 - left));
            let cut = |image: Tensor| image.narrow(1, top, high).narrow(2, left, wide);
            let matching = (0..4).filter(|&at| cut(candidates.get(at)) == cut(got.shallow_clone()));
            taken.extend(matching);
        }
        assert_eq!(taken.len(), 6);
        assert!(taken.iter().any(|at| *at != taken[0]), "{taken:?}");
        let mut again = stream(5, Purpose::Stitch, 0, 9);
        assert_eq!(stitch(&candidates, 4, &mut again).unwrap(), got);
        assert!(stitch(&candidates, 4, &mut again).unwrap() != got);
        let one = stitch(&candidates.narrow(0, 2, 1), 4, &mut again).unwrap();
        assert_eq!(one, candidates.get(2));
        assert!(stitch(&candidates.narrow(0, 0, 0), 4, &mut again).is_err());
        assert!(stitch(&candidates, 0, &mut again).is_err());
    }

    #[test]
    fn crossings_are_entries_after_the_burn_in() {
        let answers = [3, 7, 3, 3, 1, 7, 7, 2, 7];
        assert_eq!(crossings(&answers, 7, 0), [0, 4, 7]);
        assert_eq!(crossings(&answers, 7, 4), [4, 7]);
        assert_eq!(crossings(&answers, 7, 5), [7]);
        assert!(crossings(&answers, 7, 8).is_empty());
        assert!(crossings(&answers, 9, 0).is_empty());
        assert!(crossings(&[], 7, 0).is_empty() && crossings(&[7], 7, 3).is_empty());
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let images = Tensor::zeros([2, 1, 3, 3], DOUBLE);
        let class = Tensor::zeros([2], (Kind::Int64, Device::Cpu));
        let victim = |x: &Tensor| x.flatten(1, -1);
        let said = bisect(&images, &images.get(0), &class, 3, victim).unwrap_err();
        let expected = "robustness: 'inside': expected [2, 1, 3, 3], got [1, 3, 3]";
        assert_eq!(said.to_string(), expected);
        let said = bisect(&images, &images, &class.get(0), 3, victim).unwrap_err();
        assert_eq!(
            said.to_string(),
            "robustness: 'class': expected [2], got []"
        );
        let said = purify(&images, &images.get(0), &class, &[], victim).unwrap_err();
        assert!(said.to_string().contains("'adversarial'"));
    }
}
