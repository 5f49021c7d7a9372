//! Colours of many kinds, told apart by their hue, and shades of each.

use super::canvas::Colour;

/// The first kinds have colours that were chosen by eye.
const CHOSEN: [Colour; 12] = [
    [31, 119, 180],
    [255, 127, 14],
    [44, 160, 44],
    [214, 39, 40],
    [148, 103, 189],
    [23, 190, 207],
    [240, 135, 205],
    [150, 92, 62],
    [190, 190, 30],
    [75, 75, 225],
    [0, 150, 125],
    [200, 0, 125],
];

/// The colour of the kind of that number.
pub(super) fn colour(kind: usize) -> Colour {
    match CHOSEN.get(kind) {
        Some(colour) => *colour,
        // By the golden angle no two of a few that follow each other are near.
        None => hue((kind as f64 * 0.618_034).fract()),
    }
}

/// Not quite the brightest colour of a hue, which is 0 to 1 around the circle.
fn hue(hue: f64) -> Colour {
    let channel = |from: f64| {
        let along = (from + hue * 6.0) % 6.0;
        let part = along.min(4.0 - along).clamp(0.0, 1.0);
        (200.0 - 140.0 * part).round() as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// A shade of a colour: 0 is the colour itself, those after it are lighter and darker ones in turn.
pub(super) fn shade(colour: Colour, number: usize) -> Colour {
    const TOWARDS: [(u8, f64); 4] = [(255, 0.5), (0, 0.3), (255, 0.72), (0, 0.5)];
    let Some(number) = number.checked_sub(1) else {
        return colour;
    };
    let (end, part) = TOWARDS[number % TOWARDS.len()];
    colour.map(|from| (f64::from(from) * (1.0 - part) + f64::from(end) * part).round() as u8)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn many_kinds_and_their_shades_are_different_colours() {
        let all: BTreeSet<_> = (0..60).map(colour).collect();
        assert_eq!(all.len(), 60);
        assert_eq!(shade([100, 200, 0], 0), [100, 200, 0]);
        assert_eq!(shade([100, 200, 0], 1), [178, 228, 128]);
        assert_eq!(shade([100, 200, 0], 2), [70, 140, 0]);
        assert_eq!(shade([100, 200, 0], 5), shade([100, 200, 0], 1));
        assert_eq!(hue(0.0), [200, 60, 60]);
        assert_eq!(hue(1.0 / 3.0), [60, 200, 60]);
    }
}
