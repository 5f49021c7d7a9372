//! Files that are read: regular ones alone. A pipe would be waited for, a device read without end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file as the options say.
///
/// # Errors
/// Those of the file system, and that it is something else.
pub fn open_as(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // To open a pipe would be to wait for its other end already. Of a regular file the flag changes nothing.
    let file = options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let about = file.metadata()?;
    if about.is_file() {
        return Ok(file);
    }
    Err(match about.is_dir() {
        true => io::Error::from(io::ErrorKind::IsADirectory),
        false => io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"),
    })
}

/// Opens a regular file for reading.
///
/// # Errors
/// As [`open_as`].
pub fn open(path: &Path) -> io::Result<File> {
    open_as(File::options().read(true), path)
}

/// What stands in a regular file.
///
/// # Errors
/// As [`open_as`], and that there is not so much memory.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text that stands in a regular file.
///
/// # Errors
/// As [`read`], and that it is no UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, zero, file] = ["pipe", "zero", "file"].map(|name| folder.path().join(name));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        symlink("/dev/zero", &zero).unwrap();
        for path in [&pipe, &zero] {
            let error = read(path).unwrap_err().to_string();
            assert_eq!(error, "it is no regular file");
            let append = open_as(File::options().create(true).append(true).read(true), path);
            assert!(append.is_err());
        }
        assert_eq!(
            read(folder.path()).unwrap_err().kind(),
            io::ErrorKind::IsADirectory
        );
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_to_string(&file).unwrap(), "text");
    }
}
