//! cosine_margin
