//! The device of a run. CUDA is not linked: its library is loaded only when a GPU is asked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use tch::{Cuda, Device};
use thiserror::Error;

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// No such name.
    #[error("device: expected cpu, cuda, cuda:N or auto, found '{0}'")]
    Unknown(String),
    /// A GPU was asked for and there is none that works.
    #[error("device '{name}': no GPU was found: {reason}")]
    NoGpu {
        /// As it was asked for.
        name: String,
        /// What was tried.
        reason: String,
    },
}

/// The device of that name; `auto` is CUDA where there is a GPU, else the CPU.
///
/// # Errors
/// An unknown name, or a GPU that is not there.
pub fn resolve(name: &str) -> Result<Device, Error> {
    let index = match name.split_once(':') {
        _ if name == "cpu" => return Ok(Device::Cpu),
        _ if name == "auto" => {
            return Ok(match driver().then(load_cuda) {
                Some(Ok(())) => Device::Cuda(0),
                Some(Err(reason)) => {
                    tracing::warn!(
                        "device auto: the CPU, though there is NVIDIA's driver: {reason}"
                    );
                    Device::Cpu
                }
                None => {
                    tracing::info!("device auto: the CPU: there is no driver of NVIDIA's");
                    Device::Cpu
                }
            });
        }
        _ if name == "cuda" => 0,
        Some(("cuda", index)) => index.parse().map_err(|_| Error::Unknown(name.into()))?,
        _ => return Err(Error::Unknown(name.into())),
    };
    let no_gpu = |reason| Error::NoGpu {
        name: name.to_owned(),
        reason,
    };
    load_cuda().map_err(no_gpu)?;
    let count = Cuda::device_count() as usize;
    if index >= count {
        return Err(no_gpu(format!("there are {count}, counted from 0")));
    }
    Ok(Device::Cuda(index))
}

/// Whether the machine has NVIDIA's driver at all.
pub fn driver() -> bool {
    Path::new("/dev/nvidiactl").exists() || Path::new("/dev/dxg").exists()
}

/// Loads CUDA's half of the libtorch that this process runs with, and asks it for a GPU.
///
/// # Errors
/// A text that says what is missing.
pub fn load_cuda() -> Result<(), String> {
    let folder = libtorch().ok_or("the folder of libtorch is unknown")?;
    let path = folder.join("libtorch_cuda.so");
    open(&path)
        .map_err(|error| format!("'{}' cannot be loaded: {}", path.display(), cause(&error)))?;
    match Cuda::is_available() {
        true => Ok(()),
        false => Err("libtorch's CUDA library was loaded and sees no GPU".into()),
    }
}

/// What the system's loader says, which libloading keeps as the source of its error.
fn cause(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The folder of the libtorch that this process runs with, whatever search path led to it.
pub fn libtorch() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    mapped(&maps, "libtorch_cpu.so")?
        .parent()
        .map(Path::to_owned)
}

/// The path of a mapped file, from the text of `/proc/PID/maps`: what follows the five columns before it, blanks included.
fn mapped<'a>(maps: &'a str, name: &str) -> Option<&'a Path> {
    let path = |line: &'a str| {
        let path = (0..5).try_fold(line, |rest, _| {
            let (_, rest) = rest.trim_start_matches(' ').split_once(' ')?;
            Some(rest)
        })?;
        Some(Path::new(path.trim_start_matches(' ')))
    };
    let mut paths = maps.lines().filter_map(path);
    paths.find(|path| path.file_name() == Some(OsStr::new(name)))
}

#[expect(unsafe_code, reason = "loading a library runs its constructors")]
fn open(path: &Path) -> Result<(), libloading::Error> {
    // SAFETY: the library belongs to the libtorch that is already loaded, and its constructors only register kernels with
    // that. It is never unloaded, so nothing of it can dangle.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_lies_in_a_folder_whose_name_has_blanks() {
        let maps = "\
7f00-7f01 r--p 00000000 08:01 77                         /lib/x86_64-linux-gnu/libc.so.6
7f01-7f02 rw-p 00000000 00:00 0
7f02-7f03 r-xp 0001a000 08:01 4242                       /home/a b/my  libs/lib/libtorch_cpu.so
";
        let found = mapped(maps, "libtorch_cpu.so");
        assert_eq!(
            found,
            Some(Path::new("/home/a b/my  libs/lib/libtorch_cpu.so"))
        );
        assert_eq!(mapped(maps, "libtorch_cuda.so"), None);
    }

    #[test]
    fn names_are_resolved_and_refused() {
        assert_eq!(resolve("cpu").unwrap(), Device::Cpu);
        assert!(
            resolve("gpu")
                .unwrap_err()
                .to_string()
                .contains("expected cpu, cuda, cuda:N or auto, found 'gpu'")
        );
        assert!(resolve("cuda:x").is_err());
        assert!(libtorch().unwrap().join("libtorch_cpu.so").exists());
        if !driver() {
            assert!(
                resolve("cuda")
                    .unwrap_err()
                    .to_string()
                    .contains("no GPU was found")
            );
            assert_eq!(resolve("auto").unwrap(), Device::Cpu);
        }
    }
}
