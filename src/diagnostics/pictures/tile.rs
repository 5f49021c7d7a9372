//! One image of a gallery: which one it is, what is written below it, and the colour of its frame.

use image::RgbImage;

use super::Truth;
use super::canvas::{self, Anchor, Canvas, Colour, GRID, INK, PALE, fitted};

/// Same class as the query.
pub(super) const SAME: Colour = [0, 158, 90];
/// Another class.
pub(super) const OTHER: Colour = [214, 56, 32];

/// Width of a frame.
pub(super) const FRAME: u32 = 4;
/// Height of a line below a tile.
const LINE: u32 = 13;
const LETTERS: u32 = 11;

/// An image of the training split, by its number, which is that of its row in the bank.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// The image.
    pub id: i64,
    /// Its cosine with what the row of the gallery is about; none for the query itself.
    pub cosine: Option<f64>,
    /// Its true class, where there is one.
    pub class: Option<i64>,
    /// Whether that is the class that the row of the gallery is about.
    pub same: Option<bool>,
}

/// The pixels that a tile takes with its frame and its lines.
pub(super) fn extent(image: &RgbImage) -> (u32, u32) {
    let (width, height) = image.dimensions();
    (width + 2 * FRAME, height + 2 * FRAME + 2 * LINE + 4)
}

/// Says from a point on, to the right, what the colours of the frames mean.
pub(super) fn legend(canvas: &mut Canvas, (mut x, y): (u32, u32), [same, other]: [&str; 2]) {
    for (colour, text) in [(SAME, same), (OTHER, other)] {
        canvas.fill((x, y - 6), (12, 12), colour);
        canvas.text((x + 17, y), Anchor::Left, 12, PALE, text);
        x += 17 + canvas::width(text, 12) + 16;
    }
}

/// Draws an image with its upper left corner there, in a frame that says whether it is of the class that the row is about, and lines below it.
pub(super) fn framed(
    canvas: &mut Canvas,
    at: (u32, u32),
    image: &RgbImage,
    same: Option<bool>,
    lines: &[(Colour, String)],
) {
    let (width, height) = image.dimensions();
    let colour = match same {
        Some(true) => SAME,
        Some(false) => OTHER,
        None => GRID,
    };
    canvas.fill(at, (width + 2 * FRAME, height + 2 * FRAME), colour);
    canvas.put((at.0 + FRAME, at.1 + FRAME), image);
    let middle = at.0 + FRAME + width / 2;
    let mut line = at.1 + 2 * FRAME + height + LINE / 2 + 1;
    for (colour, text) in lines {
        let text = fitted(text, LETTERS, width + 2 * FRAME);
        canvas.text((middle, line), Anchor::Middle, LETTERS, *colour, &text);
        line += LINE;
    }
}

impl Tile {
    /// Draws the tile with its upper left corner there.
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas,
        at: (u32, u32),
        image: &RgbImage,
        truth: Option<&Truth<'_>>,
    ) {
        let cosine = self.cosine.map(|cosine| (INK, format!("{cosine:.2}")));
        let class = truth.zip(self.class);
        let class = class.map(|(truth, class)| (PALE, truth.name(class).to_owned()));
        let lines: Vec<_> = cosine.into_iter().chain(class).collect();
        framed(canvas, at, image, self.same, &lines);
    }
}
