//! A chart as a file, SVG or PNG.

use anyhow::{Result, anyhow};
use image::{
    ExtendedColorType, ImageEncoder as _,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::{Chart, SIZE};
use super::pen::Pen;

/// As SVG.
///
/// # Errors
/// What plotters cannot draw.
pub fn svg(chart: &Chart) -> Result<String> {
    let mut text = String::new();
    draw(
        chart,
        SVGBackend::with_string(&mut text, chart.size(1)).into_drawing_area(),
        1,
    )?;
    Ok(text)
}

/// As a PNG file.
///
/// # Errors
/// What plotters cannot draw.
pub fn png(chart: &Chart) -> Result<Vec<u8>> {
    let (width, height) = chart.size(2);
    let mut pixels = vec![255; (width * height * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
    draw(chart, backend.into_drawing_area(), 2)?;
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(png)
}

fn draw<B: DrawingBackend>(chart: &Chart, area: DrawingArea<B, Shift>, scale: u32) -> Result<()>
where
    B::ErrorType: 'static,
{
    let failed = |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("cannot draw: {error}");
    area.fill(&WHITE).map_err(failed)?;
    let (plot, legend) = area.split_vertically(SIZE.1 * scale);
    let pen = Pen::new(scale);
    pen.curves(&plot, chart).map_err(failed)?;
    pen.legend(&legend, &chart.series).map_err(failed)?;
    area.present().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::sweep::chart::{Point, Series};
    use crate::sweep::pen::PALETTE;
    use crate::sweep::spread::Spread;

    fn chart(count: usize) -> Chart {
        let series = |at: usize| Series {
            name: format!("variant {at}"),
            points: (1..=40)
                .map(|step| Point {
                    step,
                    spread: Spread {
                        mean: 50.0 + (at as f64) * step as f64 / 10.0,
                        std: Some(0.5),
                        n: 3,
                    },
                })
                .collect(),
        };
        Chart {
            title: "eval/knn_top1".into(),
            y: "kNN (%)".into(),
            series: (0..count).map(series).collect(),
        }
    }

    #[test]
    fn a_png_shows_text_and_every_colour() {
        let chart = chart(3);
        let image = image::load_from_memory(&png(&chart).unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!((image.width(), image.height()), chart.size(2));
        let count = |x: Range<u32>, y: Range<u32>, wanted: &dyn Fn([u8; 3]) -> bool| {
            let pixels = image.enumerate_pixels();
            let inside = pixels.filter(|(px, py, _)| x.contains(px) && y.contains(py));
            inside.filter(|(_, _, pixel)| wanted(pixel.0)).count()
        };
        let dark = |pixel: [u8; 3]| pixel.iter().all(|&c| c < 128);
        // The title, the names of the axes, and the legend's first row.
        for (x, y) in [
            (40..400, 30..75),
            (800..1100, 1000..1040),
            (10..60, 300..700),
            (250..500, 1040..1088),
        ] {
            let found = count(x.clone(), y.clone(), &dark);
            assert!(found > 150, "{found} dark pixels in {x:?}, {y:?}");
        }
        for RGBColor(r, g, b) in &PALETTE[..3] {
            let found = count(0..1800, 100..1000, &|pixel| pixel == [*r, *g, *b]);
            assert!(found > 300, "{found} pixels of {r}, {g}, {b}");
        }
    }

    #[test]
    fn an_svg_holds_its_words() {
        let mut chart = chart(9);
        chart.series[0].name = "a<b & c".into();
        let svg = svg(&chart).unwrap();
        for word in [
            "eval/knn_top1",
            "optimiser step",
            "kNN (%)",
            "variant 8",
            "a&lt;b &amp; c",
            "82.00 ± 0.50 at step 40, n = 3",
        ] {
            assert!(svg.contains(word), "no '{word}'");
        }
        assert_eq!(
            svg.matches("<polygon").count() - svg.matches("<polygon points=\"\"").count(),
            9
        );
    }

    #[test]
    fn a_single_point_and_a_flat_line_can_be_drawn() {
        for mean in [0.0, -3.5, 1e9] {
            let spread = Spread {
                mean,
                std: None,
                n: 1,
            };
            let chart = Chart {
                title: "t".into(),
                y: "y".into(),
                series: vec![Series {
                    name: "s".into(),
                    points: vec![Point { step: 7, spread }],
                }],
            };
            assert!(svg(&chart).unwrap().contains("<circle"));
        }
    }
}
