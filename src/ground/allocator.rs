//! Keeps memory that libtorch frees within the process.
//!
//! By default glibc maps each large tensor anew and unmaps it when it is freed, so that a step pays a page fault for every 4 KiB
//! of every temporary, every time. Measured on two cores, with the inter-image branch at a bank of 50,000 rows: it halves the time
//! of a running sum over `[256, 50000]` and more, and a third of the whole branch. The price is that the process holds its peak.

/// Tells the allocator to serve large blocks from the heap and to give nothing back. Called first in `main`: blocks that exist
/// are not moved.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator's settings are a C function")]
pub fn keep() {
    // SAFETY: these calls set numbers in the allocator; before the first thread is started nobody reads them meanwhile.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// Other allocators have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep() {}

/// Gives back to the system what lies free, so that a peak measured from now on is that of what follows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator's trim is a C function")]
pub fn trim() {
    // SAFETY: it touches free blocks only and locks the heap as every allocation does.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn trim() {}
