//! The C contract between the sandbox and its plugins. Types and constants only: no code of either side.
//!
//! A plugin is a shared library that exports one function, [`SbxEntry`] under the name [`SBX_ENTRY`]. It returns a table,
//! [`SbxPlugin`], that lives as long as the library. The host hands its own table, [`SbxHost`], to each call; through it a plugin
//! reads tensors, asks for the tensors that it answers with, draws random numbers and says what went wrong.
//!
//! # Guards
//!
//! What the docs of a function call its guard:
//!
//! - *training thread*: the host calls it on one thread, never two at once, and never from within another call.
//! - *in a call*: a plugin calls it only before the function that it was given the [`SbxHost`] for returns, and on that thread.
//!
//! # Ownership
//!
//! Each pointer is borrowed: what a plugin gets is valid until its function returns, what the host gets until the host's function
//! returns. Nothing that one side allocates is freed by the other: tensors that a plugin answers with are the host's from the
//! start, and the plugin writes into them.
//!
//! # Versions
//!
//! Fields are only ever appended, and each appended field raises [`SBX_ABI_MINOR`]. A plugin works with a host of the same major
//! version whose minor version is at least its own. [`SbxPlugin`] begins with `struct_size`, `abi_major`, `abi_minor` and `layout`
//! for ever, so that any host can tell any plugin why it does not fit.
#![no_std]
#![expect(
    unsafe_code,
    reason = "pointers cross the border, and tables of them are shared"
)]

mod dlpack;
mod host;
mod layout;
mod plugin;
mod slots;
mod value;

pub use dlpack::*;
pub use host::*;
pub use layout::*;
pub use plugin::*;
pub use slots::*;
pub use value::*;

/// Raised when a field changes its meaning or its place: plugins have to be built anew.
pub const SBX_ABI_MAJOR: u32 = 1;
/// Raised when a field is appended: older plugins go on working.
pub const SBX_ABI_MINOR: u32 = 0;

/// The name under which a plugin exports its [`SbxEntry`].
pub const SBX_ENTRY: &core::ffi::CStr = c"sandbox_plugin";

/// It worked.
pub const SBX_OK: i32 = 0;
/// It did not; the plugin has said why with `SbxHost::fail`.
pub const SBX_ERROR: i32 = 1;
/// From `SbxPlugin::restore` alone: this state is of a version that the plugin does not know, and it has taken nothing of it.
pub const SBX_UNSUPPORTED: i32 = 2;
/// The plugin panicked, and the panic was caught at its border; the text is that of the panic.
pub const SBX_PANIC: i32 = 3;

/// The plugin reads and writes memory of the CPU; the host copies where the model lives elsewhere.
pub const SBX_DEVICES_CPU: u32 = 1;
/// The plugin works on whatever device a tensor names; nothing is copied.
pub const SBX_DEVICES_ANY: u32 = 2;

/// For `SbxHost::log`: shown only where it is asked for.
pub const SBX_LOG_DEBUG: i32 = 0;
/// For `SbxHost::log`: shown.
pub const SBX_LOG_INFO: i32 = 1;
/// For `SbxHost::log`: shown as a warning.
pub const SBX_LOG_WARN: i32 = 2;
