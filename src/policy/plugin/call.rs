//! The host's side of one call: what a plugin reads, asks for and says through its [`SbxHost`](sandbox_plugin_abi::SbxHost).

mod border;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use sandbox_plugin_abi::DLTensor;
use tch::{Device, Kind as Dtype, Tensor};

use super::lend::Lent;
use super::request::{Read, Request};
use crate::ground::memory;
use crate::slots::{Answers, first_line};

/// A call while it lasts. Views stay where they are until it is over.
pub(super) struct Call<'a> {
    request: &'a Request,
    /// Where the plugin's tensors live.
    device: Device,
    inputs: RefCell<BTreeMap<String, Lent>>,
    answers: RefCell<BTreeMap<&'static str, Lent>>,
    /// Answers that were asked for anew: the plugin may still look at them.
    replaced: RefCell<Vec<Lent>>,
    /// What the host had to refuse.
    refused: RefCell<Vec<String>>,
    /// What the plugin says went wrong.
    said: RefCell<Option<String>>,
    emitted: RefCell<Vec<u8>>,
    work_ms: Cell<f64>,
    calls: Cell<u64>,
    /// Bytes of the answers that were asked for.
    bytes: Cell<u64>,
}

impl<'a> Call<'a> {
    pub(super) fn new(request: &'a Request, device: Device) -> Self {
        Self {
            request,
            device,
            inputs: RefCell::default(),
            answers: RefCell::default(),
            replaced: RefCell::default(),
            refused: RefCell::default(),
            said: RefCell::default(),
            emitted: RefCell::default(),
            work_ms: Cell::default(),
            calls: Cell::default(),
            bytes: Cell::default(),
        }
    }

    /// The function that is called.
    pub(super) fn function(&self) -> &'static str {
        self.request.function
    }

    /// Milliseconds of the host's work, and calls of its functions.
    pub(super) fn work(&self) -> (f64, u64) {
        (self.work_ms.get(), self.calls.get())
    }

    /// Bytes of the answers that the plugin has asked for.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// What went wrong, by the plugin and by the host.
    pub(super) fn reasons(&self) -> Vec<String> {
        let said = self.said.borrow().clone().into_iter();
        said.chain(self.refused.borrow().iter().cloned()).collect()
    }

    /// The state that was emitted.
    pub(super) fn into_state(self) -> Vec<u8> {
        self.emitted.into_inner()
    }

    /// The answers, on the device where they are wanted.
    ///
    /// # Errors
    /// A text that names a required answer that was not given.
    pub(super) fn into_answers(self) -> Result<Answers, String> {
        let given = self.answers.into_inner();
        let mut answers = Answers::default();
        for answer in self.request.answers() {
            match given.get(answer.name) {
                Some(lent) => {
                    answers.put(answer.name, lent.tensor().to_device(self.request.device));
                }
                None if answer.required => {
                    return Err(format!("it has not answered '{}'", answer.name));
                }
                None => {}
            }
        }
        Ok(answers)
    }

    fn input(&self, name: &str) -> Result<*const DLTensor, String> {
        if let Some(lent) = self.inputs.borrow().get(name) {
            return Ok(lent.view().as_ptr());
        }
        let Some(Read::Tensor(tensor)) = self.request.read(name) else {
            return Err(format!(
                "there is no input '{name}': '{}' may read {}",
                self.request.function,
                self.request.names()
            ));
        };
        let tensor = tensor.detach().to_device(self.device);
        let lent = Lent::new(tensor)?;
        let view = lent.view().as_ptr();
        self.inputs.borrow_mut().insert(name.to_owned(), lent);
        Ok(view)
    }

    fn output(&self, name: &str, shape: &[i64]) -> Result<*mut DLTensor, String> {
        let mut answers = self.request.answers();
        let Some(answer) = answers.find(|answer| answer.name == name) else {
            let known: Vec<_> = self.request.answers().map(|answer| answer.name).collect();
            return Err(format!(
                "'{}' takes no answer '{name}', only {}",
                self.request.function,
                match known.is_empty() {
                    true => "none".to_owned(),
                    false => known.join(", "),
                }
            ));
        };
        let kind = self.request.takes(answer, shape)?;
        self.expect_room(name, shape, kind)?;
        let mut tensor =
            Tensor::f_empty(shape, (kind, self.device)).map_err(|error| first_line(&error))?;
        // What is not written is told from what is.
        let _ = match kind {
            Dtype::Int64 => tensor.fill_(-1),
            _ => tensor.fill_(f64::NAN),
        };
        let lent = Lent::new(tensor)?;
        let view = lent.view().as_ptr();
        if let Some(before) = self.answers.borrow_mut().insert(answer.name, lent) {
            self.replaced.borrow_mut().push(before);
        }
        Ok(view)
    }

    /// That an answer of that shape fits beside those that were asked for before.
    fn expect_room(&self, name: &str, shape: &[i64], kind: Dtype) -> Result<(), String> {
        let elements: f64 = shape.iter().map(|size| *size as f64).product();
        let bytes = (elements * kind.elt_size_in_bytes() as f64) as u64;
        let asked = self.bytes.get().saturating_add(bytes);
        let allowed = memory::allowance(self.device, 0);
        if asked > allowed {
            let (bytes, allowed) = (memory::readable(bytes), memory::readable(allowed));
            return Err(format!(
                "'{name}' of shape {shape:?} takes {bytes}, the answers of a call may take {allowed}"
            ));
        }
        self.bytes.set(asked);
        Ok(())
    }
}
