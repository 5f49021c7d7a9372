//! How much memory there is, and how much of it one policy may hold.

use std::fs;
use std::sync::OnceLock;

use tch::Device;

/// A policy may hold this part of what was free when the process first looked.
const SHARE: u64 = 20;

/// Or so much more than the largest tensor that it is given: masks and products of that are what policies are made of.
const OF_GIVEN: u64 = 8;

/// Bytes of memory that the machine has; none where the system does not tell.
pub fn total() -> Option<u64> {
    line("MemTotal:")
}

/// Bytes that one call of a policy may hold on `device`, what its state holds among them, when the largest tensor that it is given
/// has `given` bytes. Never more than half of what was free.
pub fn allowance(device: Device, given: u64) -> u64 {
    let free = match device {
        Device::Cuda(_) => {
            *DEVICE.get_or_init(|| of_device().or_else(of_machine).unwrap_or(UNKNOWN))
        }
        _ => *MACHINE.get_or_init(|| of_machine().unwrap_or(UNKNOWN)),
    };
    share(free, given)
}

static MACHINE: OnceLock<u64> = OnceLock::new();
static DEVICE: OnceLock<u64> = OnceLock::new();

/// Where the system does not tell, a small machine.
const UNKNOWN: u64 = 8 << 30;

fn share(free: u64, given: u64) -> u64 {
    let asked = given.saturating_mul(OF_GIVEN);
    (free / SHARE).max(asked.min(free / 2))
}

/// From now on this process gets no more memory than a policy may hold twice, and two gigabytes at the least: an allocation fails then.
/// Nothing happens where the system does not tell how much it has.
pub fn limit_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(now) = line_of("/proc/self/status", "VmData:") else {
        return;
    };
    let more = (2 * allowance(Device::Cpu, 0)).max(2 << 30);
    let limit = Rlimit {
        current: Some(now + more),
        maximum: getrlimit(Resource::Data).maximum,
    };
    if let Err(error) = setrlimit(Resource::Data, limit) {
        tracing::warn!("the memory of the process cannot be limited: {error}");
    }
}

/// Bytes that are free: of the machine, or of the control group that the process is in.
fn of_machine() -> Option<u64> {
    let machine = line("MemAvailable:");
    [machine, of_group()].into_iter().flatten().min()
}

/// Bytes that are left to the control group (version 2), the nearest of those that have a limit.
fn of_group() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = std::path::Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let number = |folder: &std::path::Path, name| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let groups = folder
        .ancestors()
        .take_while(|at| at.starts_with("/sys/fs/cgroup"));
    let left = groups.filter_map(|at| {
        let most = number(at, "memory.max")?;
        Some(most.saturating_sub(number(at, "memory.current")?))
    });
    left.min()
}

fn line(name: &str) -> Option<u64> {
    line_of("/proc/meminfo", name)
}

/// Bytes of a line of such a file of the system, which counts in kilobytes.
fn line_of(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Bytes that are free on the device that is used, where libtorch has loaded the CUDA runtime.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "the runtime's question about memory is a C function"
)]
fn of_device() -> Option<u64> {
    type MemGetInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> i32;
    let here = libloading::os::unix::Library::this();
    let (mut free, mut total) = (0, 0);
    // SAFETY: the function of that name takes two pointers to sizes, which it writes, and returns 0 when it has.
    let status = unsafe {
        let ask = here.get::<MemGetInfo>(b"cudaMemGetInfo\0").ok()?;
        ask(&raw mut free, &raw mut total)
    };
    (status == 0).then_some(free as u64)
}

#[cfg(not(unix))]
fn of_device() -> Option<u64> {
    None
}

/// Bytes as a person reads them.
pub fn readable(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB"] {
        if size < 1000.0 {
            let digits = usize::from(unit != "B");
            return format!("{size:.digits$} {unit}");
        }
        size /= 1000.0;
    }
    format!("{size:.1} GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_may_hold_a_share_and_more_where_it_is_given_much() {
        assert_eq!(share(20 << 30, 0), 1 << 30);
        assert_eq!(share(20 << 30, 1 << 20), 1 << 30);
        assert_eq!(share(20 << 30, 1 << 29), 4 << 30);
        assert_eq!(share(20 << 30, 2 << 30), 10 << 30, "never more than half");
    }

    #[test]
    fn there_is_less_free_than_there_is() {
        let (total, free) = (total().unwrap(), of_machine().unwrap());
        assert!(free > 0 && free < total, "{free} of {total}");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1500, "1.5 kB"),
            (2_000_000, "2.0 MB"),
            (3_210_000_000, "3.2 GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(readable(bytes), text);
        }
    }
}
