//! What an optimiser remembers of its parameters, saved and loaded by name.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::Error;

/// The field of a count of steps.
const STEP: &str = "step";

/// The optimisers, by whose names their states are told apart.
const OPTIMIZERS: [&str; 4] = ["sgd", "lars", "adam", "adamw"];

/// `K` tensors of each parameter that has been stepped, of its shape.
pub(super) struct History<const K: usize> {
    /// The optimiser's name.
    optimizer: &'static str,
    /// What the tensors are, in PyTorch's words.
    fields: [&'static str; K],
    /// Steps of the optimiser.
    steps: u64,
    past: BTreeMap<String, Past<K>>,
}

/// What is remembered of one parameter.
pub(super) struct Past<const K: usize> {
    /// Steps in which it had a gradient.
    pub(super) steps: u64,
    /// The tensors; they are replaced, never written, so that a saved state stays as it was.
    pub(super) tensors: [Tensor; K],
}

impl<const K: usize> History<K> {
    /// Nothing is remembered yet.
    pub(super) fn new(optimizer: &'static str, fields: [&'static str; K]) -> Self {
        Self {
            optimizer,
            fields,
            steps: 0,
            past: BTreeMap::new(),
        }
    }

    /// What is remembered of a parameter.
    pub(super) fn of(&self, name: &str) -> Option<&Past<K>> {
        self.past.get(name)
    }

    /// Remembers a parameter's tensors after one more step of it.
    pub(super) fn keep(&mut self, name: &str, tensors: [Tensor; K]) {
        let steps = 1 + self.of(name).map_or(0, |past| past.steps);
        self.past.insert(name.to_owned(), Past { steps, tensors });
    }

    /// Counts a step of the optimiser.
    pub(super) fn count(&mut self) {
        self.steps += 1;
    }

    /// See [`super::Optimizer::state`].
    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        let count = |steps: u64| Tensor::from(steps as i64);
        let mut state = vec![(self.own(), count(self.steps))];
        for (name, past) in &self.past {
            for (field, tensor) in self.fields.iter().zip(&past.tensors) {
                state.push((format!("{name}.{field}"), tensor.shallow_clone()));
            }
            state.push((format!("{name}.{STEP}"), count(past.steps)));
        }
        state
    }

    /// The name of the optimiser's own count.
    fn own(&self) -> String {
        format!("{}.{STEP}", self.optimizer)
    }

    /// See [`super::Optimizer::load`].
    pub(super) fn load(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        parameters: &[(String, Tensor)],
    ) -> Result<(), Error> {
        let mut saved = Saved::new(state);
        if !state.contains_key(&self.own()) {
            return Err(Error::State(vec![self.stranger(state)]));
        }
        let steps = saved.count(&self.own());
        let mut past = BTreeMap::new();
        for (name, parameter) in parameters {
            let key = |field: &str| format!("{name}.{field}");
            let mut keys = self.fields.iter().copied().chain([STEP]).map(key);
            if !keys.any(|key| state.contains_key(&key)) {
                continue;
            }
            let tensors = self.fields.map(|field| {
                saved
                    .like(&key(field), parameter)
                    .map(Tensor::shallow_clone)
            });
            let steps = saved.count(&key(STEP));
            past.insert(name, (parameter, tensors, steps));
        }
        saved.end()?;
        let mut copies = BTreeMap::new();
        for (name, (parameter, tensors, steps)) in past {
            let mut copied = Vec::with_capacity(K);
            for tensor in tensors.into_iter().flatten() {
                let mut copy = tch::no_grad(|| parameter.f_zeros_like())?;
                copy.f_copy_(&tensor)?;
                copied.push(copy);
            }
            if let Ok(tensors) = copied.try_into() {
                copies.insert(name.clone(), Past { steps, tensors });
            }
        }
        (self.steps, self.past) = (steps, copies);
        Ok(())
    }

    /// What to say of a state that is not of this optimiser.
    fn stranger(&self, state: &BTreeMap<String, Tensor>) -> String {
        let is = |name: &&&str| state.contains_key(&format!("{name}.{STEP}"));
        match OPTIMIZERS.iter().find(is) {
            Some(other) => format!("it is of '{other}', expected '{}'", self.optimizer),
            None => format!("'{}' is missing", self.own()),
        }
    }
}

/// A saved state that is being read: what was not asked for is unknown.
struct Saved<'a> {
    left: BTreeMap<&'a str, &'a Tensor>,
    faults: Vec<String>,
}

impl<'a> Saved<'a> {
    fn new(state: &'a BTreeMap<String, Tensor>) -> Self {
        let left = state.iter().map(|(name, tensor)| (name.as_str(), tensor));
        Self {
            left: left.collect(),
            faults: Vec::new(),
        }
    }

    fn take(&mut self, name: &str) -> Option<&'a Tensor> {
        let found = self.left.remove(name);
        if found.is_none() {
            self.faults.push(format!("'{name}' is missing"));
        }
        found
    }

    /// A tensor of the shape of another one.
    fn like(&mut self, name: &str, parameter: &Tensor) -> Option<&'a Tensor> {
        let found = self.take(name)?;
        let (expected, got) = (parameter.size(), found.size());
        if expected == got {
            return Some(found);
        }
        self.faults
            .push(format!("'{name}': expected {expected:?}, got {got:?}"));
        None
    }

    /// A count of steps; 0 with a fault noted where there is none.
    fn count(&mut self, name: &str) -> u64 {
        let Some(found) = self.take(name) else {
            return 0;
        };
        let whole = found.kind() == Kind::Int64 && found.dim() == 0;
        let count = whole.then(|| u64::try_from(found.int64_value(&[])).ok());
        count.flatten().unwrap_or_else(|| {
            self.faults
                .push(format!("'{name}': expected a count of steps"));
            0
        })
    }

    /// Ends the reading with everything that was wrong.
    fn end(mut self) -> Result<(), Error> {
        let unknown = self.left.keys().map(|name| format!("'{name}' is unknown"));
        self.faults.extend(unknown);
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Error::State(self.faults))
        }
    }
}
