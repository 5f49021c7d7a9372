//! The cheap ones among the house's invariants.

use std::fs;
use std::path::{Path, PathBuf};

use sandbox::author::parameters::Shipped;
use sandbox::config::load::{Request, SHIPPED, load, sweep};

use crate::support::repo;

/// All files of a folder and of those below it with an ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path, ending));
        } else if path.extension().is_some_and(|found| found == ending) {
            all.push(path);
        }
    }
    all
}

/// Each file of `src` with its path below it and its text before the tests.
fn code() -> Vec<(String, String)> {
    let src = repo().join("src");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        // What stands below the tests is a test.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
        (
            path.strip_prefix(&src)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            code,
        )
    };
    let tests = |path: &PathBuf| path.ends_with("tests.rs") || path.ends_with("trial.rs");
    files(&src, "rs")
        .into_iter()
        .filter(|path| !tests(path))
        .map(read)
        .collect()
}

#[test]
fn every_file_says_what_lives_in_it() {
    for (path, code) in code() {
        assert!(
            code.starts_with("//! "),
            "{path} does not begin with '//! '"
        );
    }
}

/// A word that may stand only in some rooms.
#[test]
fn words_stay_in_their_rooms() {
    let rules: &[(&str, &[&str])] = &[
        ("Instant::now", &["ground/clock.rs"]),
        ("SystemTime::now", &["ground/clock.rs"]),
        ("ChaCha8Rng::from_seed", &["ground/seed.rs"]),
        ("manual_seed", &["ground/seed.rs"]),
        (
            "unsafe {",
            &[
                "data/cache.rs",
                "policy/plugin/",
                "ground/device.rs",
                "ground/allocator.rs",
                "ground/memory.rs",
            ],
        ),
        ("notify::", &["swap/watch.rs"]),
        ("sandbox_plugin_abi", &["policy/plugin/"]),
        ("tensorboard_rs", &["record/"]),
        ("ratatui", &["dashboard/"]),
    ];
    for (path, code) in code() {
        for (word, rooms) in rules {
            let stranger = code.contains(word) && !rooms.iter().any(|room| path.starts_with(room));
            assert!(
                !stranger,
                "'{word}' is a stranger in {path}, it lives in {rooms:?}"
            );
        }
    }
}

/// The rooms in the order of the table in `src/README.md`.
fn rooms() -> Vec<String> {
    let text = fs::read_to_string(repo().join("src/README.md")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("| `"));
    lines
        .filter_map(|line| Some(line.split_once("/`")?.0.to_owned()))
        .collect()
}

/// What a text names of the crate: the words after `crate::`, lists in braces apart, comments left out.
fn named(code: &str) -> Vec<&str> {
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let after = lines.flat_map(|line| line.split("crate::").skip(1));
    let words = after.flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split([',', '}']).collect(),
        None => vec![rest],
    });
    words
        .filter_map(|rest| {
            rest.trim()
                .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .next()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// `cargo` allows circles of modules; people pay for them.
#[test]
fn a_room_imports_only_rooms_above_it_in_the_map() {
    let rooms = rooms();
    let place = |room: &str| rooms.iter().position(|known| known == room);
    let folders: Vec<_> = fs::read_dir(repo().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    for folder in &folders {
        assert!(
            place(folder).is_some(),
            "src/README.md does not have '{folder}'"
        );
    }
    assert_eq!(rooms.len(), folders.len(), "each room once: {rooms:?}");
    let mut imports = 0;
    for (path, code) in code() {
        let Some((room, _)) = path.split_once('/') else {
            continue;
        };
        for name in named(&code) {
            let Some(other) = place(name) else { continue };
            imports += 1;
            assert!(
                Some(other) <= place(room),
                "src/{path} imports '{name}', which stands below '{room}' in the map of src/README.md"
            );
        }
    }
    assert!(imports > 500, "{imports} imports were looked at");
}

#[test]
fn the_swap_knows_no_tensor() {
    for (path, code) in code() {
        if path.starts_with("swap/") {
            assert!(!code.contains("use tch"), "{path} knows tensors");
        }
    }
}

#[test]
fn every_configuration_is_shipped_and_says_command_cost_and_expectation() {
    let configs = repo().join("configs");
    let mut names = Vec::new();
    for path in files(&configs, "yaml") {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["# COMMAND", "# COST", "# EXPECT"] {
            assert!(text.contains(word), "{} has no '{word}'", path.display());
        }
        let name = path.strip_prefix(&configs).unwrap().with_extension("");
        names.push(name.to_str().unwrap().to_owned());
    }
    names.sort_unstable();
    let mut shipped: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
    shipped.sort_unstable();
    assert_eq!(names, shipped);
}

/// Each study is a whole configuration on the embedded images and on CIFAR-10.
#[test]
fn every_study_fits_its_bases() {
    for (name, _) in SHIPPED
        .iter()
        .filter(|(name, _)| name.starts_with("studies/"))
    {
        let sources = ["embedded", "cifar10"];
        for (source, base) in sources
            .into_iter()
            .zip(["embedded", "moco_interclr_cifar10"])
        {
            let loaded = load(&Request {
                config: Some((*name).to_owned()),
                set: vec![format!("base={base}")],
            });
            let config = loaded.unwrap().config;
            assert_eq!(config.data.source, source, "{name} on {base}");
            assert!(sweep(Some(name)).unwrap().is_some());
            // What is varied in the inter-image branch is seen early.
            let varied = !["studies/oupn", "studies/unmix"].contains(name);
            assert!(
                !varied || config.inter.warmup_epochs == 2,
                "{name} on {base}"
            );
        }
    }
}

#[test]
fn the_catalogue_of_scripts_names_each_and_nothing_else() {
    let text = fs::read_to_string(repo().join("scripts/README.md")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<_> = lines
        .filter_map(|line| line.split('`').next())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    let (mut sorted, shipped) = (
        listed.clone(),
        sandbox::policy::script::SHIPPED
            .iter()
            .map(|(name, _)| *name),
    );
    sorted.sort_unstable();
    assert_eq!(sorted, shipped.collect::<Vec<_>>());
}

#[test]
fn every_parameter_of_a_shipped_script_is_explained() {
    let shipped = sandbox::author::parameters::shipped().unwrap();
    assert!(shipped.len() > 20);
    for Shipped {
        path, parameters, ..
    } in shipped
    {
        let (_, text) = sandbox::policy::script::SHIPPED
            .iter()
            .find(|(known, _)| *known == path)
            .unwrap();
        assert!(
            text.contains("//! from: "),
            "{path} does not say where it comes from"
        );
        for parameter in parameters {
            assert!(
                !parameter.doc.is_empty(),
                "{path} does not explain '{}'",
                parameter.name
            );
        }
    }
}

/// `SANDBOX_WRITE=1 cargo test --test it vocabulary` writes it anew.
#[test]
fn the_reference_of_the_vocabulary_is_fresh() {
    let path = repo().join("scripts/VOCABULARY.md");
    let reference = sandbox::policy::script::vocabulary::reference();
    if std::env::var_os("SANDBOX_WRITE").is_some() {
        fs::write(&path, &reference).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == reference,
        "scripts/VOCABULARY.md is stale: SANDBOX_WRITE=1 cargo test --test it vocabulary"
    );
}

/// What the documents point to is there.
#[test]
fn no_document_has_a_dead_link() {
    let folders = ["src", "scripts", "plugins", "configs", "examples"];
    let mut documents: Vec<_> = folders
        .iter()
        .flat_map(|folder| files(&repo().join(folder), "md"))
        .collect();
    documents
        .extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| repo().join(name)));
    let mut links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || target.starts_with("http") || target.contains(' ') {
                continue;
            }
            links += 1;
            let there = document.with_file_name(path).exists();
            assert!(there, "{}: there is no '{target}'", document.display());
        }
    }
    assert!(links > 20, "{links} links were followed");
}

/// The keys of a configuration, with dots.
fn keys(tree: &serde_yaml::Value, prefix: &str, all: &mut Vec<String>) {
    let serde_yaml::Value::Mapping(map) = tree else {
        all.push(prefix.to_owned());
        return;
    };
    for (key, value) in map {
        let key = key.as_str().unwrap();
        let key = match prefix {
            "" => key.to_owned(),
            prefix => format!("{prefix}.{key}"),
        };
        keys(value, &key, all);
    }
}

#[test]
fn the_reference_of_the_configuration_has_each_key() {
    let text = fs::read_to_string(repo().join("configs/README.md")).unwrap();
    let tree = serde_yaml::to_value(sandbox::config::Config::default()).unwrap();
    let mut all = Vec::new();
    keys(&tree, "", &mut all);
    assert!(all.len() > 60, "{all:?}");
    let row = |key: &String| {
        text.lines()
            .any(|line| line.starts_with(&format!("| `{key}` |")))
    };
    let missing: Vec<_> = all.iter().filter(|key| !row(key)).collect();
    assert!(missing.is_empty(), "configs/README.md lacks {missing:?}");
}
