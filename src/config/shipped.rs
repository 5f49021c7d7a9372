//! The configurations that the binary carries.

/// Their names with their texts.
pub const SHIPPED: &[(&str, &str)] = &[
    ("embedded", include_str!("../../configs/embedded.yaml")),
    (
        "moco_interclr_cifar10",
        include_str!("../../configs/moco_interclr_cifar10.yaml"),
    ),
    (
        "moco_interclr_imagenet",
        include_str!("../../configs/moco_interclr_imagenet.yaml"),
    ),
    ("oupn", include_str!("../../configs/oupn.yaml")),
    ("probing", include_str!("../../configs/probing.yaml")),
    ("oupn_mnist", include_str!("../../configs/oupn_mnist.yaml")),
    (
        "oupn_omniglot",
        include_str!("../../configs/oupn_omniglot.yaml"),
    ),
    ("patch_ckn", include_str!("../../configs/patch_ckn.yaml")),
    ("unmix", include_str!("../../configs/unmix.yaml")),
    (
        "unmix_cifar10",
        include_str!("../../configs/unmix_cifar10.yaml"),
    ),
    (
        "studies/labels",
        include_str!("../../configs/studies/labels.yaml"),
    ),
    (
        "studies/samplers",
        include_str!("../../configs/studies/samplers.yaml"),
    ),
    (
        "studies/boundaries",
        include_str!("../../configs/studies/boundaries.yaml"),
    ),
    (
        "studies/methods",
        include_str!("../../configs/studies/methods.yaml"),
    ),
    (
        "studies/oupn",
        include_str!("../../configs/studies/oupn.yaml"),
    ),
    (
        "studies/unmix",
        include_str!("../../configs/studies/unmix.yaml"),
    ),
];

/// Their names, for an error.
pub(super) fn names() -> String {
    SHIPPED
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}
