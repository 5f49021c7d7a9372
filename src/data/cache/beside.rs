//! The file beside a cache in which decoded images are gathered. Its name is random, so that processes and machines that share a
//! folder never write into the same one, and it is locked as long as somebody writes it: one that is not was left.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::super::{Error, files};

/// What the names of such files begin with.
const PREFIX: &str = ".tmp-";

/// A file that is removed unless it is renamed.
pub(super) struct Beside {
    file: NamedTempFile,
    dir: PathBuf,
}

impl Beside {
    /// An empty file for what shall lie at `path`, whose folder is made when missing and must have room for so many bytes.
    pub(super) fn new(path: &Path, bytes: u64) -> Result<Self, Error> {
        let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        let fault = |source| Error::cache(&dir, source);
        fs::create_dir_all(&dir).map_err(fault)?;
        expect_room(&dir, bytes)?;
        loop {
            let file = tempfile::Builder::new()
                .prefix(PREFIX)
                .suffix(&format!("-{}", files::name(path)))
                // What others may read is said by the umask, as for any file.
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(&dir)
                .map_err(fault)?;
            // A file system without locks has nobody who would take the file for one that was left.
            let _ = file.as_file().lock();
            // Between its making and its lock somebody may have done just that.
            if is_there(&file) {
                return Ok(Self { file, dir });
            }
        }
    }

    pub(super) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Puts the file into its place.
    pub(super) fn rename(self, path: &Path) -> Result<(), Error> {
        let Self { file, dir } = self;
        let persisted = file.persist(path);
        persisted
            .map(drop)
            .map_err(|fault| Error::cache(&dir, fault.error))
    }

    /// Why it could not be written.
    pub(super) fn fault(&self, source: io::Error) -> Error {
        Error::cache(&self.dir, source)
    }
}

fn is_there(file: &NamedTempFile) -> bool {
    let inode = |metadata: io::Result<fs::Metadata>| metadata.map(|metadata| metadata.ino()).ok();
    inode(fs::metadata(file.path())) == inode(file.as_file().metadata())
}

/// Whether a file is one that a decoding left when it was killed.
pub(super) fn was_left(path: &Path) -> bool {
    files::name(path).starts_with(PREFIX)
        && path.is_file()
        && File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// That a folder has room: better known before hours of decoding than after.
fn expect_room(dir: &Path, bytes: u64) -> Result<(), Error> {
    // Where the system does not say, the write will.
    let Ok(disk) = rustix::fs::statvfs(dir) else {
        return Ok(());
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= bytes {
        return Ok(());
    }
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let expected = format!("{} of free room for decoded images", megabytes(bytes));
    let found = format!("{}; {}", megabytes(free), Error::ELSEWHERE);
    Err(Error::unexpected(dir, expected, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_was_not_left() {
        let dir = tempfile::tempdir().unwrap();
        let beside = Beside::new(&dir.path().join("deep/x.images"), 1).unwrap();
        let path = beside.file.path().to_owned();
        assert!(!was_left(&path));
        let (file, kept) = beside.file.keep().unwrap();
        drop(file);
        assert_eq!(kept, path);
        assert!(was_left(&kept));
    }

    #[test]
    fn two_of_one_process_have_names_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.images");
        let [first, second] = [0; 2].map(|_| Beside::new(&path, 1).unwrap());
        assert_ne!(first.file.path(), second.file.path());
        first.rename(&path).unwrap();
        drop(second);
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_folder_without_room_or_that_cannot_be_written_is_named_with_the_ways_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.images");
        let text = Beside::new(&path, u64::MAX).err().unwrap().to_string();
        assert!(
            text.contains("expected 18446744073709.6 MB of free room for decoded images, found "),
            "{text}"
        );
        assert!(text.ends_with(Error::ELSEWHERE), "{text}");
        fs::write(&path, "").unwrap();
        let below = path.join("y.images");
        let text = Beside::new(&below, 1).err().unwrap().to_string();
        assert!(
            text.contains("x.images': decoded images cannot be kept there"),
            "{text}"
        );
        assert!(text.ends_with(Error::ELSEWHERE), "{text}");
    }
}
