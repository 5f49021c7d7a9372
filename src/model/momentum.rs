//! The momentum encoder of MoCo (He et al. 2020, arXiv 1911.05722): a key network that follows the query network.

use std::f64::consts::PI;

use super::Network;

/// A network that follows the one that is trained, and how closely.
pub struct MomentumEncoder {
    /// The network that follows.
    pub network: Network,
    /// m of [`momentum_update`] in this step.
    pub momentum: f64,
}

impl MomentumEncoder {
    /// One that begins as an exact copy of `query`.
    pub fn of(query: &Network, momentum: f64) -> Self {
        Self {
            network: key_of(query),
            momentum,
        }
    }

    /// Follows `query` by one step.
    pub fn follow(&self, query: &Network) {
        momentum_update(&self.network, query, self.momentum);
    }
}

/// m after the part `progress`, 0 to 1, of a run in which it rises from `momentum` to 1 as half a cosine (BYOL, Grill et al.
/// 2020, arXiv 2006.07733, section 3.3).
pub fn rising_momentum(momentum: f64, progress: f64) -> f64 {
    1.0 - (1.0 - momentum) * 0.5 * (1.0 + (PI * progress).cos())
}

/// A key network: an exact copy of `query`, buffers included, on its device, whose parameters require no gradient.
pub fn key_of(query: &Network) -> Network {
    let mut key = query.sibling();
    key.copy_from(query);
    key.freeze();
    key
}

/// Moves the key network towards the query network: `k = m k + (1 - m) q` over the parameters (eq. 2).
///
/// In place, one kernel a parameter. The buffers stay: the key network's batch statistics are those of the keys.
///
/// # Panics
/// When the two networks differ in their parameters' number, names or shapes.
pub fn momentum_update(key: &Network, query: &Network, m: f64) {
    let (keys, queries) = (key.parameters(), query.parameters());
    assert_eq!(
        keys.len(),
        queries.len(),
        "key and query network are of one specification"
    );
    tch::no_grad(|| {
        for ((key_name, mut key), (query_name, query)) in keys.into_iter().zip(queries) {
            assert_eq!(
                key_name, query_name,
                "key and query network are of one specification"
            );
            let _ = key.lerp_(&query, 1.0 - m);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::tests::{images, small, values};
    use tch::Device;

    #[test]
    fn parameters_follow_the_scalar_rule_and_buffers_stay() {
        let query = Network::new(&small(), Device::Cpu, 1);
        let key = Network::new(&small(), Device::Cpu, 2);
        let _ = query.features(&images(4, 1, 28), true);
        let (before, target) = (values(&key), values(&query));
        momentum_update(&key, &query, 0.9);
        momentum_update(&key, &query, 0.6);
        let parameters: Vec<_> = key.parameters().into_iter().map(|(name, _)| name).collect();
        for (name, after) in values(&key) {
            let moves = parameters.contains(&name);
            for ((k, q), got) in before[&name].iter().zip(&target[&name]).zip(&after) {
                let once = 0.9 * k + (1.0 - 0.9) * q;
                let twice = 0.6 * once + (1.0 - 0.6) * q;
                let expected = if moves { twice } else { *k };
                assert!((got - expected).abs() < 1e-6, "{name}: {got}, {expected}");
            }
        }
    }

    #[test]
    fn the_momentum_rises_to_one() {
        for (progress, expected) in [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)] {
            assert!((rising_momentum(0.9, progress) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn the_ends_of_the_momentum_are_exact() {
        let query = Network::new(&small(), Device::Cpu, 3);
        let key = Network::new(&small(), Device::Cpu, 4);
        let before = values(&key);
        momentum_update(&key, &query, 1.0);
        assert_eq!(values(&key), before);
        momentum_update(&key, &query, 0.0);
        assert_eq!(values(&key), values(&query));
    }

    #[test]
    fn a_key_network_is_an_exact_copy_without_gradients_and_without_shared_memory() {
        let query = Network::new(&small(), Device::Cpu, 5);
        let _ = query.features(&images(4, 1, 28), true);
        let key = key_of(&query);
        assert_eq!(values(&key), values(&query));
        assert_eq!(key.parameters().len(), query.parameters().len());
        assert!(key.parameters().iter().all(|(_, p)| !p.requires_grad()));
        assert!(query.parameters().iter().all(|(_, p)| p.requires_grad()));
        assert!(!key.embed(&images(2, 1, 28), true).intra.requires_grad());
        let before = values(&query);
        let _ = key.features(&images(4, 1, 28), true);
        assert_eq!(values(&query), before);
    }
}
