//! A plot of the page: curves over steps, with the swaps as vertical lines. It takes its colours from the page's style, so that it
//! is dark where the page is.

use std::fmt::Write as _;

use super::escape;
use crate::registry::curves::Curve;
use crate::registry::history::Reign;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;
/// Points of a curve; one that has more is thinned, its extremes kept.
const POINTS: usize = 600;
/// Points of a curve up to which each is a dot too: a single one would not be seen.
const DOTS: usize = 12;

/// Up to three curves.
pub(super) struct Plot<'a> {
    pub(super) series: Vec<(&'a str, &'a Curve)>,
    pub(super) swaps: &'a [&'a Reign],
}

impl Plot<'_> {
    pub(super) fn svg(&self) -> String {
        let finite = || {
            self.series
                .iter()
                .flat_map(|(_, curve)| curve.values())
                .filter(|y| y.is_finite())
        };
        let last = self
            .series
            .iter()
            .filter_map(|(_, curve)| curve.keys().next_back())
            .max();
        let last = last.copied().unwrap_or(1).max(1) as f64;
        let low = finite().copied().fold(f64::INFINITY, f64::min);
        let high = finite().copied().fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return "<p>not finite</p>".into();
        }
        let ticks = round_numbers(low, high);
        let (bottom, top) = (low.min(ticks[0]), high.max(ticks[ticks.len() - 1]));
        let x = |step: f64| LEFT + step / last * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| {
            TOP + (top - value) / (top - bottom).max(f64::MIN_POSITIVE) * (HEIGHT - TOP - BOTTOM)
        };
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
        draw_axes(&mut svg, &ticks, last, (&x, &y));
        self.draw_swaps(&mut svg, &x);
        for (at, (name, curve)) in self.series.iter().enumerate() {
            let points: Vec<_> = thinned(curve)
                .into_iter()
                .map(|(step, value)| (x(step as f64), y(value)))
                .collect();
            if points.len() <= DOTS {
                for (x, y) in &points {
                    let _ = write!(
                        svg,
                        "<circle class=\"k{at}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
                    );
                }
            }
            let points: String = points
                .into_iter()
                .map(|(x, y)| format!("{x:.1},{y:.1} "))
                .collect();
            let left = LEFT + at as f64 * 160.0;
            let _ = write!(
                svg,
                "<polyline class=\"s{at}\" points=\"{}\"/><rect class=\"k{at}\" x=\"{left}\" y=\"6\" width=\"14\" height=\"4\"/>\
                 <text x=\"{}\" y=\"12\">{}</text>",
                points.trim_end(),
                left + 19.0,
                escape(name)
            );
        }
        svg + "</svg>"
    }

    fn draw_swaps(&self, svg: &mut String, x: &impl Fn(f64) -> f64) {
        for swap in self.swaps {
            let at = x(swap.from as f64);
            let what = format!(
                "{}: {} gen {} from step {} on",
                swap.slot,
                swap.policy,
                swap.generation,
                swap.from + 1
            );
            let _ = write!(
                svg,
                "<g><title>{}</title><line class=\"swap\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{}\"/>\
                 <text class=\"mark\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}{}</text></g>",
                escape(&what),
                HEIGHT - BOTTOM,
                TOP - 4.0,
                &swap.slot.name()[..1],
                swap.generation
            );
        }
    }
}

/// Lines at the ticks with their numbers, and some steps below.
fn draw_axes(
    svg: &mut String,
    ticks: &[f64],
    last: f64,
    (x, y): (&impl Fn(f64) -> f64, &impl Fn(f64) -> f64),
) {
    for tick in ticks {
        let at = y(*tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            short(*tick)
        );
    }
    for step in round_numbers(0.0, last) {
        if step > last || step.fract() != 0.0 {
            continue;
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{step}</text>",
            x(step),
            HEIGHT - 8.0
        );
    }
}

/// Round numbers within the range, three or more.
fn round_numbers(low: f64, high: f64) -> Vec<f64> {
    let range = match high - low {
        range if range > 0.0 => range,
        _ => low.abs().max(1e-6) * 0.1,
    };
    let rough = range / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).floor() as i64;
    let last = ((low + range) / step).ceil() as i64;
    (first..=last).map(|tick| tick as f64 * step).collect()
}

fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = match value.abs() {
        size if size >= 10_000.0 => return format!("{:.0}k", value / 1000.0),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.001 => format!("{value:.4}"),
        _ => return format!("{value:.1e}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The finite points of a curve; of many the lowest and the highest of each part.
fn thinned(curve: &Curve) -> Vec<(u64, f64)> {
    let points: Vec<_> = curve
        .iter()
        .map(|(step, value)| (*step, *value))
        .filter(|(_, value)| value.is_finite())
        .collect();
    if points.len() <= POINTS {
        return points;
    }
    let mut thin = Vec::with_capacity(POINTS);
    for part in points.chunks(points.len().div_ceil(POINTS / 2)) {
        let by_value = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
        let ends = [part.iter().min_by(by_value), part.iter().max_by(by_value)];
        let mut ends: Vec<_> = ends.into_iter().flatten().copied().collect();
        ends.sort_by_key(|(step, _)| *step);
        ends.dedup();
        thin.extend(ends);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_enclose_the_values_and_are_few() {
        for (low, high) in [
            (0.0, 1.0),
            (3.4, 4.1),
            (-0.2, 0.9),
            (78.1, 79.9),
            (5.0, 5.0),
            (0.0, 0.0),
            (1e-5, 3e-5),
        ] {
            let ticks = round_numbers(low, high);
            assert!(
                ticks.len() >= 2 && ticks.len() <= 8,
                "{low}..{high}: {ticks:?}"
            );
            assert!(
                ticks[0] <= low + 1e-12 && ticks[ticks.len() - 1] >= high - 1e-12,
                "{ticks:?}"
            );
        }
    }

    #[test]
    fn a_long_curve_keeps_its_peaks() {
        let mut curve: Curve = (0..100_000)
            .map(|step| (step, (step as f64).sin()))
            .collect();
        curve.insert(777, 50.0);
        curve.insert(778, f64::NAN);
        let thin = thinned(&curve);
        assert!(thin.len() <= POINTS && thin.contains(&(777, 50.0)));
        assert!(thin.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
