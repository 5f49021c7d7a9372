//! Segments of one piece each.

/// Renumbers the connected pieces (by edges, not corners) of `segments`, rows of `width`, from 1 in the order in which they
/// begin. A piece below `smallest` pixels joins the neighbour that was last met; at `largest` pixels a piece ends, and what is left
/// of it is another one.
pub(super) fn connected(
    segments: &[u32],
    width: usize,
    smallest: usize,
    largest: usize,
) -> Vec<u32> {
    let mut labels = vec![0; segments.len()];
    let mut next = 1;
    let mut piece = Vec::new();
    for start in 0..segments.len() {
        if labels[start] > 0 {
            continue;
        }
        labels[start] = next;
        piece.clear();
        piece.push(start);
        let neighbour = gather(segments, width, largest, &mut labels, &mut piece);
        if piece.len() < smallest {
            for &pixel in &piece {
                labels[pixel] = neighbour;
            }
        } else {
            next += 1;
        }
    }
    labels
}

/// Grows `piece` from its one pixel, breadth first, to all that is connected with it, at most to `largest` pixels. Gives the
/// label of the neighbouring piece that was met last, 0 where there is none.
fn gather(
    segments: &[u32],
    width: usize,
    largest: usize,
    labels: &mut [u32],
    piece: &mut Vec<usize>,
) -> u32 {
    let (segment, own) = (segments[piece[0]], labels[piece[0]]);
    let mut neighbour = 0;
    let mut seen = 0;
    while seen < piece.len() && piece.len() < largest {
        let pixel = piece[seen];
        for at in beside(pixel, width, segments.len()).into_iter().flatten() {
            if segments[at] == segment && labels[at] == 0 {
                labels[at] = own;
                piece.push(at);
                if piece.len() >= largest {
                    break;
                }
            } else if labels[at] > 0 && labels[at] != own {
                neighbour = labels[at];
            }
        }
        seen += 1;
    }
    neighbour
}

/// The pixels to the right, to the left, below and above.
fn beside(pixel: usize, width: usize, pixels: usize) -> [Option<usize>; 4] {
    let column = pixel % width;
    [
        (column + 1 < width).then(|| pixel + 1),
        (column > 0).then(|| pixel - 1),
        Some(pixel + width).filter(|below| *below < pixels),
        pixel.checked_sub(width),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(lines: &[&str]) -> (Vec<u32>, usize) {
        let digits = lines.iter().flat_map(|line| line.chars());
        let all = digits.map(|digit| digit.to_digit(36).unwrap()).collect();
        (all, lines[0].len())
    }

    #[test]
    fn pieces_are_numbered_in_the_order_in_which_they_begin() {
        let (found, width) = segments(&["7722", "7227", "7777"]);
        let (expected, _) = segments(&["1122", "1221", "1111"]);
        assert_eq!(connected(&found, width, 2, 100), expected);
        // Corners do not connect.
        let (found, width) = segments(&["55", "35", "53"]);
        let (expected, _) = segments(&["11", "21", "34"]);
        assert_eq!(connected(&found, width, 1, 100), expected);
    }

    #[test]
    fn a_small_piece_joins_a_neighbour() {
        let (found, width) = segments(&["1112", "1312", "1122"]);
        let (expected, _) = segments(&["1112", "1112", "1122"]);
        assert_eq!(connected(&found, width, 2, 100), expected);
        // The first pixel of all has no neighbour with a number yet.
        let (found, width) = segments(&["9111", "1111"]);
        let (expected, _) = segments(&["0111", "1111"]);
        assert_eq!(connected(&found, width, 2, 100), expected);
    }

    #[test]
    fn a_large_piece_is_cut_off() {
        let (found, width) = segments(&["111111"]);
        let (expected, _) = segments(&["111122"]);
        assert_eq!(connected(&found, width, 1, 4), expected);
        // What is left over is too small to be a piece.
        let (expected, _) = segments(&["111111"]);
        assert_eq!(connected(&found, width, 3, 4), expected);
        assert!(connected(&[], 1, 1, 1).is_empty());
    }
}
