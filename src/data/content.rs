//! What stands in a file, part by part: unzipped where it is a gzip stream, never more than is asked for, and given up where the
//! process is asked to stop.

use std::io::{self, Chain, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{Error, files};
use crate::ground::memory;

/// What every gzip stream begins with (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes between two looks at whether the process was asked to stop: a fraction of a second.
const PART: u64 = 16 << 20;

/// The content of one file, from its beginning.
pub(super) struct Content<'a> {
    path: &'a Path,
    stream: Stream<'a>,
    /// Bytes that were taken.
    taken: u64,
}

enum Stream<'a> {
    Plain(Whole<'a>),
    Zipped(Box<MultiGzDecoder<Whole<'a>>>),
}

/// The first two bytes, which were looked at, and the rest.
type Whole<'a> = Chain<Cursor<Vec<u8>>, Box<dyn Read + 'a>>;

impl<'a> Content<'a> {
    /// Of a file that must be there.
    pub(super) fn open(path: &'a Path) -> Result<Self, Error> {
        Self::of(path, files::open(path)?)
    }

    /// Of what is read from elsewhere; `path` is for errors.
    pub(super) fn of(path: &'a Path, mut stream: impl Read + 'a) -> Result<Self, Error> {
        let mut first = vec![];
        let read = stream.by_ref().take(2).read_to_end(&mut first);
        read.map_err(|source| Error::read(path, source))?;
        let zipped = first == GZIP;
        let stream: Box<dyn Read + 'a> = Box::new(stream);
        let whole = Cursor::new(first).chain(stream);
        let stream = match zipped {
            true => Stream::Zipped(Box::new(MultiGzDecoder::new(whole))),
            false => Stream::Plain(whole),
        };
        Ok(Self {
            path,
            stream,
            taken: 0,
        })
    }

    /// The next bytes, up to so many; fewer where it ends before. More than a quarter of the memory is no data set.
    pub(super) fn take(&mut self, most: u128) -> Result<Vec<u8>, Error> {
        let room = memory::total().unwrap_or(u64::MAX) / 4;
        let most = u64::try_from(most).unwrap_or(u64::MAX).min(room + 1);
        let mut bytes = vec![];
        while (bytes.len() as u64) < most {
            Error::unless_stopped()?;
            let part = PART.min(most - bytes.len() as u64);
            if self.append(&mut bytes, part)? == 0 {
                break;
            }
        }
        if bytes.len() as u64 > room {
            let most = memory::readable(room);
            let expected = format!("at most {most}, a quarter of the memory");
            return Err(Error::unexpected(self.path, expected, "more"));
        }
        Ok(bytes)
    }

    fn append(&mut self, bytes: &mut Vec<u8>, part: u64) -> Result<usize, Error> {
        let before = bytes.len();
        let read = match &mut self.stream {
            Stream::Plain(whole) => whole.take(part).read_to_end(bytes),
            Stream::Zipped(decoder) => decoder.take(part).read_to_end(bytes),
        };
        self.taken += (bytes.len() - before) as u64;
        read.map_err(|fault| self.fault(fault))
    }

    fn fault(&self, fault: io::Error) -> Error {
        match self.stream {
            Stream::Plain(_) => Error::read(self.path, fault),
            Stream::Zipped(_) => Error::unexpected(
                self.path,
                "a whole gzip stream",
                format!("a fault after {} bytes of content: {fault}", self.taken),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn no_more_is_unzipped_than_is_asked_for() {
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(&vec![7; 64 << 20]).unwrap();
        let zipped = encoder.finish().unwrap();
        let mut content = Content::of(Path::new("bomb"), &zipped[..]).unwrap();
        assert_eq!(content.take(3).unwrap(), [7; 3]);
        assert_eq!(content.taken, 3);
        assert_eq!(content.take(1 << 40).unwrap().len(), (64 << 20) - 3);
    }

    #[test]
    fn plain_bytes_end_where_they_end() {
        let mut content = Content::of(Path::new("plain"), &b"\x1fabc"[..]).unwrap();
        assert_eq!(content.take(2).unwrap(), b"\x1fa");
        assert_eq!(content.take(10).unwrap(), b"bc");
        assert_eq!(content.take(10).unwrap(), b"");
    }
}
