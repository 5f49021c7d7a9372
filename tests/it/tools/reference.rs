//! `sandbox api`, and the definitions that are checked in.

use std::fs;

use sandbox::author::api;
use serde_json::Value;

use super::said;
use crate::support::{Dir, repo};

/// `SANDBOX_WRITE=1 cargo test --test it definitions` writes it anew.
#[test]
fn the_definitions_for_editors_are_fresh_and_name_every_word() {
    let path = repo().join("scripts/api.d.rhai");
    let fresh = api::definitions();
    if std::env::var_os("SANDBOX_WRITE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == fresh,
        "scripts/api.d.rhai is stale: SANDBOX_WRITE=1 cargo test --test it definitions"
    );
    for word in sandbox::policy::script::vocabulary::names() {
        let called = [format!("fn {word}("), format!("fn get {word}(")];
        assert!(
            called.iter().any(|start| stored.contains(start)),
            "'{word}' is not defined"
        );
    }
}

#[test]
fn the_reference_is_printed_for_people_and_programs() {
    let dir = Dir::empty();
    let (code, out, _) = said(&dir.output(&["api", "--format", "markdown"]));
    assert!(
        code == 0 && out.contains("| `ctx.similarity` | `[B, N]` | float32 |"),
        "{out}"
    );
    let (code, out, _) = said(&dir.output(&["api", "--format", "json", "-o", "made"]));
    assert!(code == 0 && out == "wrote made/api.json\n", "{out}");
    let json: Value =
        serde_json::from_str(&fs::read_to_string(dir.file("made/api.json")).unwrap()).unwrap();
    let words = json["words"].as_array().unwrap();
    let topk = words.iter().find(|word| word["name"] == "topk").unwrap();
    assert_eq!(
        topk["parameters"][0],
        serde_json::json!({"name": "x", "type": "Tensor", "default": null})
    );
    let fields = json["slots"]["sampler"]["decide"]["context"]
        .as_array()
        .unwrap();
    let similarity = fields
        .iter()
        .find(|field| field["name"] == "similarity")
        .unwrap();
    assert_eq!(
        (&similarity["shape"], &similarity["type"]),
        (&Value::from("[B, N]"), &Value::from("float32"))
    );
}
