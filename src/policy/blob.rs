//! A file of a policy, as it is stored: under the hash of its bytes.

/// A file of a content, as it is stored.
pub struct Blob<'a> {
    /// The name under which replay knows it.
    pub name: String,
    /// blake3 of its bytes, in hexadecimal.
    pub hash: String,
    /// How its file ends.
    pub ending: &'static str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Blob<'_> {
    /// The name of the file that stores it.
    pub fn file(&self) -> String {
        format!("{}.{}", self.hash, self.ending)
    }
}
