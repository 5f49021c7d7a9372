//! A host in plain memory: it gives the tensors that a test puts into it, and keeps what a policy answers.

#![expect(unsafe_code, reason = "it stands in for the other side of the border")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_char, c_void};
use std::mem::size_of;
use std::ptr::NonNull;
use std::slice;

use sandbox_plugin_abi::{
    DLDataType, DLDevice, DLTensor, SBX_DL_CPU, SBX_ERROR, SBX_OK, SbxHost, SbxNow,
};

use super::answers::Answer;
use super::tensor::Tensor;
use crate::{Error, Result};

/// Memory that is lent as a tensor.
struct Lent {
    like: Tensor,
    /// In words, so that every type is aligned.
    memory: Vec<u64>,
    /// What it was filled with: an input must not change.
    before: Vec<u64>,
    _shape: Vec<i64>,
    _strides: Vec<i64>,
    /// In a place of its own: a policy has its address, wherever this is moved to.
    view: NonNull<DLTensor>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: it is of a box, and the call in which the policy might look at it is over.
        drop(unsafe { Box::from_raw(self.view.as_ptr()) });
    }
}

impl Lent {
    /// Lends a tensor; `spread` puts as many elements between two neighbours, less one. With 0 all are the first one.
    fn new(tensor: &Tensor, spread: usize) -> Self {
        let (code, bits, width) = tensor.dtype();
        let mut shape: Vec<_> = tensor.shape().iter().map(|&size| size as i64).collect();
        let mut strides = vec![0; shape.len()];
        let mut step = spread as i64;
        for (stride, size) in strides.iter_mut().zip(&shape).rev() {
            *stride = step;
            step *= size;
        }
        let mut bytes: Vec<u8> = Vec::new();
        let stored = if spread == 0 { 1 } else { usize::MAX };
        for element in tensor.bytes().chunks(width).take(stored) {
            bytes.extend_from_slice(element);
            bytes.resize(bytes.len() + width * spread.saturating_sub(1), 0xa5);
        }
        bytes.resize(bytes.len().next_multiple_of(8).max(8), 0);
        let word = |x: &[u8]| u64::from_ne_bytes(std::array::from_fn(|at| x[at]));
        let mut memory: Vec<_> = bytes.chunks(8).map(word).collect();
        let view = DLTensor {
            data: memory.as_mut_ptr().cast::<c_void>(),
            device: CPU,
            ndim: shape.len() as i32,
            dtype: DLDataType {
                code,
                bits,
                lanes: 1,
            },
            shape: shape.as_mut_ptr(),
            strides: strides.as_mut_ptr(),
            byte_offset: 0,
        };
        Self {
            like: tensor.clone(),
            before: memory.clone(),
            memory,
            _shape: shape,
            _strides: strides,
            view: NonNull::from(Box::leak(Box::new(view))),
        }
    }

    fn tensor(&self) -> Tensor {
        let bytes: Vec<_> = self.memory.iter().flat_map(|x| x.to_ne_bytes()).collect();
        let used = self.like.bytes().len();
        self.like.of(&bytes[..used])
    }
}

const CPU: DLDevice = DLDevice {
    device_type: SBX_DL_CPU,
    device_id: 0,
};

/// A host. Inputs may be spread in memory; answers are taken as the slot's contract says.
pub struct Host {
    inputs: BTreeMap<String, Tensor>,
    /// Inputs that are one number, seen several times.
    repeated: BTreeSet<String>,
    numbers: BTreeMap<String, f64>,
    takes: Vec<Answer>,
    rows: i64,
    seed: u64,
    /// Distance of neighbours in the inputs.
    pub spread: usize,
    lent: RefCell<BTreeMap<String, Lent>>,
    given: RefCell<BTreeMap<&'static str, Lent>>,
    replaced: RefCell<Vec<Lent>>,
    stream: Cell<u64>,
    said: RefCell<Option<String>>,
    refused: RefCell<Vec<String>>,
    emitted: RefCell<Vec<u8>>,
}

impl Host {
    /// A host whose bank has `rows`, and whose random stream and seed are those of `seed`.
    pub fn new(rows: usize, seed: u64) -> Self {
        Self {
            inputs: BTreeMap::new(),
            repeated: BTreeSet::new(),
            numbers: BTreeMap::new(),
            takes: Vec::new(),
            rows: rows as i64,
            seed,
            spread: 1,
            lent: RefCell::default(),
            given: RefCell::default(),
            replaced: RefCell::default(),
            stream: Cell::new(seed),
            said: RefCell::default(),
            refused: RefCell::default(),
            emitted: RefCell::default(),
        }
    }

    /// With an input.
    #[must_use]
    pub fn input(mut self, name: &str, tensor: Tensor) -> Self {
        self.inputs.insert(name.to_owned(), tensor);
        self
    }

    /// With a number as an input for each of `count`, as a host repeats what is one and the same: all lie in one place.
    #[must_use]
    pub fn repeated(mut self, name: &str, number: f32, count: usize) -> Self {
        self.repeated.insert(name.to_owned());
        self.input(name, Tensor::F32(vec![number; count], vec![count]))
    }

    /// An input that was put in.
    pub(super) fn of_input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.get(name)
    }

    /// With a number.
    #[must_use]
    pub fn number(mut self, name: &str, number: f64) -> Self {
        self.numbers.insert(name.to_owned(), number);
        self
    }

    /// With an answer that is taken.
    #[must_use]
    pub fn takes(mut self, answer: Answer) -> Self {
        self.takes.push(answer);
        self
    }

    /// The input of that name.
    pub fn known(&self, name: &str) -> Option<&Tensor> {
        self.inputs.get(name)
    }

    /// Calls a function of a policy with this host, and tells an error by its text.
    ///
    /// # Errors
    /// What the policy said; or that it said nothing, or wrote into an input.
    pub fn call(&self, function: impl FnOnce(&SbxHost) -> i32) -> Result<i32> {
        self.said.take();
        self.refused.take();
        self.given.take();
        self.emitted.take();
        self.stream.set(self.seed);
        let status = function(&self.table());
        for (name, lent) in &*self.lent.borrow() {
            if lent.memory != lent.before {
                return Err(Error::new(format!(
                    "expected inputs to be read, found '{name}' written"
                )));
            }
        }
        let refused = self.refused.borrow().first().cloned();
        let reasons: Vec<_> = self
            .said
            .borrow()
            .clone()
            .into_iter()
            .chain(refused)
            .collect();
        match status {
            SBX_OK => Ok(status),
            status if !reasons.is_empty() => Err(Error::new(format!(
                "status {status}: {}",
                reasons.join(": ")
            ))),
            status => Err(Error::new(format!(
                "expected a reason by 'fail', found status {status} without one"
            ))),
        }
    }

    /// The answers of the last call.
    pub fn answers(&self) -> BTreeMap<&'static str, Tensor> {
        let given = self.given.borrow();
        given
            .iter()
            .map(|(name, lent)| (*name, lent.tensor()))
            .collect()
    }

    /// The state that the last call emitted.
    pub fn emitted(&self) -> Vec<u8> {
        self.emitted.borrow().clone()
    }

    /// The contract's answers of this host.
    pub(super) fn contract(&self) -> &[Answer] {
        &self.takes
    }

    fn table(&self) -> SbxHost {
        SbxHost {
            struct_size: size_of::<SbxHost>() as u64,
            context: (&raw const *self).cast_mut().cast::<c_void>(),
            now: SbxNow {
                step: 9,
                epoch: 0,
                steps: 100,
                steps_per_epoch: 10,
            },
            rows: self.rows,
            device: CPU,
            stream: std::ptr::null_mut(),
            seed: self.seed,
            input: Some(input),
            number: Some(number),
            output: Some(output),
            uniform: Some(uniform),
            log: Some(log),
            fail: Some(fail),
            emit: Some(emit),
        }
    }

    /// SplitMix64 (Steele et al. 2014), as a number from 0 to 1.
    fn draw(&self) -> f64 {
        let state = self.stream.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.stream.set(state);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn give(&self, name: &str, shape: &[i64]) -> Result<*mut DLTensor> {
        let Some(answer) = self.takes.iter().find(|answer| answer.name == name) else {
            return Err(Error::new(format!("there is no answer '{name}'")));
        };
        answer.fits(shape)?;
        let lent = Lent::new(&answer.empty(shape), 1);
        let view = lent.view.as_ptr();
        if let Some(before) = self.given.borrow_mut().insert(answer.name, lent) {
            self.replaced.borrow_mut().push(before);
        }
        Ok(view)
    }
}

/// Serves a request.
fn serve<T>(host: *const SbxHost, otherwise: T, act: impl FnOnce(&Host) -> Result<T>) -> T {
    // SAFETY: a policy hands back the table that it was given, whose context is the host.
    let host = unsafe { &*(*host).context.cast::<Host>() };
    act(host).unwrap_or_else(|error| {
        host.refused.borrow_mut().push(error.to_string());
        otherwise
    })
}

fn text(name: *const c_char) -> String {
    // SAFETY: the contract says that names end with a zero.
    unsafe { CStr::from_ptr(name) }
        .to_string_lossy()
        .into_owned()
}

extern "C" fn input(host: *const SbxHost, name: *const c_char) -> *const DLTensor {
    serve(host, std::ptr::null(), |host| {
        let name = text(name);
        let Some(tensor) = host.inputs.get(&name) else {
            return Err(Error::new(format!("there is no input '{name}'")));
        };
        let spread = match host.repeated.contains(&name) {
            true => 0,
            false => host.spread,
        };
        let mut lent = host.lent.borrow_mut();
        let lent = lent
            .entry(name)
            .or_insert_with(|| Lent::new(tensor, spread));
        Ok(lent.view.as_ptr().cast_const())
    })
}

extern "C" fn number(host: *const SbxHost, name: *const c_char) -> f64 {
    serve(host, f64::NAN, |host| {
        let number = host.numbers.get(&text(name)).copied();
        number.ok_or_else(|| Error::new(format!("there is no number '{}'", text(name))))
    })
}

extern "C" fn output(
    host: *const SbxHost,
    name: *const c_char,
    ndim: i32,
    shape: *const i64,
) -> *mut DLTensor {
    serve(host, std::ptr::null_mut(), |host| {
        let shape = match ndim {
            0 => &[][..],
            // SAFETY: the contract says that there are `ndim` sizes.
            _ => unsafe { slice::from_raw_parts(shape, ndim as usize) },
        };
        host.give(&text(name), shape)
    })
}

extern "C" fn uniform(host: *const SbxHost, out: *mut f64, count: u64) -> i32 {
    serve(host, SBX_ERROR, |host| {
        for at in 0..count as usize {
            // SAFETY: the contract says that there is room for `count`.
            unsafe { out.add(at).write(host.draw()) };
        }
        Ok(SBX_OK)
    })
}

extern "C" fn log(_: *const SbxHost, _: i32, _: *const c_char, _: u64) {}

extern "C" fn fail(host: *const SbxHost, reason: *const c_char, len: u64) {
    serve(host, (), |host| {
        // SAFETY: the contract says that there are `len` bytes.
        let bytes = unsafe { slice::from_raw_parts(reason.cast::<u8>(), len as usize) };
        host.said
            .replace(Some(String::from_utf8_lossy(bytes).into_owned()));
        Ok(())
    });
}

extern "C" fn emit(host: *const SbxHost, data: *const u8, len: u64) -> i32 {
    serve(host, SBX_ERROR, |host| {
        if len > 0 {
            // SAFETY: the contract says that there are `len` bytes.
            let bytes = unsafe { slice::from_raw_parts(data, len as usize) };
            host.emitted.borrow_mut().extend_from_slice(bytes);
        }
        Ok(SBX_OK)
    })
}
