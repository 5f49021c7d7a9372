//! semi_hard
