//! Checkpoints that are whole, torn, foreign or in the way.

use serde_json::json;

use super::*;
use crate::storage::tensors::tests::{of_all_kinds, same};

fn simple(folder: &Path, step: u64) -> PathBuf {
    let weight = Tensor::from_slice(&[step as f32, 1.0]);
    let files = vec![
        ("model", vec![("weight".to_owned(), weight)]),
        (
            "bank",
            vec![("labels".to_owned(), Tensor::from_slice(&[1i64, 2]))],
        ),
    ];
    save(folder, step, files, json!({"epoch": 1})).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = entries(folder)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    names
}

fn flip(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_kind_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let extra = json!({"epoch": 3, "cursor": {"seen": 12345}, "name": "x"});
    let files = vec![("model", of_all_kinds()), ("policies", vec![])];
    let path = save(folder.path(), 12000, files, extra.clone()).unwrap();
    assert_eq!(path, folder.path().join("step-000012000"));
    assert_eq!(
        names(&path),
        ["manifest.json", "model.safetensors", "policies.safetensors"]
    );
    let loaded = newest(folder.path()).unwrap().unwrap();
    assert_eq!(
        (loaded.step, &loaded.extra, &loaded.path),
        (12000, &extra, &path)
    );
    assert_eq!(
        loaded.files.keys().collect::<Vec<_>>(),
        ["model", "policies"]
    );
    for (name, tensor) in of_all_kinds() {
        assert!(same(&tensor, &loaded.files["model"][&name]), "{name}");
    }
    assert_eq!(names(folder.path()), ["step-000012000"]);
}

#[test]
fn a_damaged_one_falls_back_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    assert!(newest(folder.path()).unwrap().is_none());
    assert!(newest(&folder.path().join("none")).unwrap().is_none());
    let paths: Vec<_> = (1..=5).map(|step| simple(folder.path(), step)).collect();
    flip(&paths[4].join("model.safetensors"), 1);
    let error = load(&paths[4]).unwrap_err().to_string();
    assert!(
        error.contains("is damaged: 'model.safetensors' has "),
        "{error}"
    );
    let torn = fs::read(paths[3].join(MANIFEST)).unwrap();
    fs::write(paths[3].join(MANIFEST), &torn[..torn.len() / 2]).unwrap();
    let error = load(&paths[3]).unwrap_err().to_string();
    assert!(error.contains("is damaged: manifest.json: EOF"), "{error}");
    fs::remove_file(paths[2].join("bank.safetensors")).unwrap();
    assert_eq!(newest(folder.path()).unwrap().unwrap().step, 2);
    fs::remove_file(paths[1].join(MANIFEST)).unwrap();
    fs::remove_file(paths[0].join(MANIFEST)).unwrap();
    let error = newest(folder.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("none of the 5 checkpoints in '"),
        "{error}"
    );
}

#[test]
fn no_byte_of_the_manifest_changes_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = simple(folder.path(), 7).join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    assert!(unseal(&text).is_ok());
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(
            unseal(&String::from_utf8(bytes).unwrap()).is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn a_failed_save_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    simple(folder.path(), 1);
    let one = || ("a".to_owned(), Tensor::from(1.0f32));
    let files = vec![("model", vec![one()]), ("bank", vec![one(), one()])];
    assert!(save(folder.path(), 2, files, Value::Null).is_err());
    let files = vec![("model", vec![one()]), ("no/such/folder", vec![one()])];
    let error = save(folder.path(), 2, files, Value::Null).unwrap_err();
    assert!(error.to_string().starts_with("cannot write '"), "{error}");
    assert_eq!(names(folder.path()), ["step-000000001"]);
}

#[test]
fn the_same_step_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    simple(folder.path(), 1);
    let files = vec![("model", vec![("weight".to_owned(), Tensor::from(9.0f32))])];
    save(folder.path(), 1, files, Value::Null).unwrap();
    assert_eq!(names(folder.path()), ["step-000000001"]);
    let loaded = newest(folder.path()).unwrap().unwrap();
    assert_eq!(loaded.files["model"]["weight"].double_value(&[]), 9.0);
}

#[test]
fn prune_keeps_the_newest_of_this_history() {
    let folder = tempfile::tempdir().unwrap();
    for step in [10, 20, 30, 40, 100] {
        simple(folder.path(), step);
    }
    fs::create_dir(folder.path().join(".tmp-step-000000050")).unwrap();
    prune(folder.path(), 2, 40, None).unwrap();
    assert_eq!(names(folder.path()), ["step-000000030", "step-000000040"]);
    prune(folder.path(), 0, 40, None).unwrap();
    assert_eq!(names(folder.path()), ["step-000000040"]);
}
