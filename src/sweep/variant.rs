//! Which jobs of a sweep belong together.

use super::report::Report;
use super::spread::Spread;

/// Jobs that differ in their seeds alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant<'a> {
    /// What tells it from the others.
    pub name: &'a str,
    /// Its jobs.
    pub jobs: Vec<&'a Report>,
}

impl Variant<'_> {
    /// A number of its jobs that are done and have it.
    pub fn spread(&self, metric: &str) -> Option<Spread> {
        let values = self.jobs.iter().filter_map(|job| job.metrics.get(metric));
        Spread::of(&values.copied().collect::<Vec<_>>())
    }
}

/// The variants in the order in which they were asked for.
pub fn variants(reports: &[Report]) -> Vec<Variant<'_>> {
    let mut variants: Vec<Variant<'_>> = Vec::new();
    for report in reports {
        let name = report.entry.variant.as_str();
        match variants.iter_mut().find(|variant| variant.name == name) {
            Some(variant) => variant.jobs.push(report),
            None => variants.push(Variant {
                name,
                jobs: vec![report],
            }),
        }
    }
    variants
}
