//! Runs the tests and examples of files, and says of each how it went.

use std::path::Path;

use super::find::Found;
use super::make_up;
use crate::ground::clock::Stopwatch;
use crate::policy::script::Origin;
use crate::policy::script::testing::{Suite, examples};
use crate::slots::Fault;

/// A test that was run.
#[derive(Debug)]
pub struct Trial {
    /// How its file is called, such as `samplers/mine`.
    pub script: String,
    /// The file.
    pub file: String,
    /// Its name: a function's, `example (line N)`, `compiles` of a file that does not, `step N of RUN`.
    pub name: String,
    /// How it went.
    pub outcome: Result<(), Fault>,
    /// Milliseconds that it took.
    pub ms: f64,
    /// What else is worth knowing of one that passed.
    pub note: Option<String>,
}

/// Which tests are run: those whose `script: name` contains a text.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The text; nothing to run all.
    pub text: Option<String>,
}

impl Filter {
    /// Whether a test is run.
    pub fn takes(&self, script: &str, name: &str) -> bool {
        let whole = format!("{script}: {name}");
        self.text
            .as_ref()
            .is_none_or(|text| whole.contains(text.as_str()))
    }
}

/// Runs what a file has, giving `done` each test after it was run; returns how many the filter left out. A file that does not compile
/// is one failed test.
///
/// # Errors
/// Those of `done`.
pub fn run<E>(
    found: &Found,
    filter: &Filter,
    mut done: impl FnMut(Trial) -> Result<(), E>,
) -> Result<usize, E> {
    let file = match &found.origin {
        Origin::File(path) => path.display().to_string(),
        Origin::Shipped(name) => name.clone(),
    };
    let trial = |name: &str, ms, outcome| Trial {
        script: found.name.clone(),
        file: file.clone(),
        name: name.to_owned(),
        outcome,
        ms,
        note: None,
    };
    let suite = match (&found.origin, found.tests) {
        (Origin::File(path), true) => Suite::of_tests(Path::new(path), &make_up()),
        (origin, _) => Suite::of_examples(origin, &make_up()),
    };
    let mut suite = match suite {
        Ok(suite) => suite,
        Err(fault) => return done(trial("compiles", 0.0, Err(fault))).map(|()| 0),
    };
    let mut left_out = 0;
    let mut each = |name: &str, act: &mut dyn FnMut() -> Result<(), Fault>| {
        if !filter.takes(&found.name, name) {
            left_out += 1;
            return Ok(());
        }
        let watch = Stopwatch::start();
        let outcome = act();
        done(trial(name, watch.ms(), outcome))
    };
    match found.tests {
        true => {
            for test in suite.tests() {
                each(&test, &mut || suite.run(&test))?;
            }
        }
        false => {
            for example in examples(&suite.text().text) {
                each(&format!("example (line {})", example.line), &mut || {
                    suite.example(&example)
                })?;
            }
        }
    }
    Ok(left_out)
}
