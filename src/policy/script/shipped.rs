//! The scripts that the binary carries, so that it does its job from any folder.

/// Path below `scripts/` and text of each shipped script.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "boundaries/annealed_margin.rhai",
        include_str!("../../../scripts/boundaries/annealed_margin.rhai"),
    ),
    (
        "boundaries/arc_margin.rhai",
        include_str!("../../../scripts/boundaries/arc_margin.rhai"),
    ),
    (
        "boundaries/circle.rhai",
        include_str!("../../../scripts/boundaries/circle.rhai"),
    ),
    (
        "boundaries/cosine_margin.rhai",
        include_str!("../../../scripts/boundaries/cosine_margin.rhai"),
    ),
    (
        "boundaries/plain.rhai",
        include_str!("../../../scripts/boundaries/plain.rhai"),
    ),
    (
        "boundaries/supervised.rhai",
        include_str!("../../../scripts/boundaries/supervised.rhai"),
    ),
    (
        "boundaries/triplet.rhai",
        include_str!("../../../scripts/boundaries/triplet.rhai"),
    ),
    (
        "labels/minibatch.rhai",
        include_str!("../../../scripts/labels/minibatch.rhai"),
    ),
    (
        "labels/none.rhai",
        include_str!("../../../scripts/labels/none.rhai"),
    ),
    (
        "labels/offline.rhai",
        include_str!("../../../scripts/labels/offline.rhai"),
    ),
    (
        "labels/online.rhai",
        include_str!("../../../scripts/labels/online.rhai"),
    ),
    (
        "lib/anneal.rhai",
        include_str!("../../../scripts/lib/anneal.rhai"),
    ),
    (
        "lib/clusters.rhai",
        include_str!("../../../scripts/lib/clusters.rhai"),
    ),
    (
        "lib/margins.rhai",
        include_str!("../../../scripts/lib/margins.rhai"),
    ),
    (
        "lib/positives.rhai",
        include_str!("../../../scripts/lib/positives.rhai"),
    ),
    (
        "samplers/curriculum.rhai",
        include_str!("../../../scripts/samplers/curriculum.rhai"),
    ),
    (
        "samplers/easy.rhai",
        include_str!("../../../scripts/samplers/easy.rhai"),
    ),
    (
        "samplers/hard.rhai",
        include_str!("../../../scripts/samplers/hard.rhai"),
    ),
    (
        "samplers/random.rhai",
        include_str!("../../../scripts/samplers/random.rhai"),
    ),
    (
        "samplers/semi_easy.rhai",
        include_str!("../../../scripts/samplers/semi_easy.rhai"),
    ),
    (
        "samplers/semi_hard.rhai",
        include_str!("../../../scripts/samplers/semi_hard.rhai"),
    ),
    (
        "schedules/cosine.rhai",
        include_str!("../../../scripts/schedules/cosine.rhai"),
    ),
    (
        "schedules/inter_ramp.rhai",
        include_str!("../../../scripts/schedules/inter_ramp.rhai"),
    ),
    (
        "schedules/none.rhai",
        include_str!("../../../scripts/schedules/none.rhai"),
    ),
    (
        "schedules/one_cycle.rhai",
        include_str!("../../../scripts/schedules/one_cycle.rhai"),
    ),
    (
        "schedules/temperature.rhai",
        include_str!("../../../scripts/schedules/temperature.rhai"),
    ),
    (
        "schedules/warm_restarts.rhai",
        include_str!("../../../scripts/schedules/warm_restarts.rhai"),
    ),
];

/// The text of the shipped script at that path.
pub(super) fn text(path: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn shipped_scripts_are_those_of_the_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let mut found = Vec::new();
        for folder in std::fs::read_dir(&root)
            .unwrap()
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.is_dir())
        {
            for file in std::fs::read_dir(&folder).unwrap() {
                let path = file.unwrap().path();
                let is_script = path.extension().is_some_and(|ending| ending == "rhai");
                if is_script && !crate::policy::script::testing::is_test(&path) {
                    found.push(
                        path.strip_prefix(&root)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                    );
                }
            }
        }
        found.sort();
        let shipped: Vec<_> = super::SHIPPED
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        assert_eq!(shipped, found);
    }
}
