//! What the keys under `data` mean: a source of images.

use std::path::Path;

use super::error::Error;
use super::schema::{Config, Scenes};
use super::values::{choose, need, within};
use crate::data::{Decode, Source, Stl10Split, scenes};

/// The source that `data` names.
///
/// # Errors
/// A value that means nothing, or does not fit the source.
pub fn source(config: &Config) -> Result<Source, Error> {
    let data = &config.data;
    let mut known = read_or_embedded(config)?;
    let scenes = Source::Scenes {
        of: Box::new(choose("data.scenes.of", &data.scenes.of, &known)?),
        spec: scenes(&data.scenes)?,
    };
    known.push(("scenes", scenes));
    let source = choose("data.source", &data.source, &known)?;
    let (read, name) = match &source {
        Source::Scenes { of, .. } => (of.as_ref(), &data.scenes.of),
        read => (read, &data.source),
    };
    if !matches!(read, Source::Embedded) && data.dir.as_os_str().is_empty() {
        let message = format!("source '{name}' reads files: expected their folder, found nothing");
        return Err(Error::Value {
            key: "data.dir".into(),
            message,
        });
    }
    Ok(source)
}

/// How scenes are composed.
fn scenes(scenes: &Scenes) -> Result<scenes::Spec, Error> {
    let (side, cells) = (scenes.side, scenes.cells);
    within("data.scenes.cells", cells as f64, MOST_SIDE as f64)?;
    let expected = format!("a multiple of data.scenes.cells, which is {cells}, up to {MOST_SIDE}");
    let holds = (cells..=MOST_SIDE).contains(&side) && side % cells == 0;
    need("data.scenes.side", holds, &expected, side as f64)?;
    let [least, most] = scenes.objects;
    let expected = format!(
        "1 to {}, one in each of the cells, the fewest first",
        cells * cells
    );
    let holds = (1..=most).contains(&least) && most as i64 <= cells * cells;
    need("data.scenes.objects", holds, &expected, most as f64)?;
    let each = 3.0 * (scenes.side * scenes.side) as f64;
    let most = (MOST_BYTES / each).floor();
    within("data.scenes.train", scenes.train as f64, most)?;
    within("data.scenes.eval", scenes.eval as f64, most)?;
    Ok(scenes::Spec {
        side: scenes.side,
        cells: scenes.cells,
        objects: scenes.objects,
        train: scenes.train,
        eval: scenes.eval,
        seed: scenes.seed,
    })
}

/// Side of a scene, at most.
const MOST_SIDE: i64 = 4096;

/// Bytes of the scenes of a split: they are held in memory.
const MOST_BYTES: f64 = 8e9;

/// The sources that read files or are compiled in, by their names.
fn read_or_embedded(config: &Config) -> Result<Vec<(&'static str, Source)>, Error> {
    let data = &config.data;
    let dir = data.dir.clone();
    let decode = decode(config)?;
    let split = choose("data.split", &data.split, &STL10_SPLITS)?;
    let folder = Source::Folder {
        dir: dir.clone(),
        train: data.train.clone(),
        memory: Some(data.memory.clone()).filter(|name| !name.is_empty()),
        eval: data.eval.clone(),
        decode: decode.clone(),
    };
    let named = |path: &Path| Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty());
    let list = Source::List {
        dir: dir.clone(),
        train: (&data.train).into(),
        memory: named(data.memory.as_ref()),
        eval: (&data.eval).into(),
        classes: named(&data.classes),
        decode,
    };
    let stl10 = Source::Stl10 {
        dir: dir.clone(),
        split,
    };
    Ok(vec![
        ("embedded", Source::Embedded),
        ("idx", Source::Idx { dir: dir.clone() }),
        ("cifar10", Source::Cifar10 { dir: dir.clone() }),
        ("cifar100", Source::Cifar100 { dir }),
        ("stl10", stl10),
        ("folder", folder),
        ("list", list),
    ])
}

const STL10_SPLITS: [(&str, Stl10Split); 3] = [
    ("unlabeled", Stl10Split::Unlabeled),
    ("train", Stl10Split::Train),
    ("train+unlabeled", Stl10Split::TrainUnlabeled),
];

/// When files are decoded; sources without files to decode know only the default.
fn decode(config: &Config) -> Result<Decode, Error> {
    let data = &config.data;
    let cached = Decode::Cached {
        size: data.size,
        cache: data.dir.join(&data.cache),
    };
    let known = [("cached", cached), ("live", Decode::Live)];
    let decode = choose("data.decode", &data.decode, &known)?;
    if decode == Decode::Live && !["folder", "list"].contains(&data.source.as_str()) {
        let message = format!(
            "source '{}' has no files to decode: expected cached, found live",
            data.source
        );
        return Err(Error::Value {
            key: "data.decode".into(),
            message,
        });
    }
    Ok(decode)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::schema::Data;

    fn of(data: Data) -> Result<Source, String> {
        let config = Config {
            data,
            ..Config::default()
        };
        source(&config).map_err(|error| error.to_string())
    }

    fn data(source: &str) -> Data {
        Data {
            source: source.into(),
            dir: "d".into(),
            ..Data::default()
        }
    }

    #[test]
    fn empty_names_are_none_and_the_cache_lies_in_the_folder() {
        let cached = Decode::Cached {
            size: 32,
            cache: "d/.sandbox-cache".into(),
        };
        let folder = Source::Folder {
            dir: "d".into(),
            train: "train".into(),
            memory: None,
            eval: "test".into(),
            decode: cached,
        };
        assert_eq!(of(data("folder")), Ok(folder));
        let list = Data {
            memory: "known.txt".into(),
            classes: "names.txt".into(),
            decode: "live".into(),
            ..data("list")
        };
        let expected = Source::List {
            dir: "d".into(),
            train: "train".into(),
            memory: Some("known.txt".into()),
            eval: "test".into(),
            classes: Some("names.txt".into()),
            decode: Decode::Live,
        };
        assert_eq!(of(list), Ok(expected));
    }

    #[test]
    fn every_part_of_stl10_has_a_name() {
        for (name, split) in STL10_SPLITS {
            let data = Data {
                split: name.into(),
                ..data("stl10")
            };
            let dir = PathBuf::from("d");
            assert_eq!(of(data), Ok(Source::Stl10 { dir, split }));
        }
    }

    #[test]
    fn what_is_unknown_or_does_not_fit_is_named() {
        let faults: [(Data, &str); 5] = [
            (
                data("stl"),
                "data.source: expected one of embedded, idx, cifar10, cifar100, stl10, folder, list, scenes, found 'stl'",
            ),
            (
                Data {
                    dir: PathBuf::new(),
                    ..data("stl10")
                },
                "data.dir: source 'stl10' reads files: expected their folder, found nothing",
            ),
            (
                Data {
                    decode: "lives".into(),
                    ..data("folder")
                },
                "data.decode: expected one of cached, live, found 'lives'; did you mean 'live'?",
            ),
            (
                Data {
                    decode: "live".into(),
                    ..data("cifar10")
                },
                "data.decode: source 'cifar10' has no files to decode: expected cached, found live",
            ),
            (
                Data {
                    split: "unlabelled".into(),
                    ..data("stl10")
                },
                "data.split: expected one of unlabeled, train, train+unlabeled, found 'unlabelled'; did you mean 'unlabeled'?",
            ),
        ];
        for (data, expected) in faults {
            let text = of(data).unwrap_err();
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
