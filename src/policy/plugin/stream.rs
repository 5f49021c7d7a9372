//! The CUDA stream on which libtorch works.

use std::ffi::c_void;

use libloading::os::unix::Library;
use tch::Device;

/// What libtorch's stable C interface calls it.
type Current = unsafe extern "C" fn(device_index: i32, stream: *mut *mut c_void) -> i32;

/// The current `cudaStream_t` of a GPU; null, CUDA's default stream, on the CPU and where libtorch does not say.
pub(super) fn current(device: Device) -> *mut c_void {
    let Device::Cuda(index) = device else {
        return std::ptr::null_mut();
    };
    let mut stream = std::ptr::null_mut();
    let program = Library::this();
    // SAFETY: libtorch declares the symbol of this name with this type.
    let current = unsafe { program.get::<Current>(b"aoti_torch_get_current_cuda_stream\0") };
    if let Ok(current) = current {
        // SAFETY: it writes a stream to the place that it is given, or fails and leaves it alone.
        let _ = unsafe { current(index as i32, &raw mut stream) };
    }
    stream
}
