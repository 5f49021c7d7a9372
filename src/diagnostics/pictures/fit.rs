//! A network that learns an attacked image from noise: what it answers on the way, what the victim takes that for, what defences keep.

use image::RgbImage;
use tch::Tensor;

use super::Picture;
use super::canvas::{self, Anchor, Canvas, Colour, GRID, INK, PALE};
use super::montage::{enlarged, times};
use super::tile::{FRAME, OTHER, SAME, extent, framed};

/// The fit of one image.
#[derive(Debug)]
pub struct Course {
    /// The names of the classes.
    pub names: Vec<String>,
    /// The true class.
    pub truth: i64,
    /// The clean and the attacked image.
    pub begins: [End; 2],
    /// What defences made of the attacked one.
    pub ends: Vec<End>,
    /// The steps of `frames`.
    pub steps: Vec<u64>,
    /// Some of what the network answered, `[n, C, H, W]` f32 in `0..=1`.
    pub frames: Tensor,
    /// What the victim takes the answer of each step for.
    pub predictions: Vec<i64>,
    /// The steps that each defence kept.
    pub kept: Vec<(String, Vec<u64>)>,
}

/// An image that stands for itself.
#[derive(Debug)]
pub struct End {
    /// What it is.
    pub said: String,
    /// What the victim takes it for.
    pub class: i64,
    /// `[C, H, W]` f32 in `0..=1`.
    pub image: Tensor,
}

const MARGIN: u32 = 16;
const HEAD: u32 = 44;
/// Between two tiles.
const GAP: u32 = 6;
/// Between two rows.
const ROW: u32 = 14;
/// Height of the band of classes, and of a line of marks below it.
const BAND: u32 = 22;
const MARKS: u32 = 16;
/// Room for the names beside the band.
const NAMES: u32 = 92;
/// A class that is neither the true one nor the attack's.
const THIRD: Colour = [170, 170, 170];

/// Draws a fit: above the images and what came of them, in the middle the fit, below a band with the victim's class of each step and
/// the steps that defences kept.
pub fn picture(course: &Course) -> Picture {
    let above: Vec<&End> = course.begins.iter().chain(&course.ends).collect();
    let stacked = Tensor::stack(&above.iter().map(|end| &end.image).collect::<Vec<_>>(), 0);
    let times = times(&stacked);
    let [above_tiles, frames] = [&stacked, &course.frames].map(|images| enlarged(images, times));
    let (across, down) = extent(&above_tiles[0]);
    let columns = above_tiles.len().max(frames.len()) as u32;
    let width = (MARGIN * 2 + columns * (across + GAP)).max(560);
    let marks = course.kept.len() as u32 * MARKS;
    let height = HEAD + 2 * (down + ROW) + BAND + marks + 40;
    let mut canvas = Canvas::new(width, height);
    head(&mut canvas, course);
    let row = |canvas: &mut Canvas, y: u32, tiles: &[RgbImage], said: Vec<(String, i64)>| {
        for (at, (image, (text, class))) in (0..).zip(tiles.iter().zip(said)) {
            let x = MARGIN + at * (across + GAP);
            let same = course.kind(class);
            let lines = [(INK, text), (PALE, course.name(class))];
            framed(canvas, (x, y), image, same, &lines);
        }
    };
    let said = above.iter().map(|end| (end.said.clone(), end.class));
    row(&mut canvas, HEAD, &above_tiles, said.collect());
    let steps = course.steps.iter();
    let said = steps.map(|step| (format!("step {step}"), course.predictions[*step as usize]));
    let second = HEAD + down + ROW;
    row(&mut canvas, second, &frames, said.collect());
    band(&mut canvas, course, (second + down + ROW, width));
    canvas.picture()
}

impl Course {
    fn name(&self, class: i64) -> String {
        let name = self.names.get(class as usize);
        name.map_or_else(|| class.to_string(), Clone::clone)
    }

    /// The victim's class of the attacked image.
    fn attacked(&self) -> i64 {
        self.begins[1].class
    }

    /// Whether a class is the true one, or what the attack makes of the image; none of another one.
    fn kind(&self, class: i64) -> Option<bool> {
        let known = [self.truth, self.attacked()].contains(&class);
        known.then_some(class == self.truth)
    }

    fn colour(&self, class: i64) -> Colour {
        match self.kind(class) {
            Some(true) => SAME,
            Some(false) => OTHER,
            None => THIRD,
        }
    }
}

fn head(canvas: &mut Canvas, course: &Course) {
    let said = [
        (
            SAME,
            format!("{}, which is right", course.name(course.truth)),
        ),
        (
            OTHER,
            match course.attacked() == course.truth {
                true => "another class".to_owned(),
                false => format!(
                    "{}, which the attack makes of it",
                    course.name(course.attacked())
                ),
            },
        ),
        (THIRD, "any other class".to_owned()),
    ];
    let mut x = MARGIN;
    for (colour, text) in said {
        canvas.fill((x, 14), (12, 12), colour);
        canvas.text((x + 17, 20), Anchor::Left, 12, PALE, &text);
        x += 17 + canvas::width(&text, 12) + 16;
    }
}

/// A column a step, coloured by the victim's class, and marks below of what was kept.
fn band(canvas: &mut Canvas, course: &Course, (y, width): (u32, u32)) {
    let (left, room) = (MARGIN + NAMES, width - 2 * MARGIN - NAMES);
    let steps = course.predictions.len() as u32;
    let place = |step: u32| left + step * room / steps;
    canvas.text(
        (MARGIN, y + BAND / 2),
        Anchor::Left,
        12,
        INK,
        "victim's class",
    );
    for (step, class) in (0..).zip(&course.predictions) {
        let wide = (place(step + 1) - place(step)).max(1);
        canvas.fill((place(step), y), (wide, BAND), course.colour(*class));
    }
    let mut below = y + BAND;
    for (name, kept) in &course.kept {
        let middle = below + MARKS / 2 + 2;
        let text = canvas::fitted(&format!("{name} kept"), 12, NAMES - 4);
        canvas.text((MARGIN, middle), Anchor::Left, 12, PALE, &text);
        canvas.fill((left, middle + 4), (room, 1), GRID);
        for step in kept {
            let step = *step as u32;
            let wide = (place(step + 1) - place(step)).max(1);
            canvas.fill((place(step), middle - 4), (wide, 8), INK);
        }
        below += MARKS;
    }
    canvas.text((left, below + FRAME + 12), Anchor::Left, 12, PALE, "step 0");
    canvas.text(
        (left + room, below + FRAME + 12),
        Anchor::Right,
        12,
        PALE,
        &steps.to_string(),
    );
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn course() -> Course {
        let image = |value: f64| Tensor::full([1, 4, 4], value, (Kind::Float, Device::Cpu));
        let end = |said: &str, class| End {
            said: said.into(),
            class,
            image: image(0.5),
        };
        Course {
            names: ["zero", "one", "two"].map(String::from).to_vec(),
            truth: 0,
            begins: [end("clean", 0), end("attacked", 1)],
            ends: vec![end("mine", 2)],
            steps: vec![0, 2, 4],
            frames: Tensor::zeros([3, 1, 4, 4], (Kind::Float, Device::Cpu)),
            predictions: vec![2, 2, 0, 0, 1],
            kept: vec![("mine".into(), vec![2, 4])],
        }
    }

    /// The band has a column a step in the colour of its class, and marks below the steps that were kept.
    #[test]
    fn the_band_shows_the_classes_and_what_was_kept() {
        let drawn = picture(&course());
        let image = image::load_from_memory(&drawn.png).unwrap().to_rgb8();
        let (left, room) = (MARGIN + NAMES, drawn.width - 2 * MARGIN - NAMES);
        let column = |step: u32| left + step * room / 5 + room / 10;
        let y = drawn.height - 40 - MARKS - BAND / 2;
        let seen = [0, 1, 2, 3, 4].map(|step| image.get_pixel(column(step), y).0);
        assert_eq!(seen, [THIRD, THIRD, SAME, SAME, OTHER]);
        let marks = drawn.height - 40 - MARKS / 2 + 2;
        let marked = [0, 1, 2, 3, 4].map(|step| image.get_pixel(column(step), marks - 2).0 == INK);
        assert_eq!(marked, [false, false, true, false, true]);
    }

    #[test]
    fn an_image_that_the_attack_left_right_has_no_class_of_the_attack() {
        let mut course = course();
        course.begins[1].class = 0;
        assert_eq!(
            [0, 1, 2].map(|class| course.kind(class)),
            [Some(true), None, None]
        );
    }
}
