//! What TensorBoard's HPARAMS tab reads: summaries without a value, whose metadata holds all.

use std::collections::BTreeMap;

use protobuf::well_known_types;
use protobuf::{Message, RepeatedField};
use serde_json::Value;
use tensorboard_proto::api::{DataType, Experiment, HParamInfo, MetricInfo, MetricName};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo};
use tensorboard_proto::summary::Summary;

use super::Status;
use super::summary_value::plugin_value;
use crate::ground::clock;

/// The columns of the table: the names and types of the hyperparameters, and the tags of the metrics.
pub(super) fn experiment(hparams: &BTreeMap<String, Value>, metrics: &[&str]) -> Summary {
    let infos = hparams.iter().map(|(name, value)| {
        let mut info = HParamInfo::new();
        info.set_name(name.clone());
        info.set_field_type(match value {
            Value::Bool(_) => DataType::DATA_TYPE_BOOL,
            Value::Number(_) => DataType::DATA_TYPE_FLOAT64,
            _ => DataType::DATA_TYPE_STRING,
        });
        info
    });
    let metrics = metrics.iter().map(|tag| {
        let mut name = MetricName::new();
        name.set_tag((*tag).to_owned());
        let mut info = MetricInfo::new();
        info.set_name(name);
        info
    });
    let mut experiment = Experiment::new();
    experiment.set_time_created_secs(clock::wall_time());
    experiment.set_hparam_infos(infos.collect());
    experiment.set_metric_infos(metrics.collect());
    let mut content = HParamsPluginData::new();
    content.set_experiment(experiment);
    summary("_hparams_/experiment", &content)
}

/// The run's row of the table.
pub(super) fn session_start(hparams: &BTreeMap<String, Value>) -> Summary {
    let values = hparams
        .iter()
        .map(|(name, value)| (name.clone(), cell(value)));
    let mut start = SessionStartInfo::new();
    start.set_hparams(values.collect());
    start.set_start_time_secs(clock::wall_time());
    let mut content = HParamsPluginData::new();
    content.set_session_start_info(start);
    summary("_hparams_/session_start_info", &content)
}

/// How the run ended.
pub(super) fn session_end(status: Status) -> Summary {
    use tensorboard_proto::api::Status as Theirs;
    let mut end = SessionEndInfo::new();
    end.set_status(match status {
        Status::Running => Theirs::STATUS_RUNNING,
        Status::Finished => Theirs::STATUS_SUCCESS,
        Status::Failed => Theirs::STATUS_FAILURE,
        Status::Interrupted => Theirs::STATUS_UNKNOWN,
    });
    end.set_end_time_secs(clock::wall_time());
    let mut content = HParamsPluginData::new();
    content.set_session_end_info(end);
    summary("_hparams_/session_end_info", &content)
}

/// A cell of the table: a number, a truth value or a text; lists and maps are shown as their JSON.
fn cell(value: &Value) -> well_known_types::Value {
    let mut cell = well_known_types::Value::new();
    match value {
        Value::Bool(truth) => cell.set_bool_value(*truth),
        Value::Number(number) => cell.set_number_value(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => cell.set_string_value(text.clone()),
        other => cell.set_string_value(other.to_string()),
    }
    cell
}

fn summary(tag: &str, content: &HParamsPluginData) -> Summary {
    let bytes = content
        .write_to_bytes()
        .expect("proto3 messages have no required field that could be missing");
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![plugin_value(
        tag, "hparams", bytes,
    )]));
    summary
}
