//! Where each field lies: checked by the header's assertions in C, and told to the host as one number.

use core::mem::{offset_of, size_of};

use crate::*;

/// The places of a struct's fields.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The struct.
    pub name: &'static str,
    /// Its bytes.
    pub size: usize,
    /// Name and offset of each field.
    pub fields: &'static [(&'static str, usize)],
}

macro_rules! layouts {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        /// All structs that cross the border.
        pub const LAYOUTS: &[Layout] = &[$(Layout {
            name: stringify!($name),
            size: size_of::<$name>(),
            fields: &[$((stringify!($field), offset_of!($name, $field))),*],
        }),*];
    };
}

layouts! {
    DLDevice { device_type, device_id }
    DLDataType { code, bits, lanes }
    DLTensor { data, device, ndim, dtype, shape, strides, byte_offset }
    SbxValue { kind, reserved, integer, number, text }
    SbxParam { name, doc, initial }
    SbxNow { step, epoch, steps, steps_per_epoch }
    SbxHost {
        struct_size, context, now, rows, device, stream, seed, input, number, output, uniform, log, fail, emit,
    }
    SbxPlugin {
        struct_size, abi_major, abi_minor, layout, slot, devices, name, version, doc, state_version, param_count, params, create,
        destroy, start, decide, after_step, after_epoch, save, restore,
    }
}

/// FNV-1a over names, sizes and offsets: what `SbxPlugin::layout` must say.
pub const LAYOUT: u64 = hash(LAYOUTS);

const fn hash(layouts: &[Layout]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < layouts.len() {
        hash = text(hash, layouts[i].name);
        hash = number(hash, layouts[i].size);
        let mut j = 0;
        while j < layouts[i].fields.len() {
            hash = text(hash, layouts[i].fields[j].0);
            hash = number(hash, layouts[i].fields[j].1);
            j += 1;
        }
        i += 1;
    }
    hash
}

const fn text(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = byte(hash, bytes[i]);
        i += 1;
    }
    byte(hash, 0)
}

const fn number(mut hash: u64, number: usize) -> u64 {
    let bytes = (number as u64).to_le_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = byte(hash, bytes[i]);
        i += 1;
    }
    hash
}

const fn byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}
