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
    let about = &json["about"]["sampler"];
    assert_eq!(
        (about["folder"].as_str(), about["default"].as_str()),
        (Some("samplers"), Some("samplers/semi_hard.rhai"))
    );
    let after = &json["slots"]["labels"]["after_step"];
    assert_eq!(
        (after["when"].as_str(), after["need"].as_str()),
        (Some("after each step"), Some("may be left out"))
    );
    let rate = &json["schedulable"][0];
    assert_eq!(
        (rate["name"].as_str(), rate["range"].as_str()),
        (Some("optim.lr"), Some("0 or more"))
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

/// The cells of a row of a Markdown table, in which `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_matches('|').replace("\\|", "\u{0}");
    let cells = row.split('|').map(|cell| {
        let cell = cell.trim();
        // A span with backticks inside stands between two of them.
        let bare = cell
            .strip_prefix("`` ")
            .and_then(|cell| cell.strip_suffix(" ``"));
        bare.unwrap_or(cell.trim_matches('`')).replace('\u{0}', "|")
    });
    cells.collect()
}

#[test]
fn each_line_of_the_table_for_users_of_pytorch_is_true() {
    let text = fs::read_to_string(repo().join("scripts/README.md")).unwrap();
    let (_, table) = text.split_once("| Python | here | gives |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let tests = rows.iter().enumerate().map(|(at, row)| {
        let [python, here, gives] = row.as_slice() else {
            panic!("{row:?}");
        };
        // Through a variable, since Rhai cannot read a block as an argument.
        format!("// {python}\nfn test_{at}() {{ let got = {here}; assert_eq(got, {gives}); }}\n")
    });
    let dir = Dir::empty();
    dir.write("table_test.rhai", &tests.collect::<String>());
    let (code, out, err) = said(&dir.output(&["test", "table_test.rhai"]));
    let passed = format!("ok. {} passed", rows.len());
    assert!(code == 0 && out.contains(&passed), "{out}{err}");
}
