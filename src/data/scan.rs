//! Whether the scans of a JPEG are whole. A decoder fills what is missing with grey or takes what stands behind the picture for a
//! part of it, and says nothing; so the codes of each scan are followed from its start, without making pixels of them
//! (ITU-T T.81, annexes B, F and G).

mod bits;
mod frame;
mod huffman;

use bits::{Bits, Short};
use frame::{Frame, Scan};
use huffman::Tables;

/// Bytes that may stand between the last code of a scan and the marker behind it: some cameras leave a few.
const STRAY: usize = 16;

const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;

/// What is missing in a JPEG; nothing where it is whole, or of a kind that is not followed: decoders refuse those by themselves.
///
/// What stands behind the picture is not looked at: the video of a motion photo, a second picture, zeros. Nor is an end-of-image
/// marker asked for where the last scan is whole without it.
pub(super) fn fault(jpeg: &[u8]) -> Option<String> {
    let mut file = File {
        bytes: jpeg,
        tables: Tables::default(),
        frame: None,
        interval: 0,
    };
    let mut at = 2;
    loop {
        match file.segment(at) {
            Ok(Next::Segment(next)) => at = next,
            Ok(Next::End) => return None,
            Err(what) => return Some(what),
        }
    }
}

/// Where to go on.
enum Next {
    Segment(usize),
    /// The picture ends, or cannot be followed.
    End,
}

/// What is known of a file so far.
struct File<'a> {
    bytes: &'a [u8],
    tables: Tables,
    frame: Option<Frame>,
    /// MCUs between two restart markers; 0: there are none.
    interval: usize,
}

impl File<'_> {
    /// Reads the segment whose marker is the next one from `at` on.
    fn segment(&mut self, at: usize) -> Result<Next, String> {
        let Some(marker_at) = marker(self.bytes, at) else {
            return match self.frame.as_ref().is_some_and(Frame::is_whole) {
                true => Ok(Next::End),
                false => Err(format!("no end in its {} bytes", self.bytes.len())),
            };
        };
        let kind = self.bytes[marker_at + 1];
        let body_at = marker_at + 2;
        // Markers without a body: restarts, the start of an image, one for private use.
        if matches!(kind, 0x01 | 0xd0..=0xd8) {
            return Ok(Next::Segment(body_at));
        }
        if kind == EOI {
            return match self.frame.as_ref().is_some_and(Frame::is_shown) {
                true => Ok(Next::End),
                false => Err("its end before all of its scans".to_owned()),
            };
        }
        let Some(body) = body(self.bytes, body_at) else {
            return Err(format!("no end in its {} bytes", self.bytes.len()));
        };
        let next = body_at + 2 + body.len();
        match kind {
            DHT => self.tables.define(body),
            DRI if body.len() >= 2 => {
                self.interval = usize::from(u16::from_be_bytes([body[0], body[1]]))
            }
            0xc0..=0xc2 => match Frame::new(body, kind == 0xc2) {
                Some(frame) => self.frame = Some(frame),
                None => return Ok(Next::End),
            },
            // Lossless, hierarchical and arithmetic frames.
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Ok(Next::End),
            SOS => return self.scan(body, next),
            _ => {}
        }
        Ok(Next::Segment(next))
    }

    /// Follows the codes of a scan, which begin at `at`.
    fn scan(&mut self, header: &[u8], at: usize) -> Result<Next, String> {
        let Some(frame) = &mut self.frame else {
            return Ok(Next::End);
        };
        let Some(scan) = Scan::new(header, frame) else {
            return Ok(Next::End);
        };
        let mut bits = Bits::new(self.bytes, at);
        let units = scan.units(frame);
        match frame.follow(&scan, &self.tables, self.interval, &mut bits) {
            Ok(true) => {}
            // A table that is not there, which some decoders know by heart.
            Ok(false) => return Ok(Next::End),
            Err(Short { units: done }) => {
                return Err(format!("a scan with {done} of its {units} units of blocks"));
            }
        }
        let (end, padded) = bits.end();
        let next = marker(self.bytes, end);
        let stray = next.unwrap_or(self.bytes.len()) - end;
        let ends = next.is_some_and(|next| self.bytes[next + 1] == EOI);
        if stray <= STRAY {
            return Ok(Next::Segment(end));
        }
        // Whole scans are filled up with ones (F.1.2.3). What was taken for codes of the scan but is something else ends
        // anywhere.
        if ends || !padded {
            return Err(format!(
                "{stray} bytes in a scan that are none of its codes"
            ));
        }
        match frame.is_whole() {
            true => Ok(Next::End),
            false => Err("something else before all of its scans".to_owned()),
        }
    }
}

/// Where the next marker begins: `FF` and anything but a stuffed zero or another `FF`.
fn marker(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let pairs = rest.windows(2);
    let at = pairs
        .into_iter()
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff));
    at.map(|at| from + at)
}

/// The content of a segment, whose length stands before it and counts itself.
fn body(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
    bytes.get(at + 2..at + usize::from(length.max(2)))
}

#[cfg(test)]
mod tests;
