//! The decoded images of a folder's split in one memory-mapped file, which is used as long as it was made from just the
//! files that are there now.
//!
//! The file: 16 bytes of magic, 32 bytes of key, 32 bytes of the pixels' blake3 hash, then the pixels, u8 NCHW. It is
//! written beside and renamed, so it is never seen half-written and never changes under a map.

mod beside;
mod litter;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use blake3::{Hash, Hasher};
use memmap2::{Mmap, MmapOptions};
use rayon::prelude::*;

use super::decode::{self, Resizer, Rgb};
use super::listing::Listing;
use super::{Error, Faults, files};
use beside::Beside;
pub use litter::{Kept, kept, litter};

/// What the file begins with. The number changes when the same sources would give other pixels.
const MAGIC: &[u8; 16] = b"sandbox images 1";
const HEADER: usize = MAGIC.len() + 2 * blake3::OUT_LEN;

/// What helps where a file is none that can be decoded.
const WAY_ON: &str = "mend it, convert it or take it away; data.decode: live goes on without such files, with others in their place";

/// What the names of all such files end with.
const ENDING: &str = ".images";

/// How many bytes of pixels are decoded before they are written.
const CHUNK: usize = 64 << 20;

/// Decoded images, and what they were made from.
pub(super) struct Decoded {
    /// The pixels of all files of a split, `[N, 3, size, size]` u8.
    pub(super) pixels: Mmap,
    /// The hash of each file's content.
    pub(super) contents: Vec<Hash>,
}

/// The decoded images of a split. They are decoded when the cache in `dir` is missing, stale or damaged.
pub(super) fn decoded(listing: &Listing, size: u32, dir: &Path) -> Result<Decoded, Error> {
    let sources = sources(listing)?;
    let contents = sources.iter().map(|(_, content)| *content).collect();
    let key = key(listing, &sources, size);
    let bytes = listing.files.len() * image_bytes(size);
    let path = dir.join(name(&listing.origin, size));
    let pixels = match fresh(&path, &key, bytes) {
        Some(pixels) => pixels,
        None => make(listing, size, &key, &path)?,
    };
    Ok(Decoded { pixels, contents })
}

/// Decodes all files and puts the pixels at `path`.
fn make(listing: &Listing, size: u32, key: &Hash, path: &Path) -> Result<Mmap, Error> {
    Error::unless_stopped()?;
    let count = listing.files.len();
    tracing::info!(
        "decoding {count} images of '{}' to '{}'",
        listing.origin.display(),
        path.display()
    );
    let bytes = count * image_bytes(size);
    let beside = Beside::new(path, (HEADER + bytes) as u64)?;
    write(listing, size, key, &beside)?;
    beside.rename(path)?;
    File::open(path)
        .and_then(|file| map(&file, HEADER, bytes))
        .map_err(|source| Error::read(path, source))
}

/// One file per split and size: a stale one is replaced, not kept beside the new.
fn name(origin: &Path, size: u32) -> String {
    let origin = fs::canonicalize(origin).unwrap_or_else(|_| origin.to_owned());
    let place = blake3::hash(origin.as_os_str().as_encoded_bytes()).to_hex();
    format!("{}-{size}-{}{ENDING}", files::name(&origin), &place[..12])
}

/// The length and the hash of each file.
fn sources(listing: &Listing) -> Result<Vec<(u64, Hash)>, Error> {
    let hash = |file: &PathBuf| {
        Error::unless_stopped()?;
        let bytes = files::read_one(&listing.root.join(file))?;
        Ok((bytes.len() as u64, blake3::hash(&bytes)))
    };
    let all: Vec<_> = listing.files.par_iter().map(hash).collect();
    Faults::all(all, WAY_ON)
}

/// The identity of what the pixels are made from: each file's path, size and content, and the size of the result.
fn key(listing: &Listing, sources: &[(u64, Hash)], size: u32) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(MAGIC);
    hasher.update(&size.to_le_bytes());
    for (file, (length, content)) in listing.files.iter().zip(sources) {
        let path = file.as_os_str().as_encoded_bytes();
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path);
        hasher.update(&length.to_le_bytes());
        hasher.update(content.as_bytes());
    }
    hasher.finalize()
}

/// The mapped pixels, if the file was made from these sources and none of its bytes changed since.
fn fresh(path: &Path, key: &Hash, bytes: usize) -> Option<Mmap> {
    let mut file = File::open(path).ok()?;
    let mut found = [0; HEADER];
    file.read_exact(&mut found).ok()?;
    if file.metadata().ok()?.len() != (HEADER + bytes) as u64 {
        return None;
    }
    let map = map(&file, HEADER, bytes).ok()?;
    let expected = [&MAGIC[..], key.as_bytes()].concat();
    let mut hasher = Hasher::new();
    files::hash(&mut hasher, &map);
    let intact =
        found.starts_with(&expected) && found[expected.len()..] == *hasher.finalize().as_bytes();
    intact.then_some(map)
}

/// Maps `bytes` of a file from `offset` on.
#[expect(
    unsafe_code,
    reason = "a map of a file is only as safe as the file is constant"
)]
pub(super) fn map(file: &File, offset: usize, bytes: usize) -> io::Result<Mmap> {
    // SAFETY: The map is read-only. A cache is never changed: we write beside it and rename, which leaves a mapped file as
    // it is. A published data set that is mapped as it is must not be changed under a run; its documentation says so.
    unsafe {
        MmapOptions::new()
            .offset(offset as u64)
            .len(bytes)
            .map(file)
    }
}

/// Decodes all files in parallel, a chunk at a time. Written rather than mapped, because a full disk is then an error
/// and not a signal.
fn write(listing: &Listing, size: u32, key: &Hash, beside: &Beside) -> Result<(), Error> {
    let fault = |source| beside.fault(source);
    let mut file = beside.file();
    let mut hasher = Hasher::new();
    file.write_all(&[0; HEADER]).map_err(fault)?;
    let (mut faults, mut dark) = (Faults::new(WAY_ON), vec![]);
    for chunk in listing.files.chunks((CHUNK / image_bytes(size)).max(1)) {
        let mut pixels = vec![0; chunk.len() * image_bytes(size)];
        let images: Vec<_> = pixels
            .par_chunks_mut(image_bytes(size))
            .zip(chunk)
            .map_init(Resizer::default, |resizer, (to, file)| {
                Error::unless_stopped()?;
                let Rgb { image, dark } = decode::rgb(&listing.root.join(file), true)?;
                resizer.square(&image, size, to);
                Ok(dark)
            })
            .collect();
        for (image, file) in images.into_iter().zip(chunk) {
            match image {
                Ok(Some(brightest)) => dark.push((file, brightest)),
                Ok(None) => {}
                Err(fault @ Error::Stopped(_)) => return Err(fault),
                Err(fault) => faults.add(fault),
            }
        }
        if !faults.is_empty() {
            // The others are only looked at, so that all faults are known.
            continue;
        }
        hasher.update_rayon(&pixels);
        file.write_all(&pixels).map_err(fault)?;
    }
    faults.none()?;
    if let Some((file, brightest)) = dark.first() {
        let said = decode::darkness(&listing.root.join(file), *brightest);
        tracing::warn!(
            "{said} (so are {} of {} images)",
            dark.len(),
            listing.files.len()
        );
    }
    file.seek(SeekFrom::Start(0)).map_err(fault)?;
    let header = [&MAGIC[..], key.as_bytes(), hasher.finalize().as_bytes()].concat();
    file.write_all(&header).map_err(fault)?;
    file.sync_all().map_err(fault)
}

fn image_bytes(size: u32) -> usize {
    3 * size as usize * size as usize
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use image::{Rgb, RgbImage};

    use super::*;
    use crate::data::folder;

    fn draw(root: &Path, file: &str, red: u8) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(2, 2, Rgb([red, 0, 0]))
            .save(path)
            .unwrap();
    }

    /// The red of each image, and the cache's one file with its inode: that changes when the cache is made anew.
    fn read(root: &Path, cache: &Path) -> (Vec<u8>, PathBuf, u64) {
        let map = decoded(&folder::read(root).unwrap(), 2, cache)
            .unwrap()
            .pixels;
        let mut caches: Vec<_> = fs::read_dir(cache)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        let path = caches.pop().unwrap();
        assert!(
            caches.is_empty(),
            "one file per split and size, nothing beside it: {caches:?}"
        );
        let inode = fs::metadata(&path).unwrap().ino();
        (map.chunks(12).map(|image| image[0]).collect(), path, inode)
    }

    /// A folder of two images, its cache and the file in it.
    fn two() -> (tempfile::TempDir, PathBuf, PathBuf, (PathBuf, u64)) {
        let dir = tempfile::tempdir().unwrap();
        let (root, cache) = (dir.path().join("train"), dir.path().join("deep/cache"));
        draw(&root, "a/1.png", 1);
        draw(&root, "b/2.png", 2);
        let (reds, path, inode) = read(&root, &cache);
        assert_eq!(reds, [1, 2]);
        (dir, root, cache, (path, inode))
    }

    #[test]
    fn a_fresh_cache_is_used() {
        let (_dir, root, cache, (path, inode)) = two();
        assert_eq!(read(&root, &cache), (vec![1, 2], path, inode));
    }

    #[test]
    fn a_changed_source_is_decoded_anew() {
        type Change = fn(&Path);
        let changes: [(Change, &[u8]); 4] = [
            (|root| draw(root, "b/2.png", 3), &[1, 3]),
            (|root| draw(root, "a/3.png", 3), &[1, 3, 2]),
            (|root| fs::remove_file(root.join("b/2.png")).unwrap(), &[1]),
            (
                |root| fs::rename(root.join("b/2.png"), root.join("a/0.png")).unwrap(),
                &[2, 1],
            ),
        ];
        for (change, expected) in changes {
            let (_dir, root, cache, (path, inode)) = two();
            change(&root);
            fs::create_dir_all(root.join("b")).unwrap();
            if fs::read_dir(root.join("b")).unwrap().next().is_none() {
                fs::remove_dir(root.join("b")).unwrap();
            }
            let (reds, renewed, renewed_inode) = read(&root, &cache);
            assert_eq!((&reds[..], renewed), (expected, path));
            assert_ne!(renewed_inode, inode);
        }
    }

    #[test]
    fn a_damaged_cache_is_made_anew() {
        let damages: [fn(&mut Vec<u8>); 6] = [
            |bytes| bytes.truncate(HEADER + 5),
            |bytes| bytes.truncate(7),
            |bytes| bytes.push(0),
            |bytes| bytes[0] ^= 1,
            |bytes| bytes[20] ^= 1,
            |bytes| bytes[HEADER + 3] ^= 1,
        ];
        for damage in damages {
            let (_dir, root, cache, (path, _)) = two();
            let whole = fs::read(&path).unwrap();
            let mut bytes = whole.clone();
            damage(&mut bytes);
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&root, &cache).0, [1, 2]);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_failed_decode_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (root, cache) = (dir.path().join("train"), dir.path().join("cache"));
        draw(&root, "a/1.png", 1);
        fs::write(root.join("a/2.png"), "text").unwrap();
        let text = decoded(&folder::read(&root).unwrap(), 2, &cache)
            .err()
            .unwrap()
            .to_string();
        assert!(text.contains("a/2.png': expected a JPEG or PNG"), "{text}");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
    }
}
