//! A plugin's table, which its one exported function returns.

use core::ffi::{c_char, c_void};

use crate::{SbxHost, SbxParam, SbxValue};

/// The one function that a plugin exports, as `sandbox_plugin`. It may be called at any time after the library was loaded, on any
/// thread, more than once; it returns the same table each time, and never fails.
pub type SbxEntry = unsafe extern "C" fn() -> *const SbxPlugin;

/// A question of the training loop to an instance: it reads what it needs through `host`, and answers through it.
///
/// Guard: training thread. `instance` is the plugin's, from `create`. May fail: with a status other than `SBX_OK`, after
/// `SbxHost::fail`; the last good generation then decides the same step, and the instance is destroyed.
pub type SbxAsk = Option<unsafe extern "C" fn(instance: *mut c_void, host: *const SbxHost) -> i32>;

/// A plugin. The table and all that it points to stay as they are for as long as the process lives: no library is ever unloaded.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SbxPlugin {
    /// Bytes of this table as the plugin knows it: the host reads nothing behind them.
    pub struct_size: u64,
    /// `SBX_ABI_MAJOR` of the header that the plugin was built with.
    pub abi_major: u32,
    /// `SBX_ABI_MINOR` of that header.
    pub abi_minor: u32,
    /// `SBX_LAYOUT` of that header.
    pub layout: u64,

    /// `SBX_SLOT_SAMPLER` or another slot.
    pub slot: u32,
    /// `SBX_DEVICES_CPU` or `SBX_DEVICES_ANY`.
    pub devices: u32,
    /// The policy's name, UTF-8 with a zero at its end, as the other texts.
    pub name: *const c_char,
    /// The policy's version, for people.
    pub version: *const c_char,
    /// What it does, in a line.
    pub doc: *const c_char,
    /// The version of the state that `save` gives, from 1 on; 0 for a policy without state.
    pub state_version: u32,
    /// Number of `params`.
    pub param_count: u32,
    /// The parameters, in the order in which `create` gets their values. Null where there are none.
    pub params: *const SbxParam,

    /// Makes an instance, with a value for each parameter, and puts it into `instance`; it may be null for a policy that needs
    /// nothing. Guard: training thread. `values` are borrowed. Required. May fail; then nothing is destroyed.
    pub create: Option<
        unsafe extern "C" fn(
            host: *const SbxHost,
            values: *const SbxValue,
            instance: *mut *mut c_void,
        ) -> i32,
    >,
    /// Frees an instance. Guard: training thread; nothing is asked of the instance afterwards, and none of its threads may be left.
    /// Required. Does not fail.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// `labels` alone, and required there: the first labels of all images. Input `features` `[N, D]`; answers `labels` `[N]` and
    /// `centroids` `[C, D]`.
    pub start: SbxAsk,
    /// Required: the slot's question, once a step. See `plugins/README.md` for the inputs and answers of each slot.
    pub decide: SbxAsk,
    /// `labels` alone, or null: what to change after a step.
    pub after_step: SbxAsk,
    /// `labels` alone, or null: what to change after an epoch.
    pub after_epoch: SbxAsk,
    /// Gives the instance's state in as many pieces as it likes through `SbxHost::emit`. Guard: training thread, between two steps.
    /// Null exactly where `state_version` is 0. May fail.
    pub save: SbxAsk,
    /// Takes a state of `len` bytes that `save` gave, of this or another version of the plugin, into an instance that was asked
    /// nothing yet. Version 0 is the state of a script, as safetensors. `data` is borrowed. `SBX_UNSUPPORTED` for a version that it
    /// does not know: the instance begins anew then. Guard: training thread. May be null where `save` is. May fail.
    pub restore: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            host: *const SbxHost,
            version: u32,
            data: *const u8,
            len: u64,
        ) -> i32,
    >,
}

// SAFETY: the table is read only; what it points to is never written after the library was loaded.
unsafe impl Sync for SbxPlugin {}
