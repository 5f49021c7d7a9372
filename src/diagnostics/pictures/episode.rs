//! `stream/episode`: the last window of a stream as a line of colours, its true classes above what they were taken for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::canvas::{self, Anchor, Canvas, Colour, INK, PALE};
use super::{Picture, Seen, palette};

/// What is drawn, a colour a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Bands {
    /// Of the true classes; none where there are none.
    pub classes: Option<Vec<Colour>>,
    /// Of the categories. One has the colour of the class that it mostly holds, further ones of that class have shades of it.
    pub categories: Vec<Colour>,
    /// Whether the frame began its category.
    pub new: Vec<bool>,
    /// What the colours of the classes mean, in the order in which these came.
    pub legend: Vec<(Colour, String)>,
    /// How many there are of each.
    pub said: String,
}

/// The colours of a window.
pub fn bands(seen: &Seen) -> Bands {
    let classes: Option<Vec<i64>> = seen.frames.iter().map(|frame| frame.class).collect();
    let classes = classes.filter(|classes| !classes.is_empty());
    let categories: Vec<i64> = seen.frames.iter().map(|frame| frame.category).collect();
    let of_class = |class: i64, order: &[i64]| {
        let at = order.iter().position(|one| *one == class);
        palette::colour(at.expect("every class came"))
    };
    let order = classes.as_deref().map(came).unwrap_or_default();
    let found = came(&categories);
    let of_category: BTreeMap<_, _> = match &classes {
        Some(classes) => matched(classes, &categories)
            .into_iter()
            .map(|(category, (class, number))| {
                let colour = palette::shade(of_class(class, &order), number);
                (category, colour)
            })
            .collect(),
        None => (0..)
            .map(palette::colour)
            .zip(&found)
            .map(|(colour, category)| (*category, colour))
            .collect(),
    };
    let named = |class: &i64| (of_class(*class, &order), seen.name(*class).to_owned());
    Bands {
        categories: categories.iter().map(|one| of_category[one]).collect(),
        new: seen.frames.iter().map(|frame| frame.new).collect(),
        legend: order.iter().map(named).collect(),
        said: said(seen, classes.is_some().then_some(order.len()), found.len()),
        classes: classes.map(|all| all.iter().map(|one| of_class(*one, &order)).collect()),
    }
}

/// Each number once, in the order in which they came.
fn came(numbers: &[i64]) -> Vec<i64> {
    let mut order = Vec::new();
    for number in numbers {
        if !order.contains(number) {
            order.push(*number);
        }
    }
    order
}

/// The class that each category mostly holds, of equally common ones the one that came first, and how many categories hold more of it.
fn matched(classes: &[i64], categories: &[i64]) -> BTreeMap<i64, (i64, usize)> {
    let order = came(classes);
    let count = |category: i64, class: i64| {
        let both = classes.iter().zip(categories);
        both.filter(|&(a, b)| (*a, *b) == (class, category)).count()
    };
    let mut most: Vec<_> = came(categories)
        .into_iter()
        .map(|category| {
            let counts = order.iter().map(|class| (count(category, *class), *class));
            // The first of equal ones: `max_by_key` would give the last.
            let (count, class) = counts.rev().max_by_key(|(count, _)| *count)?;
            Some((category, class, count))
        })
        .collect::<Option<_>>()
        .expect("a category has a frame, and that a class");
    most.sort_by_key(|&(.., count)| Reverse(count));
    let mut held = BTreeMap::new();
    let numbered = most.into_iter().map(|(category, class, _)| {
        let number = held.entry(class).or_insert(0);
        *number += 1;
        (category, (class, *number - 1))
    });
    numbered.collect()
}

fn said(seen: &Seen, classes: Option<usize>, categories: usize) -> String {
    let begun = seen.frames.iter().filter(|frame| frame.new).count();
    let of = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    let frames = of(seen.frames.len(), "frame", "frames");
    let classes = classes.map(|count| format!(": {}", of(count, "class", "classes")));
    let found = of(categories, "category", "categories");
    format!(
        "{frames}{}, taken for {found}; {begun} began in this window",
        classes.unwrap_or_default()
    )
}

const MARGIN: u32 = 16;
const HEAD: u32 = 60;
/// Room for the names of the bands.
const NAMES: u32 = 76;
/// The room of all columns of a line, and the least and the most that one column takes.
const ROOM: u32 = 900;
const COLUMN: [u32; 2] = [6, 24];
const BAND: u32 = 34;
/// Between the two bands.
const GAP: u32 = 4;
/// The marks of new frames, and the numbers of frames below them.
const MARKS: u32 = 10;
const AXIS: u32 = 26;
/// A line of the legend, and how many classes are named at most.
const LINE: u32 = 19;
const NAMED: usize = 60;

/// Where everything lies.
struct Layout {
    /// Frames of a line, and the width of one.
    per_line: usize,
    column: u32,
    /// From one line to the next.
    line: u32,
    /// Where the first line begins.
    top: u32,
    /// Of the whole picture.
    size: (u32, u32),
}

impl Layout {
    fn of(bands: &Bands) -> Self {
        let frames = bands.categories.len().max(1);
        let lines = frames.div_ceil((ROOM / COLUMN[0]) as usize);
        let per_line = frames.div_ceil(lines);
        let column = (ROOM / per_line as u32).clamp(COLUMN[0], COLUMN[1]);
        let above = match bands.classes {
            Some(_) => BAND + GAP,
            None => 0,
        };
        let line = above + BAND + MARKS + AXIS;
        let width = MARGIN + NAMES + (per_line as u32 * column).max(600) + MARGIN;
        let height = HEAD + lines as u32 * line + 4;
        let below = legend(&mut None, bands, (width, height));
        Self {
            per_line,
            column,
            line,
            top: HEAD,
            size: (width, below + MARGIN / 2),
        }
    }
}

/// Draws the bands.
pub fn draw(bands: &Bands) -> Picture {
    let layout = Layout::of(bands);
    let mut canvas = Canvas::new(layout.size.0, layout.size.1);
    let title = match bands.classes {
        Some(_) => "The last window, a column a frame: true classes, and what they were taken for",
        None => "The last window, a column a frame: what the frames were taken for",
    };
    canvas.text((MARGIN, 20), Anchor::Left, 17, INK, title);
    canvas.text((MARGIN, 42), Anchor::Left, 12, PALE, &bands.said);
    let frames = bands.categories.len();
    for (at, from) in (0..frames).step_by(layout.per_line).enumerate() {
        let to = (from + layout.per_line).min(frames);
        line(&mut canvas, bands, &layout, (at as u32, from..to));
    }
    let lines = frames.div_ceil(layout.per_line) as u32;
    let below = layout.top + lines * layout.line + 4;
    legend(&mut Some(&mut canvas), bands, (layout.size.0, below));
    canvas.picture()
}

/// Some frames, side by side.
fn line(
    canvas: &mut Canvas,
    bands: &Bands,
    layout: &Layout,
    (at, frames): (u32, std::ops::Range<usize>),
) {
    let mut top = layout.top + at * layout.line;
    let left = MARGIN + NAMES;
    let x = |frame: usize| left + (frame - frames.start) as u32 * layout.column;
    let width = layout.column - 1;
    let mut band = |canvas: &mut Canvas, name: &str, colours: &[Colour]| {
        let middle = (left - 8, top + BAND / 2);
        canvas.text(middle, Anchor::Right, 12, INK, name);
        for frame in frames.clone() {
            canvas.fill((x(frame), top), (width, BAND), colours[frame]);
        }
        top += BAND + GAP;
    };
    if let Some(classes) = &bands.classes {
        band(canvas, "true", classes);
    }
    band(canvas, "found", &bands.categories);
    let below = top - GAP;
    for frame in frames.clone() {
        if bands.new[frame] {
            canvas.fill((x(frame), below + 3), (width, MARKS - 5), INK);
        }
        if frame.is_multiple_of(10) {
            let middle = x(frame) + width / 2;
            canvas.fill((middle, below + MARKS), (1, 3), PALE);
            let number = (middle, below + MARKS + 10);
            canvas.text(number, Anchor::Middle, 11, PALE, &frame.to_string());
        }
    }
}

/// What the mark and the colours mean, from a point on down, as far to the right as the picture is wide; gives where it ends. Where there
/// is no canvas it only measures.
fn legend(canvas: &mut Option<&mut Canvas>, bands: &Bands, (right, top): (u32, u32)) -> u32 {
    let mut shown: Vec<_> = bands.legend.iter().take(NAMED).cloned().collect();
    if let Some(more) = bands
        .legend
        .len()
        .checked_sub(NAMED)
        .filter(|more| *more > 0)
    {
        shown.push(([255; 3], format!("and {more} more")));
    }
    let (mut x, mut y) = (MARGIN, top + LINE / 2);
    let said = [
        Some("a frame that began its category"),
        bands.classes.as_ref().map(|_| {
            "a category has the colour of the class that it mostly holds, further ones of that class its shades"
        }),
    ];
    if let Some(canvas) = canvas {
        canvas.fill((x, y - 2), (12, MARKS - 5), INK);
        let said: Vec<_> = said.into_iter().flatten().collect();
        canvas.text((x + 17, y), Anchor::Left, 12, PALE, &said.join("; "));
    }
    y += LINE;
    for (colour, name) in &shown {
        let wide = 17 + canvas::width(name, 12) + 16;
        if x > MARGIN && x + wide > right - MARGIN {
            (x, y) = (MARGIN, y + LINE);
        }
        if let Some(canvas) = canvas {
            canvas.fill((x, y - 6), (12, 12), *colour);
            canvas.text((x + 17, y), Anchor::Left, 12, PALE, name);
        }
        x += wide;
    }
    match shown.is_empty() {
        true => y - LINE / 2,
        false => y + LINE / 2,
    }
}

#[cfg(test)]
mod tests;
