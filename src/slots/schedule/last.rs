//! What a schedule may know of the step before.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::slots::{Named, Number, Numbers};

/// Numbers of the last step that was done, each `[]` on the model's device until somebody reads them; none before the first step.
#[derive(Debug, Default)]
pub struct Last(BTreeMap<String, Tensor>);

impl Last {
    /// The weighted loss, the intra-image loss, the norm of the gradient before it was clipped, and the inter-image loss where the
    /// branch took part; `[]` each.
    pub fn new(total: &Tensor, intra: &Tensor, grad_norm: &Tensor, inter: Option<&Tensor>) -> Self {
        let always = [
            ("loss.total", total),
            ("loss.intra", intra),
            ("grad_norm", grad_norm),
        ];
        let inter = inter.map(|inter| ("loss.inter", inter));
        let all = always.into_iter().chain(inter);
        all.map(|(name, number)| (name.to_owned(), number.shallow_clone()))
            .collect()
    }

    /// The numbers by their names; one wait for the device for all of them.
    ///
    /// # Errors
    /// That the device has failed.
    pub fn read(&self) -> Result<Vec<(String, f64)>, String> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<_> = self.0.values().map(|n| n.to_kind(Kind::Double)).collect();
        let all = Tensor::stack(&all, 0).to_device(Device::Cpu);
        let all = Vec::<f64>::try_from(all).map_err(|error| error.to_string())?;
        Ok(self.0.keys().cloned().zip(all).collect())
    }

    /// What a checkpoint holds: a run that goes on from it asks its schedule about the same numbers.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let all = self.0.iter();
        all.map(|(name, number)| (name.clone(), number.shallow_clone()))
            .collect()
    }
}

/// The names that there may be.
pub const BEFORE: [&str; 4] = ["grad_norm", "loss.inter", "loss.intra", "loss.total"];

impl Named for Last {
    fn read(&self) -> Result<Numbers, String> {
        let numbers = Last::read(self)?.into_iter();
        Ok(numbers
            .map(|(name, number)| (name, Number::Real(number)))
            .collect())
    }

    fn names(&self) -> Vec<String> {
        BEFORE.map(str::to_owned).into()
    }
}

impl Clone for Last {
    fn clone(&self) -> Self {
        self.state().into_iter().collect()
    }
}

impl FromIterator<(String, Tensor)> for Last {
    fn from_iter<T: IntoIterator<Item = (String, Tensor)>>(numbers: T) -> Self {
        Self(numbers.into_iter().collect())
    }
}
