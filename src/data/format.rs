//! What a file is that is no JPEG and no PNG, so that a person knows what to do with it.

use image::ImageFormat;

/// What bytes are; nothing where they are a JPEG or a PNG, or nothing that is known.
pub(super) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("an empty file");
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg | ImageFormat::Png) => None,
        Ok(ImageFormat::Gif) => Some("a GIF"),
        Ok(ImageFormat::WebP) => Some("a WebP"),
        Ok(ImageFormat::Tiff) => Some("a TIFF"),
        Ok(ImageFormat::Bmp) => Some("a BMP"),
        Ok(ImageFormat::Avif) => Some("an AVIF"),
        Ok(_) => Some("an image of another format"),
        Err(_) => other(bytes),
    }
}

/// What is no image by its first bytes.
fn other(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], usize, &str); 10] = [
        (b"ftypavif", 4, "an AVIF"),
        (b"ftypmp4", 4, "a video"),
        (b"ftyp", 4, "a HEIC or its kin"),
        (b"%PDF", 0, "a PDF"),
        (b"PK\x03\x04", 0, "a ZIP archive"),
        (b"\x1f\x8b", 0, "a gzip stream"),
        (b"\xff\x0a", 0, "a JPEG XL"),
        (b"\0\0\0\x0cjP", 0, "a JPEG 2000"),
        (b"\0\0\0\x0cJXL ", 0, "a JPEG XL"),
        (
            b"version https://git-lfs",
            0,
            "a pointer of Git LFS in the place of the file",
        ),
    ];
    let begins = |(magic, at, _): &&(&[u8], usize, &str)| {
        bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic))
    };
    if let Some((_, _, name)) = known.iter().find(begins) {
        return Some(name);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start();
    let page = ["<!doctype html", "<html"].iter().any(|tag| {
        text.get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag))
    });
    Some(match (page, text.starts_with('<')) {
        (true, _) => "a web page",
        (false, true) => "an SVG or another text of XML",
        (false, false) => "text",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_is_told_by_its_first_bytes() {
        let cases: [(&[u8], Option<&str>); 12] = [
            (b"\xff\xd8\xff\xe0", None),
            (b"\x89PNG\r\n\x1a\n", None),
            (b"\x01\x02\x80\x03", None),
            (b"", Some("an empty file")),
            (b"GIF89a", Some("a GIF")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("a WebP")),
            (b"BM\x10\0", Some("a BMP")),
            (b"II*\0\x08\0", Some("a TIFF")),
            (b"\0\0\0\x18ftypheic\0", Some("a HEIC or its kin")),
            (
                b"version https://git-lfs.github.com/spec/v1",
                Some("a pointer of Git LFS in the place of the file"),
            ),
            (b"\n<!DOCTYPE HTML>", Some("a web page")),
            (b"not found", Some("text")),
        ];
        for (bytes, expected) in cases {
            assert_eq!(foreign(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
