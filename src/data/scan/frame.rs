//! The picture of a JPEG as blocks, and the codes of a scan through them.

use super::bits::{Bits, Missing, Short};
use super::huffman::{Table, Tables};

/// One colour of a picture.
struct Component {
    id: u8,
    /// Blocks of it in an MCU of all components, across and down.
    sampling: [usize; 2],
    /// Blocks across and down, filled up to whole MCUs.
    stored: [usize; 2],
    /// Blocks across and down that hold a part of the picture: those of a scan of this component alone.
    own: [usize; 2],
    /// Which coefficients of each block are not 0 so far; later scans of a progressive picture refine just these.
    known: Vec<u64>,
    /// Whether a scan had its means.
    shown: bool,
    /// Bits of each coefficient that no scan had so far.
    left: [u8; 64],
}

/// A picture.
pub(super) struct Frame {
    progressive: bool,
    components: Vec<Component>,
    /// MCUs of all components, across and down.
    mcus: [usize; 2],
}

/// Blocks that are followed at most; a bound for what a damaged header asks for (a picture of 30,000 x 30,000).
const MOST: usize = 1 << 26;

impl Frame {
    /// From its header; none where that is damaged or leaves the height to be said later.
    pub(super) fn new(header: &[u8], progressive: bool) -> Option<Self> {
        let side = |at: usize| {
            Some(usize::from(u16::from_be_bytes([
                *header.get(at)?,
                *header.get(at + 1)?,
            ])))
        };
        let (height, width, count) = (side(1)?, side(3)?, usize::from(*header.get(5)?));
        let parts = header.get(6..6 + 3 * count)?;
        let sampling: Vec<[usize; 2]> = parts
            .chunks(3)
            .map(|part| [usize::from(part[1] >> 4), usize::from(part[1] & 15)])
            .collect();
        let most = |axis: usize| sampling.iter().map(|sampling| sampling[axis]).max();
        let most = [most(0)?, most(1)?];
        if sampling
            .iter()
            .flatten()
            .any(|sampling| !(1..=4).contains(sampling))
            || height * width == 0
        {
            return None;
        }
        let size = [width, height];
        let mcus = [0, 1].map(|axis| size[axis].div_ceil(8 * most[axis]));
        let component = |(part, sampling): (&[u8], &[usize; 2])| {
            let stored = [0, 1].map(|axis| mcus[axis] * sampling[axis]);
            let own = [0, 1].map(|axis| {
                (size[axis] * sampling[axis])
                    .div_ceil(most[axis])
                    .div_ceil(8)
            });
            Component {
                id: part[0],
                sampling: *sampling,
                stored,
                own,
                known: vec![],
                shown: false,
                left: [u8::MAX; 64],
            }
        };
        let mut components: Vec<_> = parts.chunks(3).zip(&sampling).map(component).collect();
        let blocks = |component: &Component| component.stored[0] * component.stored[1];
        if components.iter().map(blocks).sum::<usize>() > MOST {
            return None;
        }
        if progressive {
            for component in &mut components {
                component.known = vec![0; blocks(component)];
            }
        }
        Some(Self {
            progressive,
            components,
            mcus,
        })
    }

    /// Whether each component was in a scan.
    pub(super) fn is_shown(&self) -> bool {
        self.components.iter().all(|component| component.shown)
    }

    /// Whether every bit was there: without a marker for its end, nothing else says that a picture is whole.
    pub(super) fn is_whole(&self) -> bool {
        let bits = self.components.iter().flat_map(|component| component.left);
        self.is_shown() && bits.into_iter().all(|left| left == 0)
    }

    /// Follows the codes of a scan to its end. False where a table is not there.
    pub(super) fn follow(
        &mut self,
        scan: &Scan,
        tables: &Tables,
        interval: usize,
        bits: &mut Bits<'_>,
    ) -> Result<bool, Short> {
        let found: Vec<_> = scan
            .parts
            .iter()
            .map(|part| (tables.get(0, part.tables[0]), tables.get(1, part.tables[1])))
            .collect();
        let needed = |(mean, other): &(Option<&Table>, Option<&Table>)| {
            let (first, last) = (scan.band[0] == 0, scan.band[1] > 0);
            (mean.is_some() || !first || scan.refines) && (other.is_some() || !last)
        };
        if !found.iter().all(needed) {
            return Ok(false);
        }
        let mut run = 0;
        let units = scan.units(self);
        for unit in 0..units {
            if interval > 0 && unit > 0 && unit % interval == 0 {
                bits.restart().map_err(|Missing| Short { units: unit })?;
                run = 0;
            }
            for (part, tables) in scan.parts.iter().zip(&found) {
                let component = &mut self.components[part.component];
                for place in component.places(unit, scan.parts.len() == 1, self.mcus[0]) {
                    let known = component.known.get_mut(place);
                    block(scan, *tables, known, &mut run, bits)
                        .map_err(|Missing| Short { units: unit })?;
                }
            }
        }
        for part in &scan.parts {
            let component = &mut self.components[part.component];
            component.shown |= scan.band[0] == 0;
            component.left[scan.band[0] as usize..=scan.band[1] as usize].fill(scan.left);
        }
        Ok(true)
    }
}

impl Component {
    /// Where its blocks of a unit stand among the stored ones.
    fn places(&self, unit: usize, alone: bool, mcus: usize) -> impl Iterator<Item = usize> + use<> {
        let [across, down] = if alone { [1, 1] } else { self.sampling };
        let wide = if alone { self.own[0] } else { mcus };
        let (left, top, stored) = (unit % wide * across, unit / wide * down, self.stored[0]);
        (0..down).flat_map(move |y| (0..across).map(move |x| (top + y) * stored + left + x))
    }
}

/// What of the picture a scan holds.
pub(super) struct Scan {
    parts: Vec<Part>,
    /// First and last coefficient.
    band: [u32; 2],
    /// Whether it adds a bit to what is known.
    refines: bool,
    /// Bits of its coefficients that are left to later scans.
    left: u8,
    progressive: bool,
}

struct Part {
    component: usize,
    /// For means and for other coefficients.
    tables: [u8; 2],
}

impl Scan {
    /// From its header; none where that is damaged.
    pub(super) fn new(header: &[u8], frame: &Frame) -> Option<Self> {
        let count = usize::from(*header.first()?);
        let parts = header.get(1..1 + 2 * count)?.chunks(2).map(|part| {
            let component = frame
                .components
                .iter()
                .position(|component| component.id == part[0]);
            Some(Part {
                component: component?,
                tables: [part[1] >> 4, part[1] & 15],
            })
        });
        let parts = parts.collect::<Option<Vec<_>>>()?;
        let rest = header.get(1 + 2 * count..4 + 2 * count)?;
        let band = match frame.progressive {
            true => [u32::from(rest[0]), u32::from(rest[1])],
            false => [0, 63],
        };
        let fits = !parts.is_empty() && band[0] <= band[1] && band[1] < 64;
        fits.then_some(Self {
            parts,
            band,
            refines: frame.progressive && rest[2] >> 4 > 0,
            left: if frame.progressive { rest[2] & 15 } else { 0 },
            progressive: frame.progressive,
        })
    }

    /// Units of blocks: MCUs, or the blocks of a component that stands alone.
    pub(super) fn units(&self, frame: &Frame) -> usize {
        match &self.parts[..] {
            [part] => frame.components[part.component].own.iter().product(),
            _ => frame.mcus.iter().product(),
        }
    }
}

/// Passes by the codes of one block. `run` is the number of blocks that have no more codes in this band.
fn block(
    scan: &Scan,
    (mean, other): (Option<&Table>, Option<&Table>),
    known: Option<&mut u64>,
    run: &mut u32,
    bits: &mut Bits<'_>,
) -> Result<(), Missing> {
    let [first, last] = scan.band;
    if first == 0 {
        match (scan.refines, mean) {
            (true, _) => bits.skip(1)?,
            (false, mean) => {
                let length = mean.ok_or(Missing)?.decode(bits)?;
                bits.skip(length.min(16).into())?;
            }
        }
    }
    let (Some(table), true) = (other, last > 0) else {
        return Ok(());
    };
    let mut ignored = 0;
    let known = known.unwrap_or(&mut ignored);
    match (scan.progressive, scan.refines) {
        (true, true) => refined(table, [first.max(1), last], known, run, bits),
        (progressive, _) => {
            coefficients(table, [first.max(1), last], known, run, bits)?;
            // Without progression a block ends by itself.
            *run = if progressive { *run } else { 0 };
            Ok(())
        }
    }
}

/// The first codes of coefficients (F.2.2.2, G.1.2.2). Without progression no run is longer than the block.
fn coefficients(
    table: &Table,
    [first, last]: [u32; 2],
    known: &mut u64,
    run: &mut u32,
    bits: &mut Bits<'_>,
) -> Result<(), Missing> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut at = first;
    while at <= last {
        let code = table.decode(bits)?;
        let (zeros, length) = (u32::from(code >> 4), u32::from(code & 15));
        match (zeros, length) {
            (15, 0) => at += 16,
            (exponent, 0) => {
                *run = (1 << exponent) - 1 + bits.take(exponent)?;
                return Ok(());
            }
            _ => {
                at += zeros;
                if at > last {
                    return Err(Missing);
                }
                bits.skip(length)?;
                *known |= 1 << at;
                at += 1;
            }
        }
    }
    Ok(())
}

/// Codes that add a bit to known coefficients, and new ones between these (G.1.2.3).
fn refined(
    table: &Table,
    [first, last]: [u32; 2],
    known: &mut u64,
    run: &mut u32,
    bits: &mut Bits<'_>,
) -> Result<(), Missing> {
    let mut at = first;
    while *run == 0 && at <= last {
        let code = table.decode(bits)?;
        let (mut zeros, length) = (u32::from(code >> 4), u32::from(code & 15));
        if length == 0 && zeros < 15 {
            *run = (1 << zeros) + bits.take(zeros)?;
            break;
        }
        // The sign of a new coefficient.
        bits.skip(length.min(1))?;
        while at <= last {
            let (old, here) = (*known >> at & 1 == 1, at);
            at += 1;
            match (old, zeros) {
                (true, _) => bits.skip(1)?,
                (false, 0) => {
                    *known |= u64::from(length > 0) << here;
                    break;
                }
                (false, _) => zeros -= 1,
            }
        }
    }
    if *run > 0 {
        for at in at..=last {
            bits.skip((*known >> at & 1) as u32)?;
        }
        *run -= 1;
    }
    Ok(())
}
