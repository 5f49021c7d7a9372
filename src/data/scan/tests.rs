//! Pictures with something behind them, and pictures without a part.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use super::*;

/// Noise of 96 x 96 in colour.
fn jpeg() -> Vec<u8> {
    let noise = |x: u32, y: u32, c: u32| {
        let mixed = (x + 97 * y + 9409 * c).wrapping_mul(2_654_435_761);
        (mixed >> 24) as u8
    };
    let image = RgbImage::from_fn(96, 96, |x, y| {
        Rgb([
            noise(x, y, 0) / 2 + 90,
            noise(x, y, 1) / 3 + 50,
            noise(x, y, 2) / 2,
        ])
    });
    let mut bytes = vec![];
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode_image(&image)
        .unwrap();
    bytes
}

/// What a phone puts behind a picture: a box of MP4 and what is in it.
fn trailer() -> Vec<u8> {
    [b"\0\0\0\x18ftypmp42".as_slice(), &[0x11; 2000]].concat()
}

#[test]
fn what_stands_behind_a_whole_picture_is_none_of_it() {
    let whole = jpeg();
    let open = &whole[..whole.len() - 2];
    let behind: [(&str, Vec<u8>); 6] = [
        ("nothing", whole.clone()),
        (
            "a video with a marker in it",
            [&whole, &trailer()[..], &[0xff, 0xda], &[0x22; 200]].concat(),
        ),
        ("a second picture", [&whole[..], &whole].concat()),
        ("zeros", [&whole[..], &[0; 4096]].concat()),
        (
            "a video, and no marker for the end",
            [open, &trailer()].concat(),
        ),
        ("no marker for the end", open.to_vec()),
    ];
    for (what, bytes) in behind {
        assert_eq!(fault(&bytes), None, "{what}");
    }
}

#[test]
fn a_picture_without_a_part_of_its_scan_is_not_whole() {
    let whole = jpeg();
    for third in [1, 2] {
        let cut = &whole[..whole.len() * third / 3];
        for (what, behind) in [
            ("nothing", vec![]),
            ("an end", vec![0xff, 0xd9]),
            ("a video and an end", [trailer(), vec![0xff, 0xd9]].concat()),
            ("zeros", vec![0; 4096]),
            (
                "many zeros and an end",
                [vec![0; 1 << 20], vec![0xff, 0xd9]].concat(),
            ),
            ("a second picture", whole.clone()),
        ] {
            let bytes = [cut, &behind].concat();
            assert!(fault(&bytes).is_some(), "{third} thirds and {what}");
        }
    }
}

/// Two blocks of grey in three scans: the means, a coefficient of the first block without its last bit, that bit.
fn progressive() -> Vec<Vec<u8>> {
    let table = |class: u8, counts: [u8; 2], values: &[u8]| {
        let counts = [counts.as_slice(), &[0; 14]].concat();
        [
            &[0xff, DHT, 0, 19 + values.len() as u8, class << 4],
            &counts[..],
            values,
        ]
        .concat()
    };
    let scan = |band: [u8; 2], bits: u8, codes: u8| {
        vec![0xff, SOS, 0, 8, 1, 1, 0, band[0], band[1], bits, codes]
    };
    vec![
        vec![0xff, 0xd8, 0xff, 0xc2, 0, 11, 8, 0, 8, 0, 16, 1, 1, 0x11, 0],
        table(0, [1, 0], &[0]),
        table(1, [1, 1], &[0, 1]),
        // Two means of length 0.
        scan([0, 0], 0, 0b0011_1111),
        // A coefficient, its sign, the end of the block; the end of the other block.
        scan([1, 63], 1, 0b1010_0111),
        // The end of the block, the bit of its coefficient; the end of the other block.
        scan([1, 63], 0x10, 0b0101_1111),
        vec![0xff, EOI],
    ]
}

#[test]
fn the_scans_of_a_progressive_picture_are_followed() {
    let parts = progressive();
    assert_eq!(fault(&parts.concat()), None);
    assert_eq!(
        fault(&parts[..6].concat()),
        None,
        "whole without a marker for the end"
    );
    assert_eq!(
        fault(&parts[..5].concat()).unwrap(),
        "no end in its 82 bytes"
    );
    for scan in 3..6 {
        let mut parts = progressive();
        parts[scan].pop();
        let text = fault(&parts.concat()).unwrap();
        assert_eq!(text, "a scan with 0 of its 2 units of blocks", "{scan}");
    }
}

#[test]
fn nothing_that_a_damaged_file_says_is_followed_into_a_panic() {
    let whole = jpeg();
    for seed in 0..400usize {
        let mut bytes = whole.clone();
        for step in 0..3 {
            let at = (seed * 7919 + step * 104_729) % bytes.len().min(700);
            bytes[at] ^= 1 << (seed % 8);
        }
        let _ = fault(&bytes);
        let _ = fault(&bytes[..bytes.len() * (seed % 10) / 10]);
    }
    assert_eq!(fault(&[]), Some("no end in its 0 bytes".into()));
}
