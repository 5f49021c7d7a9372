//! TensorBoard's event file, written record by record into a file of our own.
//!
//! tensorboard-rs gives the messages and the framing. Its `SummaryWriter` is not used: two of them in one second
//! truncate each other's file, and a full disk aborts the process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protobuf::{Message, RepeatedField};
use serde_json::Value;
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::summary::{Summary, Summary_Image, Summary_Value};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;
use tensorboard_rs::summary;

use super::histogram::Histogram;
use super::sink::Sink;
use super::summary_value::plugin_value;
use super::{Result, Status, hparams, io_error, layout, run_json};
use crate::ground::clock::{Stopwatch, wall_time};

/// How long events may wait in the buffer before TensorBoard can see them.
const PATIENCE: Duration = Duration::from_secs(2);

/// An open event file. What cannot be written waits until it can.
pub struct Events {
    file: Sink,
    /// Records since the last flush.
    records: Vec<u8>,
    since_flush: Stopwatch,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.file.leave(std::mem::take(&mut self.records));
    }
}

impl Events {
    /// Makes a new event file in a run's folder. `first_step` is the first step that will be recorded: what an earlier
    /// file of the run says of that step and later ones, TensorBoard then forgets.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(folder: &Path, first_step: u64) -> Result<Self> {
        let start = wall_time() as u64;
        let host: String = run_json::host()
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        let name = format!(
            "events.out.tfevents.{start:010}.{host}.{}",
            std::process::id()
        );
        let (path, file) = unused(folder, &name).map_err(io_error("create a file in", folder))?;
        Ok(Self::on(file, &path, first_step))
    }

    /// Starts an event file on an open, empty file; `path` is what a warning calls it.
    pub fn on(file: File, path: &Path, first_step: u64) -> Self {
        let mut events = Self {
            file: Sink::new(path, file),
            records: Vec::new(),
            since_flush: Stopwatch::start(),
        };
        let mut version = Event::new();
        version.set_file_version("brain.Event:2".to_owned());
        events.write(version, 0);
        // The first file needs its START too: TensorBoard ignores the first one that it meets in a run.
        let mut log = SessionLog::new();
        log.set_status(SessionLog_SessionStatus::START);
        let mut start = Event::new();
        start.set_session_log(log);
        events.write(start, first_step);
        events.flush();
        events
    }

    /// Records a number.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) {
        self.summary(summary::scalar(tag, value), step);
    }

    /// Records the distribution of those `values` that are finite; nothing when none is.
    pub fn histogram(&mut self, tag: &str, step: u64, values: &[f64]) {
        if let Some(h) = Histogram::of(values) {
            let summary = summary::histogram_raw(
                tag,
                h.min,
                h.max,
                h.num,
                h.sum,
                h.sum_squares,
                &h.limits,
                &h.counts,
            );
            self.summary(summary, step);
        }
    }

    /// Records a text in Markdown.
    pub fn text(&mut self, tag: &str, step: u64, markdown: &str) {
        let mut dim = TensorShapeProto_Dim::new();
        dim.set_size(1);
        let mut shape = TensorShapeProto::new();
        shape.set_dim(RepeatedField::from_vec(vec![dim]));
        let mut tensor = TensorProto::new();
        tensor.set_dtype(DataType::DT_STRING);
        tensor.set_tensor_shape(shape);
        tensor.set_string_val(RepeatedField::from_vec(vec![markdown.as_bytes().to_vec()]));
        // `TextPluginData` of version 0 is no bytes at all.
        let mut value = plugin_value(tag, "text", Vec::new());
        value.set_tensor(tensor);
        self.value(value, step);
    }

    /// Records an image: a PNG file of `width` by `height` RGB pixels.
    pub fn image(&mut self, tag: &str, step: u64, png: &[u8], width: u32, height: u32) {
        let mut image = Summary_Image::new();
        image.set_width(width as i32);
        image.set_height(height as i32);
        image.set_colorspace(3);
        image.set_encoded_image_string(png.to_vec());
        let mut value = Summary_Value::new();
        value.set_tag(tag.to_owned());
        value.set_image(image);
        self.value(value, step);
    }

    /// Records the run's row in the HPARAMS tab. `metrics` are the tags shown beside it, at their last step; with none,
    /// TensorBoard works out the columns itself, from the hyperparameters and the scalars of all runs together.
    ///
    /// With some, TensorBoard shows only the columns of the first run that it finds.
    pub fn hparams(&mut self, values: &BTreeMap<String, Value>, metrics: &[&str]) {
        if !metrics.is_empty() {
            self.summary(hparams::experiment(values, metrics), 0);
        }
        self.summary(hparams::session_start(values), 0);
    }

    /// Records the order of the CUSTOM SCALARS tab.
    pub fn layout(&mut self) {
        self.value(layout::value(), 0);
    }

    /// Records in the HPARAMS tab how the run ended.
    pub fn session_end(&mut self, status: Status) {
        self.summary(hparams::session_end(status), 0);
    }

    /// Brings everything recorded so far to the file.
    pub fn flush(&mut self) {
        let records = std::mem::take(&mut self.records);
        match records.is_empty() {
            true => self.file.retry(),
            false => self.file.append(records),
        }
        self.since_flush = Stopwatch::start();
    }

    /// Brings everything to the file, and says what is missing all the same.
    pub fn finish(&mut self) -> Option<String> {
        self.flush();
        self.file.trouble()
    }

    fn value(&mut self, value: Summary_Value, step: u64) {
        let mut summary = Summary::new();
        summary.set_value(RepeatedField::from_vec(vec![value]));
        self.summary(summary, step);
    }

    fn summary(&mut self, summary: Summary, step: u64) {
        let mut event = Event::new();
        event.set_summary(summary);
        self.write(event, step);
        if self.since_flush.elapsed() >= PATIENCE {
            self.flush();
        }
    }

    fn write(&mut self, mut event: Event, step: u64) {
        event.set_wall_time(wall_time());
        event.set_step(step as i64);
        let framed = event.write_to_bytes().map_err(io::Error::other);
        let framed = framed.and_then(|bytes| RecordWriter::new(&mut self.records).write(&bytes));
        if let Err(error) = framed {
            tracing::warn!("an event cannot be framed: {error}");
        }
    }
}

/// Makes the first of `name.0`, `name.1`, ... that there is not yet.
fn unused(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let mut counter = 0;
    loop {
        let path = folder.join(format!("{name}.{counter}"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => counter += 1,
            result => break result.map(|file| (path, file)),
        }
    }
}

#[cfg(test)]
mod tests;
