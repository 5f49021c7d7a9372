//! Which slot a script on a disk declares, for who was told of the file alone.

use std::path::Path;

use super::check;
use super::source::{Search, Source};
use super::testing::is_test;
use crate::slots::{Fault, Slot};

/// The slot that the script at `path`, found as a run finds it, declares in its header.
///
/// # Errors
/// A text that says that there is no such script, or what its header lacks.
pub fn declared_slot(search: &Search, path: &Path) -> Result<Slot, String> {
    let report = |fault: Fault| fault.message;
    // The slot only names faults here; which one it is stands in the text.
    let path = &search.spelt(path)?;
    let origin = search.find(Slot::Sampler, path).map_err(report)?;
    if is_test(path) {
        return Err(format!(
            "'{}' holds tests, which are no policy: 'sandbox test' runs them",
            path.display()
        ));
    }
    let source = Source::read(Slot::Sampler, &origin).map_err(report)?;
    let names: Vec<_> = Slot::ALL.iter().map(|slot| slot.name()).collect();
    match check::declared_slot(&source.main().text) {
        Some((line, name)) => Slot::named(name).ok_or_else(|| {
            format!(
                "{}:{line}: unknown slot '{name}', expected one of {}",
                source.main().name,
                names.join(", ")
            )
        }),
        None => Err(format!(
            "'{}' does not say what it fills: its header needs a line '//! slot: NAME' with one of {}",
            source.main().name,
            names.join(", ")
        )),
    }
}

/// The slot that a text declares; none of what is no policy.
pub fn declared(text: &str) -> Option<Slot> {
    Slot::named(check::declared_slot(text)?.1)
}
