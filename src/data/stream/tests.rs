//! What windows are, whatever is drawn.
