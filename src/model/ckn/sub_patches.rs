//! Sub-patches of maps, as rows.

use rand::seq::index;
use tch::Tensor;

use crate::ground::seed::{Purpose, stream};

/// Draws of each map of `maps [B, C, H, W]` `each` places, without repetition, all where there are fewer, and gives the
/// sub-patches there as rows `[n, C * size * size]`. Map b is that of patch `first + b`, by which its places are drawn.
pub(super) fn draw(
    maps: &Tensor,
    size: i64,
    each: usize,
    first: usize,
    (seed, layer): (u64, u64),
) -> Tensor {
    let columns = maps.im2col([size, size], [1, 1], [0, 0], [1, 1]);
    let (batch, length, places) = (columns.size()[0], columns.size()[1], columns.size()[2]);
    let mut rows = Vec::new();
    for image in 0..batch as usize {
        let mut rng = stream(seed, Purpose::SubPatches, layer, (first + image) as u64);
        let drawn = index::sample(&mut rng, places as usize, each.min(places as usize));
        rows.extend(
            drawn
                .into_iter()
                .map(|place| image as i64 * places + place as i64),
        );
    }
    let rows = Tensor::from_slice(&rows).to_device(maps.device());
    columns
        .transpose(1, 2)
        .reshape([batch * places, length])
        .index_select(0, &rows)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn maps() -> Tensor {
        // Each number says its image, channel and place.
        Tensor::arange(2 * 3 * 5 * 4, (Kind::Float, Device::Cpu)).view([2, 3, 5, 4])
    }

    #[test]
    fn rows_are_sub_patches_and_no_place_comes_twice() {
        let maps = maps();
        let rows = draw(&maps, 2, 7, 0, (1, 0));
        assert_eq!(rows.size(), [14, 12]);
        let corners = Vec::<f64>::try_from(rows.select(1, 0).to_kind(Kind::Double)).unwrap();
        for (row, corner) in (0..).zip(&corners) {
            let (image, place) = (*corner as i64 / 60, *corner as i64 % 60);
            assert_eq!(image, row / 7);
            let (y, x) = (place / 4, place % 4);
            let expected = maps
                .get(image)
                .narrow(1, y, 2)
                .narrow(2, x, 2)
                .flatten(0, -1);
            assert!(rows.get(row).equal(&expected));
            assert_eq!(corners.iter().filter(|other| *other == corner).count(), 1);
        }
        assert_eq!(draw(&maps, 4, 99, 0, (1, 0)).size(), [2 * 2, 48]);
    }

    #[test]
    fn what_is_drawn_of_a_patch_does_not_depend_on_its_company() {
        let maps = maps();
        let together = draw(&maps, 2, 3, 10, (1, 4));
        let alone = draw(&maps.narrow(0, 1, 1), 2, 3, 11, (1, 4));
        assert!(together.narrow(0, 3, 3).equal(&alone));
        let others = [(2, 4), (1, 5)].map(|key| draw(&maps, 2, 3, 10, key));
        assert!(others.iter().all(|other| !other.equal(&together)));
    }
}
