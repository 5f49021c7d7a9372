//! The table of a policy: C functions that call Rust, and let neither a panic nor an error through but as a status and a text.

#![expect(unsafe_code, reason = "the other side speaks C")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::slice;
use std::sync::Once;

use sandbox_plugin_abi::{
    LAYOUT, SBX_ABI_MAJOR, SBX_ABI_MINOR, SBX_BOOL, SBX_DEVICES_ANY, SBX_DEVICES_CPU, SBX_ERROR,
    SBX_FLOAT, SBX_INT, SBX_OK, SBX_PANIC, SBX_SLOT_BOUNDARY, SBX_SLOT_LABELS, SBX_SLOT_NOVELTY,
    SBX_SLOT_PROTOTYPES, SBX_SLOT_SAMPLER, SBX_TEXT, SBX_UNSUPPORTED, SbxAsk, SbxHost, SbxParam,
    SbxPlugin, SbxValue,
};

use crate::params::{Declared, Params, Value};
use crate::policy::{Devices, Policy, Restored};
use crate::{
    AfterCall, Boundary, BoundaryCall, Call, Error, Labels, LabelsCall, Novelty, NoveltyCall,
    Prototypes, PrototypesCall, Result, Sampler, SamplerCall, StartCall,
};

/// What a library says of itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The policy's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
}

/// The table of a sampler; it lives for ever.
pub fn sampler<P: Sampler>(about: &About) -> &'static SbxPlugin {
    let mut table = table::<P>(about, SBX_SLOT_SAMPLER);
    table.decide = Some(sampler_decide::<P>);
    Box::leak(Box::new(table))
}

/// The table of a boundary; it lives for ever.
pub fn boundary<P: Boundary>(about: &About) -> &'static SbxPlugin {
    let mut table = table::<P>(about, SBX_SLOT_BOUNDARY);
    table.decide = Some(boundary_decide::<P>);
    Box::leak(Box::new(table))
}

/// The table of a novelty; it lives for ever.
pub fn novelty<P: Novelty>(about: &About) -> &'static SbxPlugin {
    let mut table = table::<P>(about, SBX_SLOT_NOVELTY);
    table.decide = Some(novelty_decide::<P>);
    Box::leak(Box::new(table))
}

/// The table of a prototypes policy; it lives for ever.
pub fn prototypes<P: Prototypes>(about: &About) -> &'static SbxPlugin {
    let mut table = table::<P>(about, SBX_SLOT_PROTOTYPES);
    table.decide = Some(prototypes_decide::<P>);
    Box::leak(Box::new(table))
}

/// The table of a labels policy; it lives for ever.
pub fn labels<P: Labels>(about: &About) -> &'static SbxPlugin {
    let mut table = table::<P>(about, SBX_SLOT_LABELS);
    table.start = Some(labels_start::<P>);
    table.decide = Some(labels_decide::<P>);
    table.after_step = Some(labels_after_step::<P>);
    table.after_epoch = Some(labels_after_epoch::<P>);
    Box::leak(Box::new(table))
}

fn table<P: Policy>(about: &About, slot: u32) -> SbxPlugin {
    let params: Vec<_> = P::Params::declared().iter().map(param).collect();
    let has_state = P::STATE_VERSION > 0;
    SbxPlugin {
        struct_size: size_of::<SbxPlugin>() as u64,
        abi_major: SBX_ABI_MAJOR,
        abi_minor: SBX_ABI_MINOR,
        layout: LAYOUT,
        slot,
        devices: match P::DEVICES {
            Devices::Cpu => SBX_DEVICES_CPU,
            Devices::Any => SBX_DEVICES_ANY,
        },
        name: forever(about.name),
        version: forever(about.version),
        doc: forever(about.doc),
        state_version: P::STATE_VERSION,
        param_count: params.len() as u32,
        params: Vec::leak(params).as_ptr(),
        create: Some(create::<P>),
        destroy: Some(destroy::<P>),
        start: None,
        decide: None,
        after_step: None,
        after_epoch: None,
        save: has_state.then_some(save::<P> as unsafe extern "C" fn(_, _) -> _) as SbxAsk,
        restore: has_state.then_some(restore::<P>),
    }
}

/// A text that is never freed, as the table asks for. A zero within it ends it.
fn forever(text: &str) -> *const c_char {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default().into_raw()
}

fn param(declared: &Declared) -> SbxParam {
    SbxParam {
        name: forever(declared.name),
        doc: forever(declared.doc),
        initial: value(&declared.initial),
    }
}

fn value(value: &Value) -> SbxValue {
    let none = SbxValue {
        kind: SBX_INT,
        reserved: 0,
        integer: 0,
        number: 0.0,
        text: std::ptr::null(),
    };
    match value {
        Value::Int(integer) => SbxValue {
            integer: *integer,
            number: *integer as f64,
            ..none
        },
        Value::Float(number) => SbxValue {
            kind: SBX_FLOAT,
            number: *number,
            ..none
        },
        Value::Bool(holds) => SbxValue {
            kind: SBX_BOOL,
            integer: (*holds).into(),
            ..none
        },
        Value::Text(text) => SbxValue {
            kind: SBX_TEXT,
            text: forever(text),
            ..none
        },
    }
}

/// # Safety
/// The texts end with a zero.
unsafe fn read(value: &SbxValue) -> Result<Value> {
    Ok(match value.kind {
        SBX_INT => Value::Int(value.integer),
        SBX_FLOAT => Value::Float(value.number),
        SBX_BOOL => Value::Bool(value.integer != 0),
        SBX_TEXT if !value.text.is_null() => {
            // SAFETY: the caller says so.
            let text = unsafe { CStr::from_ptr(value.text) };
            Value::Text(text.to_string_lossy().into_owned())
        }
        other => return Err(Error::new(format!("a parameter of kind {other}"))),
    })
}

thread_local! {
    /// What the last panic within a call said, with its place.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread is within a call.
    static INSIDE: RefCell<bool> = const { RefCell::new(false) };
}

/// Keeps what panics say instead of printing it, within calls.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !INSIDE.with_borrow(|inside| *inside) {
                return before(info);
            }
            let payload = info.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let place = info.location().map_or_else(String::new, |place| {
                format!(" ({}:{}:{})", place.file(), place.line(), place.column())
            });
            let said = format!("panicked: {}{place}", text.unwrap_or("no message"));
            PANIC.set(Some(said));
        }));
    });
}

/// Runs `act` so that nothing but a status leaves it.
///
/// # Safety
/// `host` is null or the table of this call.
unsafe fn guarded(host: *const SbxHost, act: impl FnOnce(Call<'_>) -> Result<i32>) -> i32 {
    if host.is_null() {
        return SBX_ERROR;
    }
    // SAFETY: the caller says so; `struct_size` is its first field.
    let host = unsafe { &*host };
    if host.struct_size < size_of::<SbxHost>() as u64 {
        return SBX_ERROR;
    }
    listen();
    let call = Call::new(host);
    let before = INSIDE.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| act(call)));
    INSIDE.set(before);
    match outcome {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            call.fail(&error.to_string());
            SBX_ERROR
        }
        Err(payload) => {
            // Dropping what was thrown may panic once more.
            std::mem::forget(payload);
            let said = PANIC.take();
            call.fail(said.as_deref().unwrap_or("panicked: no message"));
            SBX_PANIC
        }
    }
}

unsafe extern "C" fn create<P: Policy>(
    host: *const SbxHost,
    values: *const SbxValue,
    instance: *mut *mut c_void,
) -> i32 {
    let act = |_: Call<'_>| {
        let count = P::Params::declared().len();
        if instance.is_null() || (count > 0 && values.is_null()) {
            return Err(Error::new("the host gives no values"));
        }
        let values: &[SbxValue] = match count {
            0 => &[],
            // SAFETY: the contract says that there is a value for each parameter.
            _ => unsafe { slice::from_raw_parts(values, count) },
        };
        // SAFETY: the contract says that texts end with a zero.
        let values: Result<Vec<_>> = values.iter().map(|value| unsafe { read(value) }).collect();
        let policy = P::new(P::Params::of(&values?)?)?;
        // SAFETY: it is not null, and the contract says that it takes a pointer.
        unsafe { *instance = Box::into_raw(Box::new(policy)).cast::<c_void>() };
        Ok(SBX_OK)
    };
    // SAFETY: the host calls this with its table.
    unsafe { guarded(host, act) }
}

unsafe extern "C" fn destroy<P: Policy>(instance: *mut c_void) {
    if instance.is_null() {
        return;
    }
    listen();
    let before = INSIDE.replace(true);
    // SAFETY: it is of this policy's `create`, and nobody uses it any more.
    let policy = unsafe { Box::from_raw(instance.cast::<P>()) };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(policy))) {
        std::mem::forget(payload);
    }
    INSIDE.set(before);
}

/// Asks the policy behind `instance`.
///
/// # Safety
/// `instance` is of this policy's `create`, and `host` null or the table of this call.
unsafe fn ask<P: Policy>(
    instance: *mut c_void,
    host: *const SbxHost,
    act: impl FnOnce(&mut P, Call<'_>) -> Result<i32>,
) -> i32 {
    let act = |call: Call<'_>| {
        // SAFETY: the caller says so, and the contract that one call ends before the next begins.
        match unsafe { instance.cast::<P>().as_mut() } {
            Some(policy) => act(policy, call),
            None => Err(Error::new("the host asks an instance that is null")),
        }
    };
    // SAFETY: the caller says so.
    unsafe { guarded(host, act) }
}

macro_rules! question {
    ($name:ident, $slot:ident, $call:ident, $function:ident) => {
        unsafe extern "C" fn $name<P: $slot>(instance: *mut c_void, host: *const SbxHost) -> i32 {
            // SAFETY: the host calls this with an instance of `create` and with its table.
            unsafe {
                ask::<P>(instance, host, |policy, call| {
                    policy.$function(&$call::new(call)).map(|()| SBX_OK)
                })
            }
        }
    };
}

question!(sampler_decide, Sampler, SamplerCall, decide);
question!(boundary_decide, Boundary, BoundaryCall, decide);
question!(novelty_decide, Novelty, NoveltyCall, decide);
question!(prototypes_decide, Prototypes, PrototypesCall, decide);
question!(labels_start, Labels, StartCall, start);
question!(labels_decide, Labels, LabelsCall, decide);
question!(labels_after_step, Labels, AfterCall, after_step);
question!(labels_after_epoch, Labels, AfterCall, after_epoch);

unsafe extern "C" fn save<P: Policy>(instance: *mut c_void, host: *const SbxHost) -> i32 {
    // SAFETY: the host calls this with an instance of `create` and with its table.
    unsafe {
        ask::<P>(instance, host, |policy, call| {
            call.emit(&policy.save()?).map(|()| SBX_OK)
        })
    }
}

unsafe extern "C" fn restore<P: Policy>(
    instance: *mut c_void,
    host: *const SbxHost,
    version: u32,
    data: *const u8,
    len: u64,
) -> i32 {
    // SAFETY: the host calls this with an instance of `create` and with its table.
    unsafe {
        ask::<P>(instance, host, |policy, _| {
            let bytes = match data.is_null() || len == 0 {
                true => &[],
                // The contract says that there are `len` bytes.
                false => slice::from_raw_parts(data, len as usize),
            };
            Ok(match policy.restore(version, bytes)? {
                Restored::Taken => SBX_OK,
                Restored::Unknown => SBX_UNSUPPORTED,
            })
        })
    }
}
