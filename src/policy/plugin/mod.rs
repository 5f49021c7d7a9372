//! The plugin carrier: a policy in a shared library. All `unsafe` of the host that concerns policies is in this folder.

#![expect(
    unsafe_code,
    reason = "a library's functions, and its tables, are what it says they are"
)]

mod call;
mod describe;
mod elf;
mod lend;
mod library;
mod probe;
mod request;
mod state;
mod stream;
mod table;
mod values;

use std::ffi::c_void;
use std::rc::Rc;

use sandbox_plugin_abi::{SBX_ERROR, SBX_OK, SBX_PANIC, SbxAsk, SbxHost};
use tch::Device;

use crate::ground::clock::{CpuTime, Stopwatch};
use crate::policy::asked::Asker;
use crate::policy::{Cost, Params, Unknown, params};
use crate::slots::{Answers, Fault, Kind, Lateness, Question, Respondent, Slot};

use call::Call;
use request::Request;
use table::{Devices, Table};
use values::Values;

pub use describe::describe_here;
pub use library::{Library, Staging};
pub use probe::{Description, Prober, Report};

/// An instance of a loaded plugin. It stays on the thread that made it.
pub struct Plugin {
    library: Library,
    table: Table,
    params: Params,
    instance: *mut c_void,
    /// What its calls cost since the host last asked.
    cost: Cost,
    asker: Asker,
    lateness: Lateness,
}

impl Plugin {
    /// Loads a library that has survived its trial, for ever, and makes an instance.
    ///
    /// # Errors
    /// A [`Fault`] of kind load or contract, or of the plugin's `create`.
    ///
    /// # Panics
    /// When the library was not tried: that may kill the process.
    pub fn load(
        slot: Slot,
        library: &Library,
        overrides: &Params,
        unknown: Unknown,
    ) -> Result<Self, Fault> {
        let staged = library
            .staged()
            .expect("a library is tried before it is loaded");
        let about = |kind, message: &str| library::about(slot, kind, library.path(), message);
        let table = table::load(staged).map_err(|message| about(Kind::Contract, &message))?;
        if table.slot != slot {
            let found = table.slot;
            let message = format!("expected a plugin for slot '{slot}', found one for '{found}'");
            return Err(about(Kind::Contract, &message));
        }
        let defaults = table.defaults.clone();
        let params = params::resolve((slot, &table.name), defaults, overrides, unknown)
            .map_err(|message| about(Kind::Contract, &message))?;
        let mut plugin = Self {
            asker: Asker::new(slot, &table.name),
            lateness: Lateness::default(),
            library: library.clone(),
            table,
            params,
            instance: std::ptr::null_mut(),
            cost: Cost::default(),
        };
        plugin.instance = plugin.create()?;
        Ok(plugin)
    }

    /// Another instance with the same parameters and the same state.
    ///
    /// # Errors
    /// The plugin's fault at its state, or at `create`.
    pub fn twin(&mut self) -> Result<Self, Fault> {
        let state = self.save()?;
        let mut twin = Self {
            asker: self.asker,
            lateness: Lateness::default(),
            library: self.library.clone(),
            table: self.table.clone(),
            params: self.params.clone(),
            instance: std::ptr::null_mut(),
            cost: Cost::default(),
        };
        twin.instance = twin.create()?;
        if let Some(state) = state {
            twin.restore(self.table.raw.state_version, &state)?;
        }
        Ok(twin)
    }

    /// The table's function of that name, if it has one.
    fn asked(&self, function: &str) -> SbxAsk {
        self.table.function(function)
    }

    fn create(&mut self) -> Result<*mut c_void, Fault> {
        let values = Values::new(&self.params)
            .map_err(|message| self.fault(Kind::Contract, "create", &[message]))?;
        let request = Request::of_life("create");
        let call = Call::new(&request, Device::Cpu);
        let create = self
            .table
            .raw
            .create
            .expect("the handshake has asked for it");
        let mut instance = std::ptr::null_mut();
        self.enter(&call, |host| {
            // SAFETY: there is a value for each parameter that the table declares, in its order; `instance` takes a pointer.
            unsafe { create(host, values.as_ptr(), &raw mut instance) }
        })?;
        Ok(instance)
    }

    /// Calls a function of the plugin, books what it cost and makes a fault of its status; says how many milliseconds of CPU time it took.
    fn enter(
        &mut self,
        call: &Call<'_>,
        function: impl FnOnce(&SbxHost) -> i32,
    ) -> Result<f64, Fault> {
        let name = call.function();
        let host = call
            .host()
            .map_err(|message| self.fault(Kind::Call, name, &[message]))?;
        let asking = self.asker.ask(name);
        let (watch, effort) = (Stopwatch::start(), CpuTime::start());
        let status = function(&host);
        drop(asking);
        let (ms, effort) = (watch.ms(), effort.ms());
        let (work_ms, calls) = call.work();
        self.cost += Cost {
            ms,
            own_ms: ms - work_ms,
            calls,
            syncs: 0,
            bytes: call.bytes(),
            operations: 0,
        };
        match status {
            SBX_OK => Ok(effort),
            status => Err(self.failed(name, status, &call.reasons())),
        }
    }

    fn failed(&self, function: &str, status: i32, reasons: &[String]) -> Fault {
        let kind = match status {
            SBX_PANIC => Kind::Panic,
            _ => Kind::Call,
        };
        if !reasons.is_empty() {
            return self.fault(kind, function, reasons);
        }
        let status = match status {
            SBX_ERROR => "an error".to_owned(),
            SBX_PANIC => "a panic".to_owned(),
            other => format!("status {other}"),
        };
        self.fault(kind, function, &[format!("{status}, and no reason given")])
    }

    /// A fault of what `function` answered.
    pub fn output_fault(&self, function: &str, message: impl Into<String>) -> Fault {
        self.fault(Kind::Output, function, &[message.into()])
    }

    /// A fault of a function: the first reason, and the others as notes.
    fn fault(&self, kind: Kind, function: &str, reasons: &[String]) -> Fault {
        let (first, others) = reasons.split_first().expect("a fault has a reason");
        let name = &self.table.name;
        let mut fault = Fault::new(
            self.table.slot,
            kind,
            format!("plugin '{name}', '{function}': {first}"),
        );
        fault.report = format!(
            "error: '{function}' of plugin '{name}' {}: {first}\n  --> {}",
            self.table.version,
            self.library.path().display()
        );
        for other in others {
            fault.report.push_str("\nnote: ");
            fault.report.push_str(other);
        }
        fault
    }

    /// Where its tensors live when the model's live on `model`.
    fn device(&self, model: Device) -> Device {
        match self.table.devices {
            Devices::Cpu => Device::Cpu,
            Devices::Any => model,
        }
    }

    /// Whether it has a function.
    pub fn has(&self, function: &str) -> bool {
        self.asked(function).is_some()
    }

    /// The slot that it fills.
    pub fn slot(&self) -> Slot {
        self.table.slot
    }

    /// The library that it was loaded from.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Its resolved parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// What its calls cost since this was last asked.
    pub fn take_cost(&mut self) -> Cost {
        std::mem::take(&mut self.cost)
    }

    /// Adds to what its calls cost.
    pub(in crate::policy) fn book(&mut self, cost: Cost) {
        self.cost += cost;
    }
}

impl Respondent for Plugin {
    fn answer(&mut self, question: &Rc<Question>) -> Result<Answers, Fault> {
        let (function, budget) = (question.function.name, question.function.budget);
        let Some(ask) = self.asked(function) else {
            return Ok(Answers::default());
        };
        let request = Request::about(question);
        let call = Call::new(&request, self.device(question.device));
        let instance = self.instance;
        // SAFETY: `instance` is of this plugin's `create`, `host` lives until the return, and this is the training thread.
        let ms = self.enter(&call, |host| unsafe { ask(instance, host) })?;
        let answers = call.into_answers();
        let answers = answers.map_err(|message| self.output_fault(function, message))?;
        let heard = self.lateness.hear(budget, function, ms);
        heard.map_err(|message| self.fault(Kind::Budget, function, &[message]))?;
        Ok(answers)
    }

    fn refuse(&self, function: &str, message: String) -> Fault {
        self.output_fault(function, message)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.raw.destroy
            && !self.instance.is_null()
        {
            // SAFETY: the instance is of this plugin's `create`, and nothing is asked of it any more.
            unsafe { destroy(self.instance) };
        }
    }
}
