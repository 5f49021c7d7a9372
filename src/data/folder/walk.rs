//! A walk through the folders of a split. Each real folder is read once, whatever links lead to it, and what is no part of the
//! data is left out; what was passed by is said once.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::listing::Listing;
use super::super::{Error, files};
use super::is_image;
use crate::ground::plain::in_line;

/// Folders that systems and tools put beside files: thumbnails, what archives bring along, what was thrown away. All others
/// have hidden names.
const SYSTEM: [&str; 7] = [
    "@eaDir",
    "#recycle",
    "__MACOSX",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "@Recycle",
];

/// Where decoded images are kept by default.
const OWN: &str = ".sandbox-cache";

/// A real folder, whatever its path: device and inode.
type Identity = (u64, u64);

/// The walk through one split.
pub(super) struct Walk {
    listing: Listing,
    seen: HashSet<Identity>,
    /// Files that are no images.
    foreign: usize,
    /// Hidden names and folders of the system.
    hidden: Vec<PathBuf>,
    /// Links to folders that are read already.
    again: Vec<PathBuf>,
    /// Links that lead nowhere, or to themselves.
    dangling: Vec<PathBuf>,
}

/// What stands in a folder, sorted by name.
#[derive(Default)]
pub(super) struct Content {
    /// Folders, and links to some.
    pub(super) folders: Vec<PathBuf>,
    /// All others.
    pub(super) files: Vec<PathBuf>,
}

impl Walk {
    /// A walk below `root`. A link to a folder above it is a loop.
    pub(super) fn new(root: &Path) -> Self {
        let real = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        Self {
            listing: Listing::new(root, root),
            seen: real.ancestors().filter_map(identity).collect(),
            foreign: 0,
            hidden: vec![],
            again: vec![],
            dangling: vec![],
        }
    }

    /// What stands in a folder and belongs to the data.
    pub(super) fn look(&mut self, dir: &Path) -> Result<Content, Error> {
        let mut content = Content::default();
        for path in files::everything(dir)? {
            Error::unless_stopped()?;
            let name = files::name(&path);
            match fs::metadata(&path) {
                // Our own cache, where images lie in the data folder itself, is nothing to speak of.
                _ if name == OWN => {}
                _ if name.starts_with('.') => self.hidden.push(path),
                Ok(kind) if kind.is_dir() && SYSTEM.contains(&name.as_str()) => {
                    self.hidden.push(path);
                }
                Ok(kind) if kind.is_dir() => content.folders.push(path),
                Err(_) if path.is_symlink() => self.dangling.push(path),
                _ => content.files.push(path),
            }
        }
        Ok(content)
    }

    /// Of these folders those that are read under just this path; real ones come before links to them.
    pub(super) fn claim(&mut self, folders: Vec<PathBuf>) -> Vec<PathBuf> {
        let (links, real): (Vec<_>, Vec<_>) =
            folders.into_iter().partition(|path| path.is_symlink());
        let mut claimed = vec![];
        for path in real.into_iter().chain(links) {
            let new = identity(&path).is_none_or(|identity| self.seen.insert(identity));
            let to = if new { &mut claimed } else { &mut self.again };
            to.push(path);
        }
        claimed.sort_unstable();
        claimed
    }

    /// Takes the images in a folder that was claimed and in all below it. Links are followed last: a folder's own place comes
    /// before others that lead to it.
    pub(super) fn take(&mut self, dir: &Path) -> Result<(), Error> {
        let before = self.listing.files.len();
        let (mut folders, mut links) = (vec![dir.to_owned()], vec![]);
        loop {
            while let Some(folder) = folders.pop() {
                let content = self.look(&folder)?;
                let (linked, real): (Vec<_>, Vec<_>) = content
                    .folders
                    .into_iter()
                    .partition(|path| path.is_symlink());
                folders.extend(self.claim(real));
                links.extend(linked);
                self.keep(content.files);
            }
            match links.pop() {
                None => break,
                Some(link) => folders.extend(self.claim(vec![link])),
            }
        }
        self.listing.files[before..].sort_unstable();
        Ok(())
    }

    /// Takes the images among files.
    fn keep(&mut self, files: Vec<PathBuf>) {
        for path in files {
            match path.strip_prefix(&self.listing.root) {
                Ok(below) if is_image(&path) => self.listing.files.push(below.to_owned()),
                _ => self.foreign += 1,
            }
        }
    }

    /// How many images were found so far.
    pub(super) fn found(&self) -> usize {
        self.listing.files.len()
    }

    /// What was found, unless links lead nowhere: what they stand for is missing. Says what was passed by.
    pub(super) fn end(self) -> Result<Listing, Error> {
        if !self.dangling.is_empty() {
            let names = self.below(&self.dangling);
            let found = format!("links that lead nowhere: {}", files::listing(&names));
            let origin = &self.listing.origin;
            return Err(Error::unexpected(origin, "files and folders", found));
        }
        for note in self.notes() {
            tracing::warn!("'{}': {note}", self.listing.origin.display());
        }
        Ok(self.listing)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        if self.foreign > 0 {
            let foreign = self.foreign;
            notes.push(format!(
                "{foreign} files are neither JPEG nor PNG and are ignored"
            ));
        }
        for (paths, what) in [
            (&self.hidden, "hidden names and folders of the system"),
            (&self.again, "links to folders that are read already"),
        ] {
            if !paths.is_empty() {
                let names = files::listing(&self.below(paths));
                notes.push(format!("left out are {what} ({}): {names}", paths.len()));
            }
        }
        notes
    }

    /// Paths as they stand below the split.
    fn below(&self, paths: &[PathBuf]) -> Vec<String> {
        let root = &self.listing.root;
        let below = |path: &PathBuf| in_line(path.strip_prefix(root).unwrap_or(path));
        let mut names: Vec<_> = paths.iter().map(below).collect();
        names.sort_unstable();
        names
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn walked(dir: &Path, class: &str) -> (Vec<String>, Vec<String>) {
        let mut walk = Walk::new(dir);
        let content = walk.look(dir).unwrap();
        let claimed = walk.claim(content.folders);
        assert!(claimed.contains(&dir.join(class)), "{claimed:?}");
        walk.take(&dir.join(class)).unwrap();
        let notes = walk.notes();
        let files = walk.end().unwrap().files;
        (
            files
                .iter()
                .map(|file| file.display().to_string())
                .collect(),
            notes,
        )
    }

    #[test]
    fn a_folder_is_read_once_and_loops_are_named() {
        let dir = tree(&["cat/1.png", "cat/more/2.png", "dog/3.png"]);
        let cat = dir.path().join("cat");
        symlink(".", cat.join("again")).unwrap();
        symlink("..", cat.join("all")).unwrap();
        symlink("../dog", cat.join("dogs")).unwrap();
        symlink("more", cat.join("less")).unwrap();
        symlink("cat", dir.path().join("kitty")).unwrap();
        let (files, notes) = walked(dir.path(), "cat");
        assert_eq!(files, ["cat/1.png", "cat/more/2.png"]);
        let expected =
            "left out are links to folders that are read already (5): 'cat/again', 'cat/all', ";
        assert!(notes[0].starts_with(expected), "{notes:?}");
    }

    #[test]
    fn a_link_to_a_folder_elsewhere_is_followed_and_so_is_one_to_a_file() {
        let dir = tree(&["x/cat/1.png", "elsewhere/2.png", "elsewhere/3.png"]);
        let cat = dir.path().join("x/cat");
        symlink("../../elsewhere", cat.join("0")).unwrap();
        symlink("../../elsewhere/3.png", cat.join("3.png")).unwrap();
        let (files, notes) = walked(&dir.path().join("x"), "cat");
        assert_eq!(
            files,
            ["cat/0/2.png", "cat/0/3.png", "cat/1.png", "cat/3.png"]
        );
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn what_systems_leave_is_left_out_and_said_once() {
        let dir = tree(&[
            "cat/1.png",
            "cat/@eaDir/1.png",
            "cat/.ipynb_checkpoints/1.png",
            "cat/._1.png",
            ".sandbox-cache/x.images",
            "__MACOSX/cat/1.png",
        ]);
        let (files, notes) = walked(dir.path(), "cat");
        assert_eq!(files, ["cat/1.png"]);
        let [note] = &notes[..] else {
            panic!("{notes:?}")
        };
        let expected =
            "left out are hidden names and folders of the system (4): '__MACOSX', 'cat/._1.png', ";
        assert!(note.starts_with(expected), "{note}");
    }

    #[test]
    fn links_that_lead_nowhere_are_all_named() {
        let dir = tree(&["cat/1.png"]);
        symlink("nowhere", dir.path().join("dog")).unwrap();
        symlink("2.png", dir.path().join("cat/2.png")).unwrap();
        let mut walk = Walk::new(dir.path());
        let folders = walk.look(dir.path()).unwrap().folders;
        for class in walk.claim(folders) {
            walk.take(&class).unwrap();
        }
        let text = walk.end().unwrap_err().to_string();
        let expected =
            "expected files and folders, found links that lead nowhere: 'cat/2.png', 'dog'";
        assert!(text.ends_with(expected), "{text}");
    }
}
