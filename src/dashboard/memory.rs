//! What a run holds in memory: the process, and on a GPU the device as `nvidia-smi` sees it. libtorch's own count is not reachable
//! through tch.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Between two questions to the driver, which take it some hundredths of a second.
const PAUSE: Duration = Duration::from_secs(2);

/// What the process holds, in bytes; nothing where there is no `/proc`.
pub(super) fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// The memory of a GPU, all that its processes use and all that there is, in bytes.
pub(super) struct OfDevice(Arc<[AtomicU64; 2]>);

impl OfDevice {
    /// Begins to ask about the device of that name, `cuda(0)`; nothing on the CPU. It is asked in a thread of its own, because a driver may
    /// take its time, and no longer than there is an answer.
    pub(super) fn watch(device: &str) -> Option<Self> {
        let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
        let gpu = gpu(device, &visible)?;
        let bytes = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let told = Arc::clone(&bytes);
        let ask_on = move || {
            while let Some(found) = ask("nvidia-smi", &gpu) {
                if Arc::strong_count(&told) == 1 {
                    return;
                }
                for (place, bytes) in told.iter().zip(found) {
                    place.store(bytes, Ordering::Relaxed);
                }
                thread::sleep(PAUSE);
            }
        };
        let begun = thread::Builder::new().name("memory".into()).spawn(ask_on);
        begun.ok().map(|_| Self(bytes))
    }

    /// Used and all; nothing until there was an answer.
    pub(super) fn used(&self) -> Option<[u64; 2]> {
        let bytes = [0, 1].map(|place: usize| self.0[place].load(Ordering::Relaxed));
        (bytes[1] > 0).then_some(bytes)
    }
}

/// What `nvidia-smi` calls the GPU that libtorch calls `cuda(N)`, where `visible` is CUDA_VISIBLE_DEVICES.
fn gpu(device: &str, visible: &str) -> Option<String> {
    let number: usize = device
        .strip_prefix("cuda(")?
        .strip_suffix(')')?
        .parse()
        .ok()?;
    let named = visible.split(',').map(str::trim).nth(number);
    let named = named.filter(|name| !name.is_empty());
    Some(named.map_or_else(|| number.to_string(), str::to_owned))
}

/// One question; nothing where there is no such program, or it answers otherwise than it should.
fn ask(program: &str, gpu: &str) -> Option<[u64; 2]> {
    let asked = Command::new(program)
        .args([
            "--query-gpu=memory.used,memory.total",
            "--format=csv,noheader,nounits",
            "--id",
        ])
        .arg(gpu)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    parsed(&String::from_utf8_lossy(&asked.stdout))
}

/// Bytes of an answer in MiB, as "1234, 81559".
fn parsed(answer: &str) -> Option<[u64; 2]> {
    let (used, all) = answer.lines().next()?.split_once(',')?;
    let bytes = |mib: &str| Some(mib.trim().parse::<u64>().ok()? << 20);
    Some([bytes(used)?, bytes(all)?])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_gpu_has_the_name_that_the_driver_gives_it() {
        assert_eq!(gpu("cuda(1)", ""), Some("1".into()));
        assert_eq!(gpu("cuda(1)", "5, GPU-8f2a"), Some("GPU-8f2a".into()));
        assert_eq!(gpu("cuda(2)", "5"), Some("2".into()));
        assert_eq!(gpu("cpu", "5"), None);
        assert!(OfDevice::watch("cpu").is_none());
    }

    #[test]
    fn the_driver_is_asked_about_one_gpu_and_its_answer_is_read() {
        assert_eq!(parsed("1024, 81559\n"), Some([1 << 30, 81_559 << 20]));
        for wrong in ["", "[N/A], [N/A]", "1024", "No devices were found"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("smi");
        let text = "#!/bin/sh\ntest \"$*\" = \
                    '--query-gpu=memory.used,memory.total --format=csv,noheader,nounits --id 3' && echo '2, 4'\n";
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let program = program.to_str().unwrap();
        assert_eq!(ask(program, "3"), Some([2 << 20, 4 << 20]));
        assert_eq!(ask(program, "4"), None);
        assert_eq!(ask("no-such-program", "3"), None);
    }

    #[test]
    fn a_process_holds_something() {
        assert!(resident().unwrap() > 1 << 20);
    }
}
