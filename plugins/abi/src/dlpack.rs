//! DLPack's view of a tensor, as `dlpack.h` 1.x lays it out.

use core::ffi::c_void;

/// `DLDevice::device_type` of the CPU.
pub const SBX_DL_CPU: i32 = 1;
/// `DLDevice::device_type` of an NVIDIA GPU.
pub const SBX_DL_CUDA: i32 = 2;
/// `DLDataType::code` of signed integers.
pub const SBX_DL_INT: u8 = 0;
/// `DLDataType::code` of floating point numbers.
pub const SBX_DL_FLOAT: u8 = 2;
/// `DLDataType::code` of booleans, a byte each.
pub const SBX_DL_BOOL: u8 = 6;

/// Where a tensor lives.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// [`SBX_DL_CPU`] or [`SBX_DL_CUDA`].
    pub device_type: i32,
    /// Which one, counted from 0.
    pub device_id: i32,
}

/// Of what its elements are.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// [`SBX_DL_INT`], [`SBX_DL_FLOAT`] or [`SBX_DL_BOOL`].
    pub code: u8,
    /// Bits of an element: 64 for labels and rows, 32 for features, 8 for booleans.
    pub bits: u8,
    /// 1.
    pub lanes: u16,
}

/// A tensor in somebody else's memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// Its first element is `byte_offset` bytes behind.
    pub data: *mut c_void,
    /// Where it lives.
    pub device: DLDevice,
    /// Number of dimensions; 0 for a single number.
    pub ndim: i32,
    /// Of what its elements are.
    pub dtype: DLDataType,
    /// `ndim` sizes.
    pub shape: *mut i64,
    /// `ndim` distances between neighbours, in elements. Never null here.
    pub strides: *mut i64,
    /// 0 here.
    pub byte_offset: u64,
}
