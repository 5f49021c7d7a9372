//! What a policy sees of the host during one call.

#![expect(unsafe_code, reason = "the host's table is a C struct")]

use std::ffi::{CStr, CString, c_char};

use sandbox_plugin_abi::{
    DLTensor, SBX_LOG_DEBUG, SBX_LOG_INFO, SBX_LOG_WARN, SBX_OK, SbxHost, SbxNow,
};

use crate::{Element, Error, Number, Result, View, ViewMut};

/// The host during one call: what is the same for all slots.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    host: &'a SbxHost,
}

impl<'a> Call<'a> {
    pub(crate) fn new(host: &'a SbxHost) -> Self {
        Self { host }
    }

    /// When the call is made.
    pub fn now(&self) -> SbxNow {
        self.host.now
    }

    /// N, the rows of the bank.
    pub fn rows(&self) -> i64 {
        self.host.rows
    }

    /// A fraction of the bank or a count, as a count from 1 to N.
    ///
    /// # Errors
    /// A fraction outside of 0..=1, a count below 1.
    pub fn count(&self, number: Number) -> Result<i64> {
        let rows = self.rows();
        match number {
            Number::Fraction(fraction) if (0.0..=1.0).contains(&fraction) => {
                Ok(((fraction * rows as f64).round() as i64).clamp(1, rows.max(1)))
            }
            Number::Fraction(fraction) => Err(Error::new(format!(
                "{fraction}: a fraction of the bank lies in 0..=1, a count has no point"
            ))),
            Number::Count(count) if count >= 1 => Ok(count.min(rows)),
            Number::Count(count) => Err(Error::new(format!("{count}: a count is at least 1"))),
        }
    }

    /// Numbers drawn evenly from 0 to 1, 1 excluded, of the run's own stream for this step and slot.
    ///
    /// # Errors
    /// More than the host gives at once.
    pub fn uniform(&self, count: usize) -> Result<Vec<f64>> {
        let mut drawn = vec![0.0; count];
        let uniform = self.host.uniform.ok_or_else(|| missing("uniform"))?;
        // SAFETY: there is room for `count` numbers, and the host lives.
        match unsafe { uniform(self.host, drawn.as_mut_ptr(), count as u64) } {
            SBX_OK => Ok(drawn),
            _ => Err(Error::new(format!(
                "the host gives no {count} random numbers"
            ))),
        }
    }

    /// The same in each repetition of this call: for a generator of the policy's own.
    pub fn seed(&self) -> u64 {
        self.host.seed
    }

    /// Writes a line into the run's log.
    pub fn log(&self, text: &str) {
        self.write(SBX_LOG_INFO, text);
    }

    /// Writes a warning into the run's log.
    pub fn warn(&self, text: &str) {
        self.write(SBX_LOG_WARN, text);
    }

    /// Writes a line into the run's log that is shown only where it is asked for.
    pub fn debug(&self, text: &str) {
        self.write(SBX_LOG_DEBUG, text);
    }

    fn write(&self, level: i32, text: &str) {
        if let Some(log) = self.host.log {
            // SAFETY: the text lives until the return.
            unsafe {
                log(
                    self.host,
                    level,
                    text.as_ptr().cast::<c_char>(),
                    text.len() as u64,
                )
            };
        }
    }

    /// The input of a name as it is, on whatever device; null where there is none. For policies with [`crate::Devices::Any`].
    pub fn raw_input(&self, name: &str) -> *const DLTensor {
        let (Some(input), Ok(name)) = (self.host.input, CString::new(name)) else {
            return std::ptr::null();
        };
        // SAFETY: the name ends with a zero and lives until the return.
        unsafe { input(self.host, name.as_ptr()) }
    }

    /// The tensor for an answer as it is, on whatever device; null where the host takes no such answer.
    pub fn raw_output(&self, name: &str, shape: &[i64]) -> *mut DLTensor {
        let (Some(output), Ok(name)) = (self.host.output, CString::new(name)) else {
            return std::ptr::null_mut();
        };
        // SAFETY: name and shape live until the return.
        unsafe { output(self.host, name.as_ptr(), shape.len() as i32, shape.as_ptr()) }
    }

    pub(crate) fn input<T: Element>(&self, name: &str) -> Result<View<'a, T>> {
        // SAFETY: what the host gives stands, unwritten, as long as the call.
        unsafe { View::new(self.raw_input(name), name) }
    }

    pub(crate) fn output<T: Element>(&self, name: &str, shape: &[i64]) -> Result<ViewMut<'a, T>> {
        let tensor = self.raw_output(name, shape);
        if tensor.is_null() {
            return Err(Error::new(format!(
                "the host takes no answer '{name}' of shape {shape:?}"
            )));
        }
        // SAFETY: the host gives a tensor of its own at each request.
        unsafe { ViewMut::new(tensor, name) }
    }

    pub(crate) fn number(&self, name: &CStr) -> Result<f64> {
        let number = self.host.number.ok_or_else(|| missing("number"))?;
        // SAFETY: the name ends with a zero.
        Ok(unsafe { number(self.host, name.as_ptr()) })
    }

    pub(crate) fn emit(&self, bytes: &[u8]) -> Result<()> {
        let emit = self.host.emit.ok_or_else(|| missing("emit"))?;
        // SAFETY: the bytes live until the return.
        match unsafe { emit(self.host, bytes.as_ptr(), bytes.len() as u64) } {
            SBX_OK => Ok(()),
            _ => Err(Error::new("the host does not take the state")),
        }
    }

    pub(crate) fn fail(&self, text: &str) {
        if let Some(fail) = self.host.fail {
            // SAFETY: the text lives until the return.
            unsafe { fail(self.host, text.as_ptr().cast::<c_char>(), text.len() as u64) };
        }
    }
}

fn missing(function: &str) -> Error {
    Error::new(format!("the host has no '{function}'"))
}

/// The memory bank.
#[derive(Clone, Debug)]
pub struct Bank<'a> {
    call: Call<'a>,
}

impl<'a> Bank<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self { call }
    }

    /// Features of all images, `[N, D]`, unit rows.
    ///
    /// # Errors
    /// Features that do not live on the CPU.
    pub fn features(&self) -> Result<View<'a, f32>> {
        self.call.input("bank.features")
    }

    /// Pseudo-labels of all images, `[N]`.
    ///
    /// # Errors
    /// As [`Bank::features`].
    pub fn labels(&self) -> Result<View<'a, i64>> {
        self.call.input("bank.labels")
    }

    /// Centroids of the clusters, `[C, D]`.
    ///
    /// # Errors
    /// As [`Bank::features`].
    pub fn centroids(&self) -> Result<View<'a, f32>> {
        self.call.input("bank.centroids")
    }
}
