//! A run's folder: its name, and where everything in it lies.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Result, io_error};
use crate::ground::clock;
use crate::storage::{self, write_atomically};

/// The folder of one run, `<out>/<date>-<time>-<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new folder below `out`, with `-2`, `-3`, ... at its end when another run has taken the name. It has these files from
    /// the moment that it has its name: until then it is a hidden folder, and a run that is killed so early never began.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be made.
    pub fn create(out: &Path, name: &str, files: &[(&str, Vec<u8>)]) -> Result<Self> {
        fs::create_dir_all(out).map_err(io_error("create", out))?;
        let unborn = unused(out, &format!("{UNBORN}{}", std::process::id()))?;
        let name = format!("{}-{}", clock::stamp(), plain(name));
        let path = fill(&unborn, files).and_then(|()| named(&unborn, out, &name));
        let path = path.inspect_err(|_| {
            let _ = fs::remove_dir_all(&unborn);
        })?;
        Ok(Self { path })
    }

    /// The folder of a run that there is already.
    ///
    /// # Errors
    /// When it is not there, or not a folder.
    pub fn open(path: &Path) -> Result<Self> {
        fs::read_dir(path).map_err(io_error("open the run's folder", path))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Where the folder lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last part of the path, by which people call the run.
    pub fn id(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Where a file directly in the folder lies: `run.json`, `config.yaml`, `command.txt`, `metrics.jsonl`,
    /// `swaps.jsonl`, `eval.json`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Replaces a file directly in the folder, atomically.
    ///
    /// # Errors
    /// When it cannot be written; the old one then stands.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(write_atomically(&self.file(name), bytes)?)
    }

    /// Replaces all pictures of an evaluation, `EVALUATION/NAME.png`, each atomically: none stays that belongs to other numbers.
    ///
    /// # Errors
    /// When one cannot be written, or an old one does not go.
    pub fn replace_pictures<'a>(
        &self,
        evaluation: &str,
        pictures: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<()> {
        let folder = self.path.join(evaluation);
        fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
        let old = fs::read_dir(&folder).map_err(io_error("read", &folder))?;
        let old = old.filter_map(|file| Some(file.ok()?.path()));
        for picture in old.filter(|path| path.extension().is_some_and(|ending| ending == "png")) {
            fs::remove_file(&picture).map_err(io_error("remove", &picture))?;
        }
        for (name, png) in pictures {
            write_atomically(&folder.join(format!("{name}.png")), png)?;
        }
        Ok(())
    }

    /// Where the policies lie, named by their hash.
    pub fn policies(&self) -> PathBuf {
        self.path.join("policies")
    }

    /// Where the checkpoints lie; see [`super::checkpoint`].
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Where the recorded batches lie; see [`super::recorded`].
    pub fn recorded(&self) -> PathBuf {
        self.path.join("recorded")
    }

    /// Where the log lies.
    pub fn log_path(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// Opens the log at its end.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_log(&self) -> Result<File> {
        let path = self.log_path();
        let options = &mut File::options();
        let log = storage::open_as(options.create(true).append(true), &path);
        log.map_err(io_error("open", &path))
    }
}

/// How the name of a folder begins whose run has not begun; the number of its process follows.
pub const UNBORN: &str = ".tmp-run-";

fn fill(folder: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    for inside in ["policies", "checkpoints"] {
        let inside = folder.join(inside);
        fs::create_dir(&inside).map_err(io_error("create", &inside))?;
    }
    for (name, bytes) in files {
        write_atomically(&folder.join(name), bytes)?;
    }
    Ok(())
}

/// Gives a folder the first of `name`, `name-2`, `name-3`, ... that nobody has. No run's folder is empty, so that it takes no other's
/// place.
fn named(unborn: &Path, out: &Path, name: &str) -> Result<PathBuf> {
    let mut path = out.join(name);
    for counter in 2.. {
        if !path.exists() {
            match fs::rename(unborn, &path) {
                Err(error) if is_taken(&error) => {}
                result => return result.map_err(io_error("create", &path)).map(|()| path),
            }
        }
        path = out.join(format!("{name}-{counter}"));
    }
    Ok(path)
}

fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(
        error.kind(),
        AlreadyExists | DirectoryNotEmpty | NotADirectory
    )
}

/// Makes a new folder `<out>/<date>-<time>-<name>`, with `-2`, `-3`, ... at its end when another has taken the name.
///
/// # Errors
/// When it cannot be made.
pub fn fresh_folder(out: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(out).map_err(io_error("create", out))?;
    unused(out, &format!("{}-{}", clock::stamp(), plain(name)))
}

/// Makes the first of `name`, `name-2`, `name-3`, ... that nobody has; making it is what claims it.
fn unused(out: &Path, name: &str) -> Result<PathBuf> {
    let mut path = out.join(name);
    let mut counter = 1;
    loop {
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                counter += 1;
                path = out.join(format!("{name}-{counter}"));
            }
            result => break result.map_err(io_error("create", &path)).map(|()| path),
        }
    }
}

/// Bytes of a name: a path's part may have 255, and date, time and counter need some.
const LONGEST: usize = 200;

/// The name as it can stand in a path: anything but letters, digits, and `-_.=,` becomes `-`.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_.=,".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    match plain[..plain.floor_char_boundary(LONGEST)].to_owned() {
        plain if plain.is_empty() => "run".to_owned(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_counter_and_both_stay() {
        let out = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..3)
            .map(|_| unused(out.path(), "2026-11-23-190000-moco").unwrap())
            .collect();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(
            names,
            [
                "2026-11-23-190000-moco",
                "2026-11-23-190000-moco-2",
                "2026-11-23-190000-moco-3"
            ]
        );
        assert!(paths.iter().all(|path| path.is_dir()));
    }

    #[test]
    fn a_name_can_stand_in_a_path_however_long_it_is() {
        assert_eq!(plain("a b/c=1,2"), "a-b-c=1,2");
        assert_eq!(plain(""), "run");
        assert_eq!(plain(&"\u{e9}".repeat(300)), "\u{e9}".repeat(100));
    }

    #[test]
    fn two_runs_in_one_second_are_two_folders() {
        let out = tempfile::tempdir().unwrap();
        let out = out.path().join("runs");
        let files = [("config.yaml", b"name: a\n".to_vec())];
        let first = RunFolder::create(&out, "a b/c", &files).unwrap();
        let second = RunFolder::create(&out, "a b/c", &files).unwrap();
        assert_ne!(first, second);
        assert!(first.id().ends_with("-a-b-c"), "{}", first.id());
        for run in [&first, &second] {
            assert_eq!(fs::read(run.file("config.yaml")).unwrap(), b"name: a\n");
        }
        assert_eq!(
            fs::read_dir(&out).unwrap().count(),
            2,
            "nothing is left beside"
        );
        assert!(first.policies().is_dir() && first.checkpoints().is_dir());
        first.write("command.txt", b"sandbox run").unwrap();
        assert_eq!(fs::read(first.file("command.txt")).unwrap(), b"sandbox run");
        assert_eq!(RunFolder::open(first.path()).unwrap(), first);
    }
}
