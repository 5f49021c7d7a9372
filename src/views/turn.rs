//! Views turned by quarter turns.

use tch::Tensor;

/// Each of the square images `[B, C, S, S]` turned counter-clockwise by so many quarter turns; none where nothing is said.
pub fn turned(images: Tensor, turns: &[i64]) -> Tensor {
    let mut turned = images;
    for count in 1..4 {
        let rows = (0..)
            .zip(turns)
            .filter(|(_, turn)| turn.rem_euclid(4) == count);
        let rows: Vec<i64> = rows.map(|(row, _)| row).collect();
        if rows.is_empty() {
            continue;
        }
        let rows = Tensor::from_slice(&rows).to_device(turned.device());
        let some = turned.index_select(0, &rows).rot90(count, [2, 3]);
        turned = turned.index_copy(0, &rows, &some);
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_is_turned_by_itself() {
        let image = Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]).view([1, 1, 2, 2]);
        let images = image.repeat([5, 1, 1, 1]);
        let got = turned(images.shallow_clone(), &[0, 1, 2, 3, 4]);
        let expected = [
            [1.0_f32, 2.0, 3.0, 4.0],
            [2.0, 4.0, 1.0, 3.0],
            [4.0, 3.0, 2.0, 1.0],
            [3.0, 1.0, 4.0, 2.0],
            [1.0, 2.0, 3.0, 4.0],
        ];
        assert_eq!(got, Tensor::from_slice2(&expected).view([5, 1, 2, 2]));
        assert_eq!(turned(images.shallow_clone(), &[]), images);
    }
}
