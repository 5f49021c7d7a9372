//! misbehaved
