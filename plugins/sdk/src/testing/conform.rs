//! A policy's whole life, as a host would lead it, with valid and hostile inputs.

#![expect(unsafe_code, reason = "it calls the policy's C table")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::mem::size_of;

use sandbox_plugin_abi::{
    LAYOUT, SBX_ABI_MAJOR, SBX_BOOL, SBX_FLOAT, SBX_INT, SBX_SLOT_BOUNDARY, SBX_SLOT_LABELS,
    SBX_SLOT_NOVELTY, SBX_TEXT, SBX_UNSUPPORTED, SbxAsk, SbxPlugin, SbxValue,
};

use super::derivatives;
use super::gradient;
use super::host::Host;
use super::memory;
use super::scene::{SCENES, Scene};
use super::tensor::Tensor;
use crate::{Error, Result};

type Answers = BTreeMap<&'static str, Tensor>;

/// Takes the policy that `sandbox_plugin` exports through its whole life: the table itself, each parameter at its limits, every question on every kind
/// of batch, its state saved and restored, states that are none, its end. Returns what was done, a line each.
///
/// # Errors
/// What was expected and what was found.
pub fn conform(entry: extern "C" fn() -> *const SbxPlugin) -> Result<Vec<String>> {
    // SAFETY: a table lives as long as its library, and nobody writes it.
    let Some(table) = (unsafe { entry().as_ref() }) else {
        return Err(Error::new("expected a table, found null"));
    };
    let policy = Subject { table };
    let mut done = vec![policy.head()?];
    done.push(policy.limits()?);
    for scene in SCENES {
        let said = policy.scene(scene);
        done.push(said.map_err(|error| Error::new(format!("{}: {error}", scene.what)))?);
    }
    done.extend(policy.gradient()?);
    done.extend(policy.derivatives()?);
    done.push(policy.hostile_states()?);
    done.push(policy.threads()?);
    Ok(done)
}

struct Subject<'a> {
    table: &'a SbxPlugin,
}

/// How many clusters the answers have.
fn clusters(answers: &Answers) -> Option<usize> {
    answers
        .get("centroids")
        .map(|centroids| centroids.shape()[0])
}

/// An instance, destroyed when it goes.
struct Instance<'a> {
    table: &'a SbxPlugin,
    pointer: *mut c_void,
}

impl Drop for Instance<'_> {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.destroy
            && !self.pointer.is_null()
        {
            // SAFETY: it is of this table's `create`, and nobody asks it any more.
            unsafe { destroy(self.pointer) };
        }
    }
}

impl<'a> Subject<'a> {
    /// The table: version, layout, texts, functions.
    fn head(&self) -> Result<String> {
        let SbxPlugin {
            struct_size,
            abi_major,
            layout,
            ..
        } = *self.table;
        if (struct_size, abi_major, layout)
            != (size_of::<SbxPlugin>() as u64, SBX_ABI_MAJOR, LAYOUT)
        {
            return Err(Error::new(format!(
                "expected version {SBX_ABI_MAJOR}, layout {LAYOUT:#x}; found {abi_major}, {layout:#x}, {struct_size} bytes"
            )));
        }
        for (what, text) in [
            ("name", self.table.name),
            ("version", self.table.version),
            ("doc", self.table.doc),
        ] {
            // SAFETY: the contract says that texts end with a zero.
            let text = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) });
            let text = text.and_then(|text| text.to_str().ok());
            if text.is_none_or(str::is_empty) {
                return Err(Error::new(format!(
                    "expected a {what}, found none: does Cargo.toml have a description?"
                )));
            }
        }
        if self.table.create.is_none()
            || self.table.destroy.is_none()
            || self.table.decide.is_none()
        {
            return Err(Error::new(
                "expected create, destroy and decide, found null",
            ));
        }
        if (self.table.state_version > 0) != self.table.save.is_some() {
            return Err(Error::new(
                "expected 'save' exactly where there is a state version",
            ));
        }
        Ok("the table is whole".into())
    }

    fn defaults(&self) -> Vec<SbxValue> {
        let count = self.table.param_count as usize;
        // SAFETY: the contract says that there are `param_count` of them.
        (0..count)
            .map(|at| unsafe { (*self.table.params.add(at)).initial })
            .collect()
    }

    fn create(&self, values: &[SbxValue]) -> Result<Instance<'a>> {
        let host = Host::new(0, 0);
        let mut pointer = std::ptr::null_mut();
        let create = self.table.create.ok_or("no create")?;
        // SAFETY: there is a value for each parameter, and a place for the instance.
        host.call(|host| unsafe { create(host, values.as_ptr(), &raw mut pointer) })?;
        Ok(Instance {
            table: self.table,
            pointer,
        })
    }

    /// Each parameter at its limits: it is taken, or refused with a reason; a policy that was made is asked once.
    fn limits(&self) -> Result<String> {
        let odd = CString::new("neither of them").unwrap_or_default();
        let mut tried = 0;
        for at in 0..self.table.param_count as usize {
            let kind = self.defaults()[at].kind;
            let mut limits = Vec::new();
            for number in [-1.0, 0.0, 1.0, 0.5, 1e18, -1e18, f64::NAN, f64::INFINITY] {
                limits.push((SBX_FLOAT, number));
                limits.push((SBX_INT, number));
            }
            limits.retain(|_| kind == SBX_INT || kind == SBX_FLOAT);
            if kind == SBX_BOOL {
                limits.extend([(SBX_BOOL, 0.0), (SBX_BOOL, 1.0)]);
            }
            if kind == SBX_TEXT {
                limits.push((SBX_TEXT, 0.0));
            }
            for (kind, number) in limits {
                let mut values = self.defaults();
                values[at].kind = kind;
                values[at].number = number;
                values[at].integer = number as i64;
                if kind == SBX_TEXT {
                    values[at].text = odd.as_ptr();
                }
                tried += 1;
                self.survive(&values)?;
            }
        }
        Ok(format!(
            "{tried} odd parameters are taken, or refused with a reason"
        ))
    }

    /// Makes an instance and asks it; either may be refused, with a reason.
    fn survive(&self, values: &[SbxValue]) -> Result<()> {
        let reasonable = |error: Error| match error.to_string() {
            text if text.contains("panicked") || !text.starts_with("status") => Err(error),
            _ => Ok(()),
        };
        let instance = match self.create(values) {
            Ok(instance) => instance,
            Err(error) => return reasonable(error),
        };
        match self.life(&instance, &SCENES[0], 0) {
            Ok(_) => Ok(()),
            Err(error) => reasonable(error),
        }
    }

    /// Asks everything that a slot asks, and checks the answers.
    fn life(&self, instance: &Instance<'_>, scene: &Scene, seed: u64) -> Result<Vec<Answers>> {
        let (mut all, mut scene) = (Vec::new(), *scene);
        let questions: [(&str, SbxAsk); 4] = [
            ("start", self.table.start),
            ("decide", self.table.decide),
            ("after_step", self.table.after_step),
            ("after_epoch", self.table.after_epoch),
        ];
        for (function, ask) in questions {
            let asked = function == "decide" || self.table.slot == SBX_SLOT_LABELS;
            let Some(ask) = ask.filter(|_| asked) else {
                continue;
            };
            let host = scene.host(self.table.slot, function, seed);
            // SAFETY: the instance is of this table's `create`.
            let said = host.call(|host| unsafe { ask(instance.pointer, host) });
            said.map_err(|error| Error::new(format!("{error} (in '{function}')")))?;
            let answers = host.answers();
            for answer in host.contract() {
                answer
                    .check(answers.get(answer.name))
                    .map_err(|error| Error::new(format!("'{function}': {error}")))?;
            }
            // The bank has as many clusters as the start has found.
            scene.clusters = clusters(&answers).unwrap_or(scene.clusters);
            all.push(answers);
        }
        Ok(all)
    }

    /// A life in a scene: answers are as the contract says, the same for the same stream, and the same from a restored state.
    fn scene(&self, scene: &Scene) -> Result<String> {
        let values = self.defaults();
        let (one, other) = (self.create(&values)?, self.create(&values)?);
        let mut begun = *scene;
        for seed in 0..3 {
            let answers = self.life(&one, scene, seed)?;
            begun.clusters = answers.first().and_then(clusters).unwrap_or(scene.clusters);
            if answers != self.life(&other, scene, seed)? {
                return Err(Error::new(
                    "expected the same answers of two instances to the same questions: does it draw numbers of its own?",
                ));
            }
        }
        let twin = self.create(&values)?;
        if let Some(state) = self.save(&one)? {
            self.restore(&twin, self.table.state_version, &state)?;
        }
        let (own, restored) = (self.decide(&one, &begun)?, self.decide(&twin, &begun)?);
        match own == restored {
            true => Ok(format!(
                "{}: asked, asked again, and asked from its restored state",
                scene.what
            )),
            false => Err(Error::new(
                "expected the same answers from a saved and restored state: it keeps something that it does not save",
            )),
        }
    }

    /// The answers to `decide` alone: a restored policy does not start again.
    fn decide(&self, instance: &Instance<'_>, scene: &Scene) -> Result<Answers> {
        let ask = self.table.decide.ok_or("no decide")?;
        let host = scene.host(self.table.slot, "decide", 17);
        // SAFETY: the instance is of this table's `create`.
        host.call(|host| unsafe { ask(instance.pointer, host) })?;
        Ok(host.answers())
    }

    /// The gradient of a boundary, held against its loss.
    fn gradient(&self) -> Result<Option<String>> {
        if self.table.slot != SBX_SLOT_BOUNDARY {
            return Ok(None);
        }
        let decide = self.table.decide.ok_or("no decide")?;
        let instance = self.create(&self.defaults())?;
        let scene = SCENES[0].host(self.table.slot, "decide", 0);
        let of = |name: &str| scene.of_input(name).cloned().ok_or("an input is missing");
        let cosines = [of("positives")?, of("negatives")?];
        let valid = match of("valid")? {
            Tensor::Bool(valid, _) => valid.iter().map(|valid| *valid != 0).collect(),
            _ => Vec::new(),
        };
        let found = match &cosines[1] {
            Tensor::F32(negatives, _) => negatives.iter().map(|cosine| *cosine >= -1.0).collect(),
            _ => Vec::new(),
        };
        gradient::check(&cosines, &[valid, found], &mut |[positives, negatives]| {
            let host = SCENES[0].host(self.table.slot, "decide", 0);
            let host = host
                .input("positives", positives.clone())
                .input("negatives", negatives.clone());
            // SAFETY: the instance is of this table's `create`.
            host.call(|host| unsafe { decide(instance.pointer, host) })?;
            Ok(host.answers())
        })?;
        Ok(Some("its gradient is that of its loss".into()))
    }

    /// The derivatives of a novelty, held against its logit.
    fn derivatives(&self) -> Result<Option<String>> {
        if self.table.slot != SBX_SLOT_NOVELTY {
            return Ok(None);
        }
        let decide = self.table.decide.ok_or("no decide")?;
        let checked = derivatives::check(&mut |learnt| {
            // Each time a new one: what it keeps of a question would change its answer to the next.
            let instance = self.create(&self.defaults())?;
            let host = SCENES[0].host(self.table.slot, "decide", 0);
            let host = memory::learnt(host, learnt);
            // SAFETY: the instance is of this table's `create`.
            host.call(|host| unsafe { decide(instance.pointer, host) })?;
            Ok(host.answers())
        })?;
        Ok(Some(checked))
    }

    fn save(&self, instance: &Instance<'_>) -> Result<Option<Vec<u8>>> {
        let Some(save) = self.table.save else {
            return Ok(None);
        };
        let host = Host::new(0, 0);
        // SAFETY: the instance is of this table's `create`.
        host.call(|host| unsafe { save(instance.pointer, host) })?;
        Ok(Some(host.emitted()))
    }

    /// Whether a state was taken; the policy may refuse it with a reason.
    fn restore(&self, instance: &Instance<'_>, version: u32, bytes: &[u8]) -> Result<bool> {
        let Some(restore) = self.table.restore else {
            return Ok(false);
        };
        let host = Host::new(0, 0);
        let mut taken = true;
        host.call(|host| {
            // SAFETY: the instance is of this table's `create`, and the bytes live.
            let status = unsafe {
                restore(
                    instance.pointer,
                    host,
                    version,
                    bytes.as_ptr(),
                    bytes.len() as u64,
                )
            };
            taken = status != SBX_UNSUPPORTED;
            if taken { status } else { 0 }
        })?;
        Ok(taken)
    }

    /// States that are none: cut short, garbage, of a version that nobody wrote. Each is refused with a reason, or unknown; a policy
    /// that takes one must go on to answer well.
    fn hostile_states(&self) -> Result<String> {
        let values = self.defaults();
        let one = self.create(&values)?;
        self.life(&one, &SCENES[0], 0)?;
        let Some(state) = self.save(&one)? else {
            return Ok("it keeps no state".into());
        };
        let garbage: Vec<u8> = (0..97_u8).map(|x| x.wrapping_mul(151)).collect();
        let half = &state[..state.len() / 2];
        for (version, bytes) in [
            (self.table.state_version, half),
            (self.table.state_version, &garbage[..]),
            (self.table.state_version, &[]),
            (self.table.state_version + 1000, &state[..]),
            (0, &garbage[..]),
        ] {
            let other = self.create(&values)?;
            match self.restore(&other, version, bytes) {
                Ok(true) if version > self.table.state_version => {
                    return Err(Error::new(format!(
                        "expected a state of version {version} to be unknown, found it taken"
                    )));
                }
                Err(error) if error.to_string().contains("panicked") => return Err(error),
                _ => {}
            }
            self.life(&self.create(&values)?, &SCENES[0], 0)?;
        }
        Ok("states that are none are refused".into())
    }

    /// Threads that are left when all instances are gone.
    fn threads(&self) -> Result<String> {
        let count = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        let values = self.defaults();
        let life = || {
            let instance = self.create(&values)?;
            self.life(&instance, &SCENES[0], 1).map(drop)
        };
        // Other tests come and go meanwhile, so the least of several differences counts.
        let mut least = usize::MAX;
        for _ in 0..8 {
            let before = count();
            life()?;
            least = least.min(count().saturating_sub(before));
        }
        match least {
            0 => Ok("no thread is left".into()),
            left => Err(Error::new(format!(
                "expected no thread to be left, found {left}"
            ))),
        }
    }
}
