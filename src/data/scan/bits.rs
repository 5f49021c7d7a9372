//! The bits of a scan, one code after the other.

/// A scan that ends, or says what no scan may, before it is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Units of blocks that were there.
    pub(super) units: usize,
}

/// Bits that are not there or mean nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing;

/// A place in a scan.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The byte that the next bit is in.
    at: usize,
    /// Bits of it that were read.
    read: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, read: 0 }
    }

    /// The byte at a place and where the next one is; none at a marker and at the end.
    fn byte(&self, at: usize) -> Option<(u8, usize)> {
        match *self.bytes.get(at)? {
            0xff => (self.bytes.get(at + 1) == Some(&0)).then_some((0xff, at + 2)),
            byte => Some((byte, at + 1)),
        }
    }

    /// The next 16 bits; ones in the place of those that are not there.
    pub(super) fn peek(&self) -> u16 {
        let (mut bits, mut at) = (0u32, self.at);
        for _ in 0..3 {
            let byte = self.byte(at).map(|(byte, next)| {
                at = next;
                byte
            });
            bits = bits << 8 | u32::from(byte.unwrap_or(0xff));
        }
        (bits >> (8 - self.read)) as u16
    }

    /// Passes by so many bits.
    pub(super) fn skip(&mut self, count: u32) -> Result<(), Missing> {
        let mut read = self.read + count;
        while read >= 8 {
            self.at = self.byte(self.at).ok_or(Missing)?.1;
            read -= 8;
        }
        if read > 0 {
            self.byte(self.at).ok_or(Missing)?;
        }
        self.read = read;
        Ok(())
    }

    /// The next bits as a number, at most 16 of them.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Missing> {
        let value = u32::from(self.peek()) >> (16 - count);
        self.skip(count).map(|()| value)
    }

    /// Passes by a restart marker, which must be here.
    pub(super) fn restart(&mut self) -> Result<(), Missing> {
        let (mut at, _) = self.end();
        while self.bytes.get(at..at + 2) == Some(&[0xff, 0xff]) {
            at += 1;
        }
        match self.bytes.get(at..at + 2) {
            Some([0xff, 0xd0..=0xd7]) => {
                *self = Self::new(self.bytes, at + 2);
                Ok(())
            }
            _ => Err(Missing),
        }
    }

    /// The first byte of which nothing was read, and whether the bits before it that were not read are ones.
    pub(super) fn end(&self) -> (usize, bool) {
        match self.byte(self.at) {
            Some((byte, next)) if self.read > 0 => {
                let rest = 0xff >> self.read;
                (next, byte & rest == rest)
            }
            _ => (self.at, true),
        }
    }
}
