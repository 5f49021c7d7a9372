//! The order of TensorBoard's CUSTOM SCALARS tab: what a person looks at first, a chart for numbers that belong together.

use protobuf::{Message, RepeatedField};
use tensorboard_proto::layout::{
    Category, Chart, Layout, MarginChartContent, MarginChartContent_Series, MultilineChartContent,
};
use tensorboard_proto::summary::Summary_Value;
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType;

use super::summary_value::plugin_value;

/// Curves of one chart.
enum Curves {
    /// Those whose tags one of the regular expressions matches from its beginning to its end.
    Lines(&'static [&'static str]),
    /// A line between two others: value, lower, upper.
    Band([&'static str; 3]),
}

use Curves::{Band, Lines};

/// Titles, with the charts below each; the first four are open.
const SCREEN: [(&str, &[(&str, Curves)]); 7] = [
    (
        "How it goes",
        &[
            ("losses", Lines(&["loss/.*"])),
            ("accuracy %", Lines(&["eval/.*top1"])),
            ("live generations", Lines(&["swap/[a-z]+"])),
            ("learning rate", Lines(&["train/lr"])),
            ("norm of the gradient", Lines(&["train/grad_norm"])),
        ],
    ),
    (
        "Pairs",
        &[
            ("cosines", Lines(&["sim/.*"])),
            (
                "ranks of the negatives, 10 % to 90 %",
                Band([
                    "sampler/rank_median",
                    "sampler/rank_p10",
                    "sampler/rank_p90",
                ]),
            ),
            (
                "false by the true labels",
                Lines(&["sampler/false_(negative|positive)_rate"]),
            ),
            ("beyond the boundary", Lines(&["boundary/violations"])),
            (
                "gap between positives and negatives",
                Lines(&["boundary/gap_.*"]),
            ),
            ("distinct negatives", Lines(&["sampler/unique_fraction"])),
        ],
    ),
    (
        "Pseudo-labels",
        &[
            ("agreement", Lines(&["labels/(nmi_.*|purity)"])),
            (
                "changed labels",
                Lines(&["labels/churn", "labels/change_ratio"]),
            ),
            (
                "life of the clusters",
                Lines(&["labels/(births|deaths|splits|merges)"]),
            ),
            ("sizes", Lines(&["labels/(min|max)"])),
            ("empty clusters", Lines(&["labels/empty"])),
        ],
    ),
    (
        "Bank",
        &[
            ("rows that were chosen", Lines(&["bank/coverage_.*"])),
            ("age in steps", Lines(&["bank/age_.*"])),
            ("hubness", Lines(&["bank/hubness"])),
            ("rows near to nobody", Lines(&["bank/antihubs"])),
        ],
    ),
    (
        "Shadows",
        &[
            ("choices in common", Lines(&["shadow/.*jaccard"])),
            ("false negatives", Lines(&["shadow/.*false_negative_rate"])),
            ("angle of the gradients", Lines(&["shadow/.*grad_cosine"])),
            ("losses", Lines(&["shadow/.*loss"])),
        ],
    ),
    (
        "Representation",
        &[
            ("dimensions in use", Lines(&["rep/rankme"])),
            ("spread", Lines(&["rep/std"])),
            (
                "alignment and uniformity",
                Lines(&["rep/(alignment|uniformity)"]),
            ),
        ],
    ),
    (
        "Cost",
        &[
            ("images a second", Lines(&["perf/images_per_s"])),
            ("milliseconds a step", Lines(&["perf/step_ms"])),
            (
                "policies, milliseconds a step",
                Lines(&["perf/policy_ms/.*"]),
            ),
            (
                "policies' own, milliseconds a step",
                Lines(&["perf/policy_own_ms/.*"]),
            ),
        ],
    ),
];

/// Categories that are open at first.
const OPEN: usize = 4;

/// The layout as TensorBoard's plugin reads it: under one tag, as the one string of a tensor without dimensions.
pub(super) fn value() -> Summary_Value {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    let bytes = layout().write_to_bytes();
    let bytes = bytes.expect("a message in memory can be written");
    tensor.set_string_val(RepeatedField::from_vec(vec![bytes]));
    let mut value = plugin_value("custom_scalars__config__", "custom_scalars", Vec::new());
    value.set_tensor(tensor);
    value
}

fn layout() -> Layout {
    let categories = SCREEN.iter().enumerate().map(|(at, (title, charts))| {
        let mut category = Category::new();
        category.set_title((*title).to_owned());
        category.set_chart(charts.iter().map(chart).collect());
        category.set_closed(at >= OPEN);
        category
    });
    let mut layout = Layout::new();
    layout.set_category(categories.collect());
    layout
}

fn chart((title, curves): &(&str, Curves)) -> Chart {
    let mut chart = Chart::new();
    chart.set_title((*title).to_owned());
    match curves {
        Lines(tags) => {
            let mut lines = MultilineChartContent::new();
            lines.set_tag(tags.iter().map(|tag| (*tag).to_owned()).collect());
            chart.set_multiline(lines);
        }
        Band([value, lower, upper]) => {
            let mut series = MarginChartContent_Series::new();
            series.set_value((*value).to_owned());
            series.set_lower((*lower).to_owned());
            series.set_upper((*upper).to_owned());
            let mut band = MarginChartContent::new();
            band.set_series(RepeatedField::from_vec(vec![series]));
            chart.set_margin(band);
        }
    }
    chart
}
