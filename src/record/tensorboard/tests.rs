//! Events read back as TensorBoard reads them; what goes wrong on a disk.

use std::fs;

use tensorboard_proto::api;
use tensorboard_proto::layout::Layout;
use tensorboard_proto::plugin_hparams::HParamsPluginData;
use tensorboard_rs::masked_crc32c::masked_crc32c;

use super::*;

/// Takes `count` bytes and their masked CRC off the front, and checks the one by the other.
fn checked<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (content, rest) = bytes.split_at(count);
    let (crc, rest) = rest.split_at(4);
    assert_eq!(masked_crc32c(content).to_le_bytes(), crc);
    *bytes = rest;
    content
}

fn read(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(checked(&mut rest, 8).try_into().unwrap());
        events.push(Event::parse_from_bytes(checked(&mut rest, length as usize)).unwrap());
    }
    events
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn value(event: &Event) -> &Summary_Value {
    &event.get_summary().get_value()[0]
}

#[test]
fn events_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::create(folder.path(), 40).unwrap();
    events.scalar("loss/total", 41, 2.5);
    events.scalar("loss/total", 42, f32::NAN);
    events.histogram("sim/positive", 42, &[0.5, 0.25, f64::NAN]);
    events.histogram("sim/none", 42, &[f64::NAN]);
    events.text("swap/sampler", 42, "**generation 2**");
    events.image("views", 42, b"png", 64, 32);
    events.flush();

    let read = read(&files(folder.path())[0]);
    assert_eq!(read.len(), 7);
    assert_eq!(read[0].get_file_version(), "brain.Event:2");
    assert_eq!(
        read[1].get_session_log().get_status(),
        SessionLog_SessionStatus::START
    );
    let steps: Vec<_> = read.iter().map(Event::get_step).collect();
    assert_eq!(steps, [0, 40, 41, 42, 42, 42, 42]);
    assert!(read.iter().all(|event| event.get_wall_time() > 1.7e9));
    assert_eq!(value(&read[2]).get_tag(), "loss/total");
    assert_eq!(value(&read[2]).get_simple_value(), 2.5);
    assert!(value(&read[3]).get_simple_value().is_nan());
    let histogram = value(&read[4]).get_histo();
    assert_eq!((histogram.get_num(), histogram.get_max()), (2.0, 0.5));
    assert_eq!(
        value(&read[5])
            .get_metadata()
            .get_plugin_data()
            .get_plugin_name(),
        "text"
    );
    assert_eq!(
        value(&read[5]).get_tensor().get_string_val(),
        [b"**generation 2**"]
    );
    let image = value(&read[6]).get_image();
    assert_eq!((image.get_width(), image.get_height()), (64, 32));
    assert_eq!(image.get_encoded_image_string(), b"png");
}

#[test]
fn hyperparameters_keep_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::create(folder.path(), 0).unwrap();
    let hparams = BTreeMap::from([
        ("lr".to_owned(), Value::from(0.03)),
        ("method".to_owned(), Value::from("moco")),
        ("symmetric".to_owned(), Value::from(true)),
        ("weights".to_owned(), Value::from(vec![0.75, 0.25])),
    ]);
    events.hparams(&hparams, &["eval/knn_top1"]);
    events.session_end(Status::Finished);
    events.flush();
    let contents: Vec<_> = read(&files(folder.path())[0])[2..]
        .iter()
        .map(|event| {
            let data = value(event).get_metadata().get_plugin_data();
            assert_eq!(data.get_plugin_name(), "hparams");
            HParamsPluginData::parse_from_bytes(data.get_content()).unwrap()
        })
        .collect();
    let experiment = contents[0].get_experiment();
    assert_eq!(
        experiment.get_metric_infos()[0].get_name().get_tag(),
        "eval/knn_top1"
    );
    assert_eq!(experiment.get_hparam_infos().len(), 4);
    let start = contents[1].get_session_start_info().get_hparams();
    assert_eq!(start["lr"].get_number_value(), 0.03);
    assert_eq!(start["method"].get_string_value(), "moco");
    assert!(start["symmetric"].get_bool_value());
    assert_eq!(start["weights"].get_string_value(), "[0.75,0.25]");
    let end = contents[2].get_session_end_info();
    assert_eq!(end.get_status(), api::Status::STATUS_SUCCESS);
}

#[test]
fn the_layout_is_the_string_of_a_tensor_without_dimensions() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::create(folder.path(), 0).unwrap();
    events.layout();
    events.flush();
    let read = read(&files(folder.path())[0]);
    let value = value(&read[2]);
    assert_eq!(value.get_tag(), "custom_scalars__config__");
    assert!(value.get_tensor().get_tensor_shape().get_dim().is_empty());
    let layout = Layout::parse_from_bytes(&value.get_tensor().get_string_val()[0]).unwrap();
    let first = &layout.get_category()[0];
    assert_eq!(first.get_chart()[0].get_multiline().get_tag(), ["loss/.*"]);
    assert!(!first.get_closed());
}

#[test]
fn two_writers_in_one_second_keep_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = unused(folder.path(), "events").unwrap();
    let (second, _) = unused(folder.path(), "events").unwrap();
    assert_eq!(files(folder.path()), [first, second]);

    let folder = tempfile::tempdir().unwrap();
    let mut one = Events::create(folder.path(), 0).unwrap();
    let mut other = Events::create(folder.path(), 0).unwrap();
    one.scalar("a", 1, 1.0);
    other.scalar("b", 1, 2.0);
    drop((one, other));
    let counts: Vec<_> = files(folder.path())
        .iter()
        .map(|path| read(path).len())
        .collect();
    assert_eq!(counts, [3, 3]);
}

#[test]
fn a_full_disk_stops_the_events_only() {
    let path = Path::new("/dev/full");
    let file = File::options().write(true).open(path).unwrap();
    let mut events = Events::on(file, path, 0);
    for step in 0..2000 {
        events.scalar("loss/total", step, 1.0);
    }
    events.flush();
    assert!(events.finish().unwrap().contains("could not be written"));
}
