//! Parameters: what a plugin can be told beside its tensors.

use core::ffi::c_char;

/// `SbxValue::kind` of a whole number.
pub const SBX_INT: u32 = 1;
/// `SbxValue::kind` of a number with a fraction.
pub const SBX_FLOAT: u32 = 2;
/// `SbxValue::kind` of true or false.
pub const SBX_BOOL: u32 = 3;
/// `SbxValue::kind` of a text.
pub const SBX_TEXT: u32 = 4;

/// The value of a parameter. A parameter whose default is a number may be given either kind of number, so a plugin can tell
/// a count (3) from a fraction (0.3); every other one keeps the kind of its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SbxValue {
    /// [`SBX_INT`], [`SBX_FLOAT`], [`SBX_BOOL`] or [`SBX_TEXT`].
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// The whole number, or 0 and 1 for false and true; else 0.
    pub integer: i64,
    /// The number, of both kinds; else 0.
    pub number: f64,
    /// The text, UTF-8 with a zero at its end; else null.
    pub text: *const c_char,
}

/// A parameter as a plugin declares it. A configuration sets it by `SLOT.NAME`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SbxParam {
    /// Its name: a letter, then letters, digits and `_`.
    pub name: *const c_char,
    /// What it means, in a line.
    pub doc: *const c_char,
    /// Its value where the configuration says nothing.
    pub initial: SbxValue,
}

// SAFETY: both are read only; what they point to is never written after the library was loaded.
unsafe impl Sync for SbxValue {}
// SAFETY: as above.
unsafe impl Sync for SbxParam {}
