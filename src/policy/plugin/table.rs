//! The handshake: a library's table, read and checked before anything else of it is called.

use std::ffi::{CStr, c_char};
use std::mem::size_of;
use std::path::Path;

use libloading::os::unix::{Library as Loaded, RTLD_LOCAL, RTLD_NOW, Symbol};
use sandbox_plugin_abi::{
    LAYOUT, SBX_ABI_MAJOR, SBX_ABI_MINOR, SBX_BOOL, SBX_DEVICES_ANY, SBX_DEVICES_CPU, SBX_ENTRY,
    SBX_FLOAT, SBX_INT, SBX_TEXT, SbxAsk, SbxEntry, SbxPlugin, SbxValue,
};
use serde_json::Value;

use crate::ground::suggest;
use crate::policy::Params;
use crate::slots::{Need, Slot};

/// Where a plugin's tensors must live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Devices {
    /// On the CPU: the host copies.
    Cpu,
    /// Anywhere.
    Any,
}

impl Devices {
    pub(super) fn name(self) -> &'static str {
        match self {
            Devices::Cpu => "cpu",
            Devices::Any => "any",
        }
    }
}

/// A table that has passed the handshake.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Its functions.
    pub(super) raw: SbxPlugin,
    pub(super) slot: Slot,
    pub(super) devices: Devices,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) doc: String,
    /// Defaults in the order of their declaration.
    pub(super) defaults: Params,
    /// What each parameter means.
    pub(super) docs: Vec<(String, String)>,
}

/// Loads the copy at `path` for ever and reads its table.
///
/// # Errors
/// What the loader says, or what of the table does not fit.
pub(super) fn load(path: &Path) -> Result<Table, String> {
    let cause = |error: libloading::Error| {
        let source = std::error::Error::source(&error);
        source.map_or_else(|| error.to_string(), ToString::to_string)
    };
    // SAFETY: loading runs the library's constructors. It is a copy that nobody writes, whole, and it has survived this in
    // another process.
    let library = unsafe { Loaded::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(cause)?;
    // SAFETY: the contract says that the symbol of this name has this type.
    let entry: Symbol<SbxEntry> =
        unsafe { library.get(SBX_ENTRY.to_bytes_with_nul()) }.map_err(cause)?;
    // SAFETY: the contract says that it may be called at any time, and that its table lives as long as the library.
    let table = unsafe { entry() };
    // Never unloaded: threads, destructors and texts of a plugin may outlive its last policy.
    std::mem::forget(library);
    check(table)
}

fn check(table: *const SbxPlugin) -> Result<Table, String> {
    if table.is_null() {
        return Err("'sandbox_plugin()' returned null: expected its table".into());
    }
    // SAFETY: whatever the version, a table begins with these four fields.
    let (size, major, minor, layout) = unsafe {
        let size = (&raw const (*table).struct_size).read_unaligned();
        let major = (&raw const (*table).abi_major).read_unaligned();
        let minor = (&raw const (*table).abi_minor).read_unaligned();
        (
            size,
            major,
            minor,
            (&raw const (*table).layout).read_unaligned(),
        )
    };
    if major != SBX_ABI_MAJOR || minor > SBX_ABI_MINOR {
        return Err(format!(
            "it was built for version {major}.{minor} of the plugin contract, this sandbox speaks {SBX_ABI_MAJOR}.0 to \
             {SBX_ABI_MAJOR}.{SBX_ABI_MINOR}: build it with this sandbox's header or SDK"
        ));
    }
    if layout != LAYOUT {
        return Err(format!(
            "its tables are laid out otherwise: expected layout {LAYOUT:#018x}, found {layout:#018x}; build it with this \
             sandbox's header or SDK, for a machine with 64-bit pointers"
        ));
    }
    if size < size_of::<SbxPlugin>() as u64 {
        return Err(format!(
            "its table is too short: expected 'struct_size' {} or more, found {size}",
            size_of::<SbxPlugin>()
        ));
    }
    // SAFETY: version, layout and size say that this is such a table; it is never written.
    let raw = unsafe { table.read_unaligned() };
    read(raw)
}

fn read(raw: SbxPlugin) -> Result<Table, String> {
    let slot = slot(raw.slot)?;
    let devices = match raw.devices {
        SBX_DEVICES_CPU => Devices::Cpu,
        SBX_DEVICES_ANY => Devices::Any,
        other => {
            return Err(format!(
                "its 'devices' is {other}: expected 1 (cpu) or 2 (any)"
            ));
        }
    };
    let mut has = vec![
        ("create", raw.create.is_some(), true),
        ("destroy", raw.destroy.is_some(), true),
        ("save", raw.save.is_some(), raw.state_version > 0),
    ];
    has.extend(slot.contract().functions.iter().map(|function| {
        let there = asked(&raw, function.name).is_some();
        (function.name, there, function.need != Need::Never)
    }));
    if let Some((name, ..)) = has.iter().find(|(_, has, wanted)| *wanted && !has) {
        return Err(format!(
            "its table has no '{name}': a {slot} plugin{} needs it",
            match *name {
                "save" => " with a state version",
                _ => "",
            }
        ));
    }
    let (defaults, docs) = params(&raw)?;
    Ok(Table {
        slot,
        devices,
        name: text(raw.name, "its name")?,
        version: text(raw.version, "its version")?,
        doc: text(raw.doc, "its doc")?,
        defaults,
        docs,
        raw,
    })
}

impl Table {
    /// The function of that name that answers a question of the slot, if there is one.
    pub(super) fn function(&self, name: &str) -> SbxAsk {
        asked(&self.raw, name)
    }
}

fn asked(raw: &SbxPlugin, name: &str) -> SbxAsk {
    match name {
        "start" => raw.start,
        "decide" => raw.decide,
        "after_step" => raw.after_step,
        "after_epoch" => raw.after_epoch,
        _ => None,
    }
}

/// The slot of that number.
fn slot(number: u32) -> Result<Slot, String> {
    let numbered = |slot: &Slot| slot.contract().plugin;
    let found = Slot::all().find(|slot| numbered(slot) == Some(number));
    found.ok_or_else(|| {
        let known = Slot::of_plugins().filter_map(|slot| Some((numbered(&slot)?, slot)));
        let mut known: Vec<_> = known.collect();
        known.sort_unstable();
        let known = known
            .iter()
            .map(|(number, slot)| format!("{number} ({slot})"));
        let known: Vec<_> = known.collect();
        format!("its slot is {number}: expected {}", suggest::either(&known))
    })
}

/// Defaults and docs by name.
type Declared = (Params, Vec<(String, String)>);

fn params(raw: &SbxPlugin) -> Result<Declared, String> {
    /// More than anyone can mean.
    const MOST: u32 = 1_000;
    let count = raw.param_count;
    if count > MOST || (count > 0 && raw.params.is_null()) {
        let found = if count > MOST { "so many" } else { "null" };
        return Err(format!(
            "it declares {count} parameters, and 'params' is {found}: expected a list of at most {MOST}"
        ));
    }
    let mut defaults = Params::new();
    let mut docs = Vec::new();
    for at in 0..count as usize {
        // SAFETY: the contract says that there are `param_count` of them, and that they are never written.
        let param = unsafe { *raw.params.add(at) };
        let name = text(param.name, &format!("the name of parameter {at}"))?;
        let of = format!("of parameter '{name}'");
        docs.push((name.clone(), text(param.doc, &format!("the doc {of}"))?));
        let value = value(&param.initial, &of)?;
        if name.is_empty() || defaults.insert(name.clone(), value).is_some() {
            return Err(format!(
                "parameter {at} is called '{name}': expected a name that no other has"
            ));
        }
    }
    Ok((defaults, docs))
}

fn value(value: &SbxValue, of: &str) -> Result<Value, String> {
    match value.kind {
        SBX_INT => Ok(value.integer.into()),
        SBX_FLOAT => match serde_json::Number::from_f64(value.number) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(format!("the default {of} is {}", value.number)),
        },
        SBX_BOOL => Ok((value.integer != 0).into()),
        SBX_TEXT => text(value.text, &format!("the default {of}")).map(Value::String),
        other => Err(format!(
            "the kind {of} is {other}: expected 1 (int), 2 (float), 3 (bool) or 4 (text)"
        )),
    }
}

/// A text of a plugin.
fn text(text: *const c_char, what: &str) -> Result<String, String> {
    if text.is_null() {
        return Err(format!("{what} is null: expected a text"));
    }
    // SAFETY: the contract says that it ends with a zero and is never written.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(format!("{what} is not UTF-8: {:?}", text.to_string_lossy())),
    }
}
