//! `stream/prototypes`: the prototypes of a stream's memory, each with the frames of the last window that are nearest to it.

use tch::Tensor;

use super::canvas::{self, Anchor, Canvas, INK, PALE};
use super::seen::Frame;
use super::{Picture, Seen, montage, tile};

/// Prototypes that are shown.
const PROTOTYPES: usize = 10;
/// Frames that are shown of each.
const FRAMES: usize = 8;

/// A prototype with the frames that were taken for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its place in the memory.
    pub place: usize,
    /// What was written to it, less what has decayed.
    pub usage: f64,
    /// How many frames of the window were taken for it.
    pub count: usize,
    /// The commonest true class of these, of equally common ones the first, and the share that is of it, where there are classes.
    pub commonest: Option<(i64, f64)>,
    /// Those that are shown: the one that began it in this window, then the nearest first.
    pub shown: Vec<Frame>,
}

/// The most used prototypes that frames of the window were taken for, the most used one first.
pub fn chosen(seen: &Seen) -> Vec<Row> {
    let mut places: Vec<usize> = (0..seen.usage.len()).collect();
    let came = |place: usize| {
        let category = seen.of_places[place];
        seen.frames.iter().any(|frame| frame.category == category)
    };
    places.retain(|&place| seen.usage[place] > 0.0 && came(place));
    places.sort_by(|&a, &b| seen.usage[b].total_cmp(&seen.usage[a]));
    places.truncate(PROTOTYPES);
    places.into_iter().map(|place| row(seen, place)).collect()
}

fn row(seen: &Seen, place: usize) -> Row {
    let category = seen.of_places[place];
    let frames = seen.frames.iter();
    let mut frames: Vec<_> = frames.filter(|frame| frame.category == category).collect();
    let commonest = commonest(&frames);
    // Nothing is nearer than what began it.
    let near = |frame: &Frame| frame.score.unwrap_or(f64::INFINITY);
    frames.sort_by(|a, b| near(b).total_cmp(&near(a)));
    Row {
        place,
        usage: seen.usage[place],
        count: frames.len(),
        commonest,
        shown: frames.into_iter().take(FRAMES).cloned().collect(),
    }
}

/// The commonest class, of equally common ones the first, and the share of these frames that is of it.
fn commonest(frames: &[&Frame]) -> Option<(i64, f64)> {
    let count = |class: i64| frames.iter().filter(|f| f.class == Some(class)).count();
    let classes = frames.iter().filter_map(|frame| frame.class);
    let (class, most) = classes
        .map(|class| (class, count(class)))
        .max_by_key(|&(class, count)| (count, std::cmp::Reverse(class)))?;
    Some((class, most as f64 / frames.len() as f64))
}

/// The images that are shown, in the order in which [`draw`] wants them, and by how many quarter turns each is turned.
pub fn shown(rows: &[Row]) -> (Vec<i64>, Vec<i64>) {
    let frames = rows.iter().flat_map(|row| &row.shown);
    frames.map(|frame| (frame.id, frame.turn)).unzip()
}

const MARGIN: u32 = 16;
const HEAD: u32 = 62;
const CAPTION: u32 = 170;
const GAP: u32 = 5;

/// Draws the rows; `images [n, C, H, W]` f32 in 0..1 are those of [`shown`].
///
/// # Panics
/// When there are none.
pub fn draw(rows: &[Row], seen: &Seen, images: &Tensor) -> Picture {
    let images = montage::enlarged(images, montage::times(images));
    let (width, height) = tile::extent(&images[0]);
    let (step, row_height) = (width + GAP, height + 6);
    let tiles = CAPTION + FRAMES as u32 * step - GAP;
    let right = MARGIN + tiles.max(640) + MARGIN;
    let mut canvas = Canvas::new(right, HEAD + rows.len() as u32 * row_height + MARGIN / 2);
    head(&mut canvas, !seen.names.is_empty());
    let mut images = images.iter();
    for (at, row) in rows.iter().enumerate() {
        let y = HEAD + at as u32 * row_height;
        caption(&mut canvas, y, row, seen);
        for (column, frame) in row.shown.iter().enumerate() {
            let image = images.next().expect("an image for each frame");
            let x = MARGIN + CAPTION + column as u32 * step;
            let same = row.commonest.zip(frame.class);
            let same = same.map(|((most, _), class)| class == most);
            tile::framed(&mut canvas, (x, y), image, same, &lines(frame, seen));
        }
    }
    canvas.picture()
}

/// What stands below a frame: its score, or that it was new, and its class.
fn lines(frame: &Frame, seen: &Seen) -> Vec<(canvas::Colour, String)> {
    let score = match (frame.new, frame.score) {
        (true, _) => "new".to_owned(),
        (false, Some(score)) => format!("{score:.2}"),
        (false, None) => "-".to_owned(),
    };
    let class = frame.class.map(|class| (PALE, seen.name(class).to_owned()));
    [(INK, score)].into_iter().chain(class).collect()
}

fn head(canvas: &mut Canvas, coloured: bool) {
    let title = "The most used prototypes of the last window, each with its nearest frames";
    canvas.text((MARGIN, 20), Anchor::Left, 17, INK, title);
    let said = "below each frame its score when it came";
    canvas.text((MARGIN, 42), Anchor::Left, 12, PALE, said);
    if coloured {
        let x = MARGIN + canvas::width(said, 12) + 20;
        let meanings = ["commonest true class of the row", "another"];
        tile::legend(canvas, (x, 42), meanings);
    }
}

fn caption(canvas: &mut Canvas, y: u32, row: &Row, seen: &Seen) {
    let name = format!("prototype {}", row.place);
    canvas.text((MARGIN, y + 18), Anchor::Left, 14, INK, &name);
    let count = match row.count {
        1 => "1 frame".to_owned(),
        count => format!("{count} frames"),
    };
    let said = format!("usage {:.1}, {count}", row.usage);
    let mut lines = vec![canvas::fitted(&said, 12, CAPTION - 12)];
    if let Some((class, share)) = row.commonest {
        let share = format!("{:.0} %: {}", 100.0 * share, seen.name(class));
        lines.push(canvas::fitted(&share, 12, CAPTION - 12));
    }
    for (down, line) in (0..).zip(&lines) {
        let at = (MARGIN, y + 36 + down * 16);
        canvas.text(at, Anchor::Left, 12, PALE, line);
    }
}

#[cfg(test)]
mod tests;
