//! The host's table, handed to each call.

use core::ffi::{c_char, c_void};

use crate::{DLDevice, DLTensor};

/// When a call is made.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SbxNow {
    /// Optimiser steps done before this one.
    pub step: u64,
    /// Epochs done before this one.
    pub epoch: u64,
    /// Steps that the whole run will take.
    pub steps: u64,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
}

/// What the host offers a plugin during one call. Guard of all its functions: *in a call*.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SbxHost {
    /// Bytes of this table as the host knows it: a field behind them does not exist.
    pub struct_size: u64,
    /// The host's own.
    pub context: *mut c_void,
    /// When the call is made.
    pub now: SbxNow,
    /// Rows of the bank, of which fractions are taken.
    pub rows: i64,
    /// Where the inputs and outputs of this call live.
    pub device: DLDevice,
    /// The `cudaStream_t` on which they are ordered: kernels are enqueued there, and need not be waited for. Null is CUDA's
    /// default stream, and says nothing on the CPU.
    pub stream: *mut c_void,
    /// The same in each repetition of this call, another for each step and slot: for a generator of the plugin's own.
    pub seed: u64,

    /// The input of that name, or null where the slot has none. The first call may compute it. Inputs are read, never written.
    pub input:
        Option<unsafe extern "C" fn(host: *const SbxHost, name: *const c_char) -> *const DLTensor>,
    /// The number of that name among the inputs, or NaN where the slot has none.
    pub number: Option<unsafe extern "C" fn(host: *const SbxHost, name: *const c_char) -> f64>,
    /// The tensor in which the answer of that name is given: the host's memory, contiguous, of the element type that the slot asks
    /// for, filled with -1 or NaN. Null where the slot takes no such answer or no such shape; the host has then noted why, and the
    /// function returns [`crate::SBX_ERROR`]. Asked twice, the second tensor counts.
    pub output: Option<
        unsafe extern "C" fn(
            host: *const SbxHost,
            name: *const c_char,
            ndim: i32,
            shape: *const i64,
        ) -> *mut DLTensor,
    >,
    /// Fills `out` with `count` numbers drawn evenly from 0 to 1, 1 excluded, of the run's own stream for this step and slot: the
    /// numbers that a script's `ctx.rng` is made of. Returns a status.
    pub uniform:
        Option<unsafe extern "C" fn(host: *const SbxHost, out: *mut f64, count: u64) -> i32>,
    /// Writes a line, UTF-8 of `len` bytes, into the run's log, with its level ([`crate::SBX_LOG_INFO`]).
    pub log: Option<
        unsafe extern "C" fn(host: *const SbxHost, level: i32, text: *const c_char, len: u64),
    >,
    /// Says why the function is about to return something else than [`crate::SBX_OK`], in UTF-8 of `len` bytes.
    pub fail: Option<unsafe extern "C" fn(host: *const SbxHost, text: *const c_char, len: u64)>,
    /// Appends `len` bytes to the state that `SbxPlugin::save` gives. Returns a status.
    pub emit: Option<unsafe extern "C" fn(host: *const SbxHost, data: *const u8, len: u64) -> i32>,
}
