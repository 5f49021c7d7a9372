//! The functions of the host that a plugin calls: C on the outside, a [`Call`] on the inside.

use std::ffi::{CStr, c_char, c_void};
use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use sandbox_plugin_abi::{
    DLTensor, SBX_ERROR, SBX_LOG_DEBUG, SBX_LOG_INFO, SBX_OK, SbxHost, SbxNow,
};
use tch::{Device, Kind as Dtype, Tensor};

use super::Call;
use crate::ground::clock::Stopwatch;
use crate::policy::plugin::request::Read;
use crate::policy::plugin::{lend, stream};

/// Random numbers that may be asked for at once.
const MOST_NUMBERS: u64 = 1 << 28;
/// Bytes that a state may have.
const MOST_STATE: usize = 1 << 30;
/// Bytes of a text that are kept.
const MOST_TEXT: u64 = 1 << 14;

impl Call<'_> {
    /// The table for the plugin; it points to this call.
    ///
    /// # Errors
    /// A text when the device is none of the contract.
    pub(in crate::policy::plugin) fn host(&self) -> Result<SbxHost, String> {
        let now = self.request.now;
        Ok(SbxHost {
            struct_size: size_of::<SbxHost>() as u64,
            context: (&raw const *self).cast_mut().cast::<c_void>(),
            now: SbxNow {
                step: now.step,
                epoch: now.epoch,
                steps: now.steps,
                steps_per_epoch: now.steps_per_epoch,
            },
            rows: self.request.rows,
            device: lend::device(self.device)?,
            stream: stream::current(self.device),
            seed: self.request.seed,
            input: Some(input),
            number: Some(number),
            output: Some(output),
            uniform: Some(uniform),
            log: Some(log),
            fail: Some(fail),
            emit: Some(emit),
        })
    }
}

/// Runs a host function for a plugin: counted, timed, and without a panic across the border.
fn serve<T>(
    host: *const SbxHost,
    otherwise: T,
    act: impl FnOnce(&Call<'_>) -> Result<T, String>,
) -> T {
    if host.is_null() {
        return otherwise;
    }
    // SAFETY: the contract says that `host` is the table that this call was given, which lives as long as the call; its context
    // is the call.
    let call = unsafe { &*(*host).context.cast::<Call<'_>>() };
    let watch = Stopwatch::start();
    let answer = match catch_unwind(AssertUnwindSafe(|| act(call))) {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => {
            call.refused.borrow_mut().push(refusal);
            otherwise
        }
        Err(_) => {
            let refusal = "the host failed at a request of the plugin".to_owned();
            call.refused.borrow_mut().push(refusal);
            otherwise
        }
    };
    call.calls.set(call.calls.get() + 1);
    call.work_ms.set(call.work_ms.get() + watch.ms());
    answer
}

/// A text that ends with a zero.
fn name(text: *const c_char) -> Result<String, String> {
    if text.is_null() {
        return Err("it asked for a name that is null".into());
    }
    // SAFETY: the contract says that it ends with a zero and stands until the return.
    let text = unsafe { CStr::from_ptr(text) };
    Ok(text.to_string_lossy().into_owned())
}

/// A text of `len` bytes.
fn text(text: *const c_char, len: u64) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the contract says that there are `len` bytes, which stand until the return.
    let bytes = unsafe { slice::from_raw_parts(text.cast::<u8>(), len.min(MOST_TEXT) as usize) };
    String::from_utf8_lossy(bytes).into_owned()
}

extern "C" fn input(host: *const SbxHost, of: *const c_char) -> *const DLTensor {
    serve(host, std::ptr::null(), |call| call.input(&name(of)?))
}

extern "C" fn number(host: *const SbxHost, of: *const c_char) -> f64 {
    serve(host, f64::NAN, |call| {
        let of = name(of)?;
        match call.request.read(&of) {
            Some(Read::Number(number)) => Ok(number),
            _ => Err(format!(
                "there is no number '{of}': it may read {}",
                call.request.names()
            )),
        }
    })
}

extern "C" fn output(
    host: *const SbxHost,
    of: *const c_char,
    ndim: i32,
    shape: *const i64,
) -> *mut DLTensor {
    serve(host, std::ptr::null_mut(), |call| {
        let of = name(of)?;
        let ndim =
            usize::try_from(ndim).map_err(|_| format!("'{of}' cannot have {ndim} dimensions"))?;
        if ndim > 8 || (ndim > 0 && shape.is_null()) {
            return Err(format!(
                "'{of}' cannot have {ndim} dimensions, or its shape is null"
            ));
        }
        let shape = match ndim {
            0 => &[][..],
            // SAFETY: the contract says that there are `ndim` sizes, which stand until the return.
            _ => unsafe { slice::from_raw_parts(shape, ndim) },
        };
        call.output(&of, shape)
    })
}

extern "C" fn uniform(host: *const SbxHost, out: *mut f64, count: u64) -> i32 {
    serve(host, SBX_ERROR, |_| {
        if count == 0 {
            return Ok(SBX_OK);
        }
        if out.is_null() || count > MOST_NUMBERS {
            return Err(format!(
                "it asked for {count} random numbers: expected a place for 0 to {MOST_NUMBERS}"
            ));
        }
        let drawn = Tensor::rand([count as i64], (Dtype::Double, Device::Cpu));
        let drawn = Vec::<f64>::try_from(drawn).map_err(|error| error.to_string())?;
        // SAFETY: the contract says that there is room for `count` numbers.
        unsafe { std::ptr::copy_nonoverlapping(drawn.as_ptr(), out, drawn.len()) };
        Ok(SBX_OK)
    })
}

extern "C" fn log(host: *const SbxHost, level: i32, line: *const c_char, len: u64) {
    serve(host, (), |_| {
        let line = text(line, len);
        match level {
            SBX_LOG_DEBUG => tracing::debug!(target: "plugin", "{line}"),
            SBX_LOG_INFO => tracing::info!(target: "plugin", "{line}"),
            _ => tracing::warn!(target: "plugin", "{line}"),
        }
        Ok(())
    });
}

extern "C" fn fail(host: *const SbxHost, reason: *const c_char, len: u64) {
    serve(host, (), |call| {
        *call.said.borrow_mut() = Some(text(reason, len));
        Ok(())
    });
}

extern "C" fn emit(host: *const SbxHost, data: *const u8, len: u64) -> i32 {
    serve(host, SBX_ERROR, |call| {
        let mut emitted = call.emitted.borrow_mut();
        let whole = (emitted.len() as u64).saturating_add(len);
        if whole > MOST_STATE as u64 || (len > 0 && data.is_null()) {
            return Err(format!(
                "its state would have {whole} bytes: expected at most {MOST_STATE}, that are not null"
            ));
        }
        if len > 0 {
            // SAFETY: the contract says that there are `len` bytes, which stand until the return.
            emitted.extend_from_slice(unsafe { slice::from_raw_parts(data, len as usize) });
        }
        Ok(SBX_OK)
    })
}
