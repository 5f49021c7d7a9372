//! Weights out of a run and into another one, and features of given images.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use sandbox::storage::tensors::{decode, encode};
use tch::{Device, Kind, Tensor};

use crate::support::Dir;

type Named = BTreeMap<String, Tensor>;

fn read(path: &Path) -> Named {
    decode(&fs::read(path).unwrap()).unwrap()
}

fn write(path: &Path, named: &[(&str, Tensor)]) {
    let owned = |(name, tensor): &(&str, Tensor)| ((*name).to_owned(), tensor.shallow_clone());
    let named: Vec<_> = named.iter().map(owned).collect();
    fs::write(path, encode(&named, None).unwrap()).unwrap();
}

/// Images `[count, channels, 28, 28]` with no two alike.
fn images(count: i64, channels: i64) -> Tensor {
    let shape = [count, channels, 28, 28];
    let numbers = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu));
    (numbers * 0.37).sin().view(shape)
}

/// The program with these arguments, which must succeed; what it printed.
fn said(dir: &Dir, args: &[&str]) -> String {
    let output = dir.output(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a short run in it, and that run's.
fn run() -> (Dir, String) {
    let dir = Dir::new();
    let args = ["--steps", "4", "--set", "checkpoint.every=2"];
    let folder = dir.train(&args).folder;
    (dir, folder.to_str().unwrap().to_owned())
}

/// What others save has something around the encoder; and once a run has a checkpoint the file is no part of it.
#[test]
fn an_encoder_is_taken_from_within_a_method_and_its_file_may_go_then() {
    let (dir, run) = run();
    said(&dir, &["export", &run, "-o", "plain.safetensors"]);
    let plain = read(&dir.file("plain.safetensors"));
    let mut wrapped = Named::new();
    for (name, tensor) in &plain {
        wrapped.insert(format!("module.encoder_q.{name}"), tensor.shallow_clone());
        let other = match tensor.kind() {
            Kind::Float => tensor + 1.0,
            _ => tensor.shallow_clone(),
        };
        wrapped.insert(format!("module.encoder_k.{name}"), other);
    }
    let wrapped: Vec<_> = wrapped.into_iter().collect();
    fs::write(
        dir.file("moco.safetensors"),
        encode(&wrapped, None).unwrap(),
    )
    .unwrap();
    let args = [
        "--init",
        "moco.safetensors",
        "--steps",
        "2",
        "--set",
        "optim.lr=0",
        "--name",
        "z",
    ];
    let started = dir.train(&args);
    let line = started.text.lines().find(|line| line.starts_with("init "));
    let expected = "init   moco.safetensors: 45 tensors whose names begin with 'module.encoder_q.', which was taken off; passed over \
                    'module.encoder_k.bn1.bias', ";
    let line = line.unwrap();
    assert!(line.starts_with(expected) && line.len() < 500, "{line}");
    let folder = started.folder.to_str().unwrap();
    said(&dir, &["export", folder, "-o", "back.safetensors"]);
    let back = read(&dir.file("back.safetensors"));
    for (name, tensor) in plain
        .iter()
        .filter(|(_, tensor)| tensor.kind() == Kind::Float)
    {
        if !name.contains("running_") {
            assert_eq!(&back[name], tensor, "{name}");
        }
    }

    fs::remove_file(dir.file("moco.safetensors")).unwrap();
    said(
        &dir,
        &["resume", folder, "--plain", "--set", "train.steps=3"],
    );
    said(&dir, &["fork", folder, "--plain", "--set", "train.steps=4"]);
}

fn trainable(named: &Named) -> Vec<&String> {
    let buffer = |name: &str| name.contains("running_") || name.ends_with("num_batches_tracked");
    named.keys().filter(|name| !buffer(name)).collect()
}

#[test]
fn an_exported_encoder_comes_back_with_the_same_bits() {
    let (dir, run) = run();
    write(&dir.file("in.safetensors"), &[("images", images(300, 1))]);
    let text = said(&dir, &["export", &run, "--head", "-o", "whole.safetensors"]);
    assert!(text.contains("small, stem cifar, step 4"), "{text}");
    assert!(text.contains("the sandbox's own encoder"), "{text}");

    let embed = ["embed", &run, "--input", "in.safetensors", "-o"];
    said(&dir, &[&embed[..], &["ours.safetensors"]].concat());
    let init = ["back.safetensors", "--init", "whole.safetensors"];
    said(&dir, &[&embed[..], &init].concat());
    let (ours, back) = (
        read(&dir.file("ours.safetensors")),
        read(&dir.file("back.safetensors")),
    );
    assert_eq!(ours["features"].size(), [300, 32]);
    assert_eq!(ours["embeddings"].size(), [300, 16]);
    assert_eq!(ours["features"], back["features"]);
    assert!(!back.contains_key("embeddings"));
    assert!(ours["features"].std(false).double_value(&[]) > 0.0);

    // Without a learning rate a run keeps what it started from, in both networks.
    let args = [
        "--init",
        "whole.safetensors",
        "--steps",
        "1",
        "--set",
        "optim.lr=0",
        "--name",
        "z",
    ];
    let started = dir.train(&args);
    let expected = "init   whole.safetensors: 45 tensors; passed over 'head.0.bias', 'head.0.weight', 'head.2.bias', \
                    'head.2.weight', 9 counts of batches";
    assert!(started.text.contains(expected), "{}", started.text);
    let whole = read(&dir.file("whole.safetensors"));
    for network in ["query", "key"] {
        let folder = started.folder.to_str().unwrap();
        said(
            &dir,
            &[
                "export",
                folder,
                "--network",
                network,
                "-o",
                "after.safetensors",
            ],
        );
        let after = read(&dir.file("after.safetensors"));
        let names = trainable(&after);
        assert_eq!(names.len(), 27, "{names:?}");
        for name in names {
            assert_eq!(after[name], whole[name], "{network}: {name}");
        }
    }
}

#[test]
fn an_export_says_what_it_is_of() {
    let dir = Dir::new();
    let args = [
        "--steps",
        "2",
        "--set",
        "model.encoder=resnet18",
        "--set",
        "loss.inter=0",
    ];
    let run = dir.train(&args).folder;
    let folder = run.to_str().unwrap();
    let text = said(&dir, &["export", folder, "--names", "timm"]);
    let id = run.file_name().unwrap().to_str().unwrap();
    let name = format!("{id}-step-2.safetensors");
    for part in [
        name.as_str(),
        "resnet18, stem cifar, step 2, 120 tensors",
        "timm.create_model('resnet18', num_classes=0)",
        "Conv2d(1, 64, 3, padding=1, bias=False)",
    ] {
        assert!(text.contains(part), "expected '{part}' in\n{text}");
    }
    let bytes = fs::read(dir.file(&name)).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let found = header.metadata().clone().unwrap();
    let expected = [
        ("format", "pt"),
        ("names", "timm"),
        ("encoder", "resnet18"),
        ("stem", "cifar"),
        ("channels", "1"),
        ("features", "512"),
        ("dim", "16"),
        ("network", "query"),
        ("run", id),
        ("step", "2"),
        ("mean", "[0.5]"),
        ("std", "[0.25]"),
    ];
    for (key, value) in expected {
        assert_eq!(found.get(key).map(String::as_str), Some(value), "{key}");
    }
    let status = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(status.contains(&format!("\"git\": \"{}\"", found["commit"])));
    assert_eq!(found.len(), expected.len() + 1);
}

#[test]
fn a_checkpoint_and_a_network_can_be_chosen() {
    let (dir, run) = run();
    let export = |more: &[&str]| {
        said(
            &dir,
            &[&["export", &run, "-o", "w.safetensors"], more].concat(),
        );
        read(&dir.file("w.safetensors"))
    };
    let newest = export(&[]);
    let (same, early) = (export(&["--step", "4"]), export(&["--step", "2"]));
    let key = export(&["--network", "key"]);
    for name in trainable(&newest) {
        assert_eq!(newest[name], same[name], "{name}");
        assert_ne!(newest[name], early[name], "{name}");
        assert_ne!(newest[name], key[name], "{name}");
    }
    assert_eq!(early["bn1.num_batches_tracked"].int64_value(&[]), 2);
}

/// What stands in for the run's folder in [`WRONG`].
const RUN: &str = "RUN";

/// Wrong usage: the arguments and what the message must say.
const WRONG: &[(&[&str], &str)] = &[
    (&["export", "nowhere"], "no run 'nowhere': it is no folder"),
    (
        &["export", RUN, "--step", "3"],
        "no checkpoint of step 3, only of 2, 4",
    ),
    (
        &["export", RUN, "--names", "keras"],
        "[possible values: torchvision, timm]",
    ),
    (
        &["embed", RUN, "--input", "none", "-o", "out"],
        "cannot read 'none'",
    ),
    (
        &["embed", RUN, "--input", "text", "-o", "out"],
        "'text': not a safetensors file",
    ),
    (
        &["embed", RUN, "--input", "labels", "-o", "out"],
        "'labels': expected a tensor 'images', found 'labels'",
    ),
    (
        &["embed", RUN, "--input", "flat", "-o", "out"],
        "expected [B, C, H, W], got [2, 784]",
    ),
    (
        &["embed", RUN, "--input", "empty", "-o", "out"],
        "expected [B, C, H, W], got [0, 1, 28, 28]",
    ),
    (
        &["embed", RUN, "--input", "bytes", "-o", "out"],
        "expected normalised floating-point numbers, got Uint8",
    ),
    (
        &["embed", RUN, "--input", "colour", "-o", "out"],
        "'colour': 'images': expected [B, 1, H, W], got [2, 3, 28, 28]",
    ),
    (
        &[
            "embed", RUN, "--input", "good", "-o", "out", "--init", "pickle",
        ],
        "'pickle' was written by torch.save, expected safetensors; convert it in Python",
    ),
    (
        &["run", "--config", "tiny.yaml", "--init", "none"],
        "cannot read 'none'",
    ),
    (
        &["run", "--config", "tiny.yaml", "--init", "text"],
        "'text': not a safetensors file",
    ),
    (
        &["run", "--config", "tiny.yaml", "--init", "cut"],
        "'cut': not a safetensors file",
    ),
    (
        &["run", "--config", "tiny.yaml", "--init", "pickle"],
        "written by torch.save",
    ),
    (
        &["run", "--config", "tiny.yaml", "--init", "good"],
        "'bn1.bias' is missing; 'bn1.running_mean' is missing",
    ),
    (
        &["run", "--config", "tiny.yaml", "--set", "model.init=stem"],
        "'stem': weights do not fit the network: 'bn1.bias': expected [8], got [64]; \
         'conv1.weight': expected [8, 1, 3, 3], got [64, 3, 7, 7]",
    ),
];

#[test]
fn what_cannot_be_used_is_named_and_loses_nothing() {
    let (dir, run) = run();
    let file = |name: &str| -> PathBuf { dir.file(name) };
    said(&dir, &["export", &run, "-o", "whole"]);
    let whole = fs::read(file("whole")).unwrap();
    fs::write(file("cut"), &whole[..whole.len() - 1]).unwrap();
    fs::write(file("text"), "no such file").unwrap();
    fs::write(file("pickle"), b"PK\x03\x04").unwrap();
    let floats = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
    write(&file("good"), &[("images", images(2, 1))]);
    write(&file("labels"), &[("labels", floats(&[2]))]);
    write(&file("flat"), &[("images", floats(&[2, 784]))]);
    write(&file("empty"), &[("images", floats(&[0, 1, 28, 28]))]);
    write(
        &file("bytes"),
        &[("images", images(2, 1).to_kind(Kind::Uint8))],
    );
    write(&file("colour"), &[("images", images(2, 3))]);
    let mut stem = read(&file("whole"));
    stem.insert("conv1.weight".into(), floats(&[64, 3, 7, 7]));
    stem.insert("bn1.bias".into(), floats(&[64]));
    let stem: Vec<_> = stem.into_iter().collect();
    fs::write(file("stem"), encode(&stem, None).unwrap()).unwrap();
    fs::write(file("out"), "older").unwrap();

    let runs = || fs::read_dir(dir.file("runs")).unwrap().count();
    for (args, message) in WRONG {
        let args: Vec<_> = args
            .iter()
            .map(|arg| if *arg == RUN { &run } else { *arg })
            .collect();
        let output = dir.output(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(
            text.contains(message),
            "{args:?}: expected '{message}' in\n{text}"
        );
        assert_eq!(runs(), 1, "{args:?} left a run behind");
    }
    assert_eq!(fs::read_to_string(file("out")).unwrap(), "older");
}

#[test]
fn a_method_without_momentum_encoder_says_so() {
    let dir = Dir::new();
    let run = dir
        .train(&["--steps", "1", "--set", "method.name=simclr"])
        .folder;
    let output = dir.output(&["export", run.to_str().unwrap(), "--network", "key"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("no network 'key': method 'simclr' keeps none"),
        "{text}"
    );
}
