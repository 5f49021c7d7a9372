//! The font of all pictures.

use std::sync::Once;

use plotters::style::{FontStyle, register_font};

/// DejaVu Sans, so that there is text where the system has no fonts.
const FONT: &[u8] = include_bytes!("dejavu/DejaVuSans.ttf");

/// The family under which plotters knows it.
pub const FAMILY: &str = "sans-serif";

/// Makes the embedded font known to plotters as [`FAMILY`]; called before a text is drawn.
pub fn register_fonts() {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        let registered = register_font(FAMILY, FontStyle::Normal, FONT);
        assert!(registered.is_ok(), "the embedded font is a font");
    });
}
