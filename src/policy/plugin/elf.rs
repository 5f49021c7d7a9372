//! Whether bytes are a whole shared library for this machine. The system's loader does not ask: a library that is cut short kills
//! whoever loads it.

use object::{Architecture, Object, ObjectKind, ObjectSection, ObjectSegment, ObjectSymbol};
use sandbox_plugin_abi::SBX_ENTRY;

/// The machine that this program was built for, as ELF names it.
const HERE: Architecture = if cfg!(target_arch = "aarch64") {
    Architecture::Aarch64
} else {
    Architecture::X86_64
};

/// Looks at a library's headers, sections and symbols; nothing of it is run.
///
/// # Errors
/// A text that says what was expected and found.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err("it is no shared library: expected an ELF file".into());
    }
    let cut = |error: object::Error| {
        format!("it is not whole: {error}; was it copied in part, or is it still being written?")
    };
    let file = object::File::parse(bytes).map_err(cut)?;
    if file.architecture() != HERE {
        let found = file.architecture();
        return Err(format!(
            "it was built for another machine: expected {HERE:?}, found {found:?}"
        ));
    }
    if file.kind() != ObjectKind::Dynamic {
        let found = file.kind();
        return Err(format!(
            "it is no shared library: expected kind {:?}, found {found:?} (link it with -shared)",
            ObjectKind::Dynamic
        ));
    }
    for segment in file.segments() {
        segment.data().map_err(cut)?;
    }
    for section in file.sections() {
        section.data().map_err(cut)?;
    }
    let entry = SBX_ENTRY.to_bytes();
    let exported = file
        .dynamic_symbols()
        .any(|symbol| symbol.is_definition() && symbol.name_bytes() == Ok(entry));
    match exported {
        true => Ok(()),
        false => Err(format!(
            "it exports no function '{}': is it a plugin of the sandbox?",
            SBX_ENTRY.to_string_lossy()
        )),
    }
}
