//! prototype_labels
