//! A tensor as DLPack sees it: in place, for the time of a call.

use std::ffi::c_void;
use std::ptr::NonNull;

use sandbox_plugin_abi::{
    DLDataType, DLDevice, DLTensor, SBX_DL_BOOL, SBX_DL_CPU, SBX_DL_CUDA, SBX_DL_FLOAT, SBX_DL_INT,
};
use tch::{Device, Kind as Dtype, Tensor};

/// A tensor that is lent out: it lives as long as its view.
pub(super) struct Lent {
    tensor: Tensor,
    /// What the view points to.
    _shape: Vec<i64>,
    _strides: Vec<i64>,
    /// In a place of its own: a plugin has its address, wherever this is moved to.
    view: NonNull<DLTensor>,
}

impl Lent {
    /// Lends a tensor of a type that the contract knows.
    ///
    /// # Errors
    /// A text that says which type or device it does not know.
    pub(super) fn new(tensor: Tensor) -> Result<Self, String> {
        let (code, bits) = match tensor.kind() {
            Dtype::Float => (SBX_DL_FLOAT, 32),
            Dtype::Double => (SBX_DL_FLOAT, 64),
            Dtype::Int64 => (SBX_DL_INT, 64),
            Dtype::Bool => (SBX_DL_BOOL, 8),
            other => return Err(format!("a tensor of {other:?} cannot be lent")),
        };
        let (mut shape, mut strides) = (tensor.size(), tensor.stride());
        let view = DLTensor {
            data: tensor.data_ptr().cast::<c_void>(),
            device: device(tensor.device())?,
            ndim: shape.len() as i32,
            dtype: DLDataType {
                code,
                bits,
                lanes: 1,
            },
            shape: shape.as_mut_ptr(),
            strides: strides.as_mut_ptr(),
            byte_offset: 0,
        };
        Ok(Self {
            tensor,
            _shape: shape,
            _strides: strides,
            view: NonNull::from(Box::leak(Box::new(view))),
        })
    }

    /// The view.
    pub(super) fn view(&self) -> NonNull<DLTensor> {
        self.view
    }

    /// The tensor.
    pub(super) fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: it is of a box, and the call in which the plugin might look at it is over.
        drop(unsafe { Box::from_raw(self.view.as_ptr()) });
    }
}

/// A device as DLPack names it.
pub(super) fn device(device: Device) -> Result<DLDevice, String> {
    let (device_type, device_id) = match device {
        Device::Cpu => (SBX_DL_CPU, 0),
        Device::Cuda(index) => (SBX_DL_CUDA, index as i32),
        other => return Err(format!("device {other:?} is none of the plugin contract")),
    };
    Ok(DLDevice {
        device_type,
        device_id,
    })
}
