//! The Huffman tables of a JPEG.

use super::bits::{Bits, Missing};

/// Bits that one look into a table decides.
const LOOK: u32 = 9;

/// A table: codes of up to 16 bits for values of a byte.
#[derive(Clone)]
pub(super) struct Table {
    /// Length and value for each beginning of [`LOOK`] bits; length 0 where the code is longer.
    short: Vec<(u8, u8)>,
    /// For each length the first code that is longer, with 16 bits, and what is added to a code to find its value.
    ends: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Table {
    /// `counts` codes of each length, and the values in the order of their codes.
    fn new(counts: &[u8], values: &[u8]) -> Self {
        let mut table = Self {
            short: vec![(0, 0); 1 << LOOK],
            ends: [(0, 0); 17],
            values: values.to_vec(),
        };
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1..=16u32).zip(counts) {
            table.ends[length as usize].1 = place as i32 - code as i32;
            for _ in 0..count {
                if let (true, Some(&value)) = (length <= LOOK, values.get(place)) {
                    let first = (code << (LOOK - length)) as usize;
                    let all = first..first + (1 << (LOOK - length));
                    if let Some(places) = table.short.get_mut(all) {
                        places.fill((length as u8, value));
                    }
                }
                code += 1;
                place += 1;
            }
            table.ends[length as usize].0 = code << (16 - length);
            code <<= 1;
        }
        table
    }

    /// The value of the next code.
    pub(super) fn decode(&self, bits: &mut Bits<'_>) -> Result<u8, Missing> {
        let ahead = bits.peek();
        let (length, value) = self.short[usize::from(ahead >> (16 - LOOK))];
        if length > 0 {
            return bits.skip(length.into()).map(|()| value);
        }
        for length in LOOK + 1..=16 {
            let (end, shift) = self.ends[length as usize];
            if u32::from(ahead) < end {
                let code = i32::from(ahead) >> (16 - length);
                let value = usize::try_from(code + shift).ok();
                let value = value
                    .and_then(|place| self.values.get(place))
                    .ok_or(Missing)?;
                return bits.skip(length).map(|()| *value);
            }
        }
        Err(Missing)
    }
}

/// Those of a file as they stand now: four for the mean of a block, four for its other coefficients.
#[derive(Default)]
pub(super) struct Tables([[Option<Table>; 4]; 2]);

impl Tables {
    /// Takes the tables of a segment.
    pub(super) fn define(&mut self, mut segment: &[u8]) {
        while segment.len() >= 17 {
            let (class, id) = (segment[0] >> 4 & 1, segment[0] & 3);
            let counts = &segment[1..17];
            let all: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let rest = &segment[17..];
            let (values, after) = rest.split_at(all.min(rest.len()));
            self.0[usize::from(class)][usize::from(id)] = Some(Table::new(counts, values));
            segment = after;
        }
    }

    /// The table for means (0) or other coefficients (1).
    pub(super) fn get(&self, class: usize, id: u8) -> Option<&Table> {
        self.0[class][usize::from(id & 3)].as_ref()
    }
}
