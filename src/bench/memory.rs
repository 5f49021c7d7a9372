//! How much memory this process has held at most, as Linux counts it.

use std::fs;

/// Sets the peak to what the process needs now.
pub(super) fn reset_peak() {
    crate::ground::allocator::trim();
    // Where the kernel does not allow it the peak is that of the whole process, which is only ever larger.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The peak since then, in MiB; nothing where there is no `/proc`.
pub(super) fn peak_mib() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
