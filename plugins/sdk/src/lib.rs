//! The authors side of plugins.
