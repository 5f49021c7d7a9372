//! Parameters as they cross the border.

use std::ffi::CString;

use sandbox_plugin_abi::{SBX_BOOL, SBX_FLOAT, SBX_INT, SBX_TEXT, SbxValue};
use serde_json::Value;

use crate::policy::Params;

/// A value for each parameter of a plugin, in the order of their declaration; the texts live as long as this.
pub(super) struct Values {
    values: Vec<SbxValue>,
    _texts: Vec<CString>,
}

impl Values {
    /// The values of `params`, which stand in the order of the declaration.
    ///
    /// # Errors
    /// A text that names a parameter whose text holds a zero, which C takes for its end.
    pub(super) fn new(params: &Params) -> Result<Self, String> {
        let mut texts = Vec::new();
        let mut values = Vec::new();
        for (name, param) in params {
            let mut value = SbxValue {
                kind: SBX_INT,
                reserved: 0,
                integer: 0,
                number: 0.0,
                text: std::ptr::null(),
            };
            match param {
                Value::Number(number) => match number.as_i64() {
                    Some(integer) => (value.integer, value.number) = (integer, integer as f64),
                    None => {
                        value.kind = SBX_FLOAT;
                        value.number = number.as_f64().unwrap_or(f64::NAN);
                    }
                },
                Value::Bool(holds) => (value.kind, value.integer) = (SBX_BOOL, (*holds).into()),
                Value::String(text) => {
                    let text = CString::new(text.as_str())
                        .map_err(|_| format!("parameter '{name}' holds a zero byte"))?;
                    value.kind = SBX_TEXT;
                    value.text = text.as_ptr();
                    texts.push(text);
                }
                other => return Err(format!("parameter '{name}' cannot be {other}")),
            }
            values.push(value);
        }
        Ok(Self {
            values,
            _texts: texts,
        })
    }

    /// The values, or null where there are none.
    pub(super) fn as_ptr(&self) -> *const SbxValue {
        match self.values.is_empty() {
            true => std::ptr::null(),
            false => self.values.as_ptr(),
        }
    }
}
