//! Verbs that create tensors: from nothing on the slot's device, or like another tensor on the device of that one.

use rhai::{Array, Dynamic};
use tch::{Device, Kind, Tensor};

use super::DEVICE;
use super::answer::{Answer, Fault, Give, said};
use super::arguments::Arguments;
use super::kind::kind_of;
use super::number::{Operand, filled};
use super::verb::{Verb, verb};

const FLOAT: Kind = Kind::Float;

pub(super) const VERBS: &[Verb] = &[
    verb(
        "tensor(values: number | bool | array) -> Tensor",
        "A tensor of numbers or bools, nested arrays for several dimensions: int64, float32 if any is a float, bool if all are bools.",
        |a| from_values(a.any(0), None, DEVICE.get()).give(),
    ),
    verb(
        "zeros(shape: int | array) -> Tensor",
        "Zeros, float32.",
        |a| Tensor::f_zeros(a.ints(0)?, (FLOAT, DEVICE.get())).give(),
    ),
    verb(
        "ones(shape: int | array) -> Tensor",
        "Ones, float32.",
        |a| Tensor::f_ones(a.ints(0)?, (FLOAT, DEVICE.get())).give(),
    ),
    verb(
        "full(shape: int | array, value: number | bool) -> Tensor",
        "One value everywhere: int64 of an int, float32 of a float, bool of a bool.",
        |a| full(a, a.ints(0)?, 1, None, DEVICE.get()),
    ),
    verb(
        "arange(start_or_end: number, end: number = (), step: number = 1) -> Tensor",
        "The numbers from start (0 if only the end is given) to before end: int64 of ints, else float32.",
        |a| arange(a, 0, DEVICE.get()),
    ),
    verb(
        "eye(n: int) -> Tensor",
        "The identity matrix [n, n], float32.",
        |a| Tensor::f_eye(a.int(0)?, (FLOAT, DEVICE.get())).give(),
    ),
    verb(
        "zeros_like(x: Tensor) -> Tensor",
        "Zeros with the shape, type and device of x.",
        |a| a.tensor(0)?.f_zeros_like().give(),
    ),
    verb(
        "ones_like(x: Tensor) -> Tensor",
        "Ones with the shape, type and device of x.",
        |a| a.tensor(0)?.f_ones_like().give(),
    ),
    verb(
        "full_like(x: Tensor, value: number | bool) -> Tensor",
        "One value with the shape, type and device of x.",
        |a| {
            let x = a.tensor(0)?;
            full(a, x.size(), 1, Some(x.f_kind()?), x.device())
        },
    ),
    verb(
        "new_tensor(x: Tensor, values: number | bool | array) -> Tensor",
        "The values, with the type and device of x.",
        |a| {
            let x = a.tensor(0)?;
            from_values(a.any(1), Some(x.f_kind()?), x.device()).give()
        },
    ),
    verb(
        "new_zeros(x: Tensor, shape: int | array) -> Tensor",
        "Zeros with the type and device of x.",
        |a| {
            let x = a.tensor(0)?;
            Tensor::f_zeros(a.ints(1)?, (x.f_kind()?, x.device())).give()
        },
    ),
    verb(
        "new_ones(x: Tensor, shape: int | array) -> Tensor",
        "Ones with the type and device of x.",
        |a| {
            let x = a.tensor(0)?;
            Tensor::f_ones(a.ints(1)?, (x.f_kind()?, x.device())).give()
        },
    ),
    verb(
        "new_full(x: Tensor, shape: int | array, value: number | bool) -> Tensor",
        "One value everywhere, with the type and device of x.",
        |a| {
            let x = a.tensor(0)?;
            full(a, a.ints(1)?, 2, Some(x.f_kind()?), x.device())
        },
    ),
    verb(
        "new_arange(x: Tensor, start_or_end: number, end: number = (), step: number = 1) -> Tensor",
        "As arange, on the device of x; int64 of ints, whatever the type of x.",
        |a| arange(a, 1, a.tensor(0)?.device()),
    ),
    verb(
        "new_eye(x: Tensor, n: int) -> Tensor",
        "The identity matrix [n, n] with the type and device of x.",
        |a| {
            let x = a.tensor(0)?;
            Tensor::f_eye(a.int(1)?, (x.f_kind()?, x.device())).give()
        },
    ),
];

fn full(
    a: &Arguments<'_>,
    shape: Vec<i64>,
    value: usize,
    kind: Option<Kind>,
    device: Device,
) -> Answer {
    let number = a.operand(value)?;
    let natural = match number {
        Operand::Tensor(_) => {
            return Err(said(
                "'value' must be number | bool, got Tensor; 'expand' repeats a tensor",
            ));
        }
        Operand::Int(_) if a.any(value).is_bool() => Kind::Bool,
        Operand::Int(_) => Kind::Int64,
        Operand::Float(_) => FLOAT,
    };
    let kind = kind.unwrap_or(natural);
    filled(&shape, &*number.of(kind)?, kind, device).give()
}

fn arange(a: &Arguments<'_>, first: usize, device: Device) -> Answer {
    let at = [first, first + 1, first + 2];
    let float = |at: usize| a.float_or(at, 1.0);
    let (start, end) = if a.given(at[1]) {
        (float(first)?, float(at[1])?)
    } else {
        (0.0, float(first)?)
    };
    let step = float(at[2])?;
    // Checked here, since the method takes scalars: see `number`.
    let length = (end - start) / step;
    if !(0.0..=f64::from(i32::MAX)).contains(&length) {
        return Err(said(format!("no range from {start} to {end} by {step}")));
    }
    if at.iter().any(|&at| a.given(at) && !a.any(at).is_int()) {
        return Tensor::f_arange_start_step(start, end, step, (FLOAT, device)).give();
    }
    let (start, end) = if a.given(at[1]) {
        (a.int(first)?, a.int(at[1])?)
    } else {
        (0, a.int(first)?)
    };
    Tensor::f_arange_start_step(start, end, a.int_or(at[2], 1)?, (Kind::Int64, device)).give()
}

/// Numbers in nested arrays, flattened.
#[derive(Default)]
struct Flat {
    numbers: Vec<f64>,
    /// The same where all are ints, which a float holds up to 2^53 only.
    ints: Vec<i64>,
    floats: bool,
    bools: usize,
}

pub(super) fn from_values(
    value: &Dynamic,
    kind: Option<Kind>,
    device: Device,
) -> Result<Tensor, Fault> {
    let (mut flat, mut shape) = (Flat::default(), Vec::new());
    flatten(value, 0, &mut flat, &mut shape)?;
    let natural = match (flat.floats, flat.bools == flat.numbers.len()) {
        (true, _) => FLOAT,
        (false, true) if flat.bools > 0 => Kind::Bool,
        (false, _) if flat.numbers.is_empty() => FLOAT,
        _ => Kind::Int64,
    };
    let tensor = if flat.floats {
        Tensor::f_from_slice(&flat.numbers)?
    } else {
        Tensor::f_from_slice(&flat.ints)?
    };
    Ok(tensor
        .f_to_kind(kind.unwrap_or(natural))?
        .f_reshape(shape)?
        .f_to_device(device)?)
}

fn flatten(
    value: &Dynamic,
    depth: usize,
    flat: &mut Flat,
    shape: &mut Vec<i64>,
) -> Result<(), Fault> {
    if let Some(items) = value.read_lock::<Array>() {
        let length = items.len() as i64;
        if shape.len() == depth {
            if !flat.numbers.is_empty() {
                return Err(said("'values' mixes numbers and arrays at the same depth"));
            }
            shape.push(length);
        } else if shape[depth] != length {
            return Err(said(format!(
                "'values' has rows of {} and of {length} values",
                shape[depth]
            )));
        }
        return items
            .iter()
            .try_for_each(|item| flatten(item, depth + 1, flat, shape));
    }
    if depth != shape.len() {
        return Err(said("'values' mixes numbers and arrays at the same depth"));
    }
    let (number, int) = match (value.as_float(), value.as_int(), value.as_bool()) {
        (Ok(float), ..) => (float, 0),
        (_, Ok(int), _) => (int as f64, int),
        (.., Ok(flag)) => (f64::from(u8::from(flag)), i64::from(flag)),
        _ => {
            return Err(said(format!(
                "'values' must hold numbers or bools, it holds {}",
                kind_of(value)
            )));
        }
    };
    flat.floats |= value.is_float();
    flat.bools += usize::from(value.is_bool());
    flat.numbers.push(number);
    flat.ints.push(int);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::trial::{fails, numbers, text};

    #[test]
    fn values_keep_their_shape_and_choose_their_type() {
        assert_eq!(
            text("tensor([[1, 2], [3, 4], [5, 6]])"),
            "Tensor [3, 2] int64: 1, 2, 3, 4, 5, 6"
        );
        assert_eq!(text("tensor([1, 0.5])"), "Tensor [2] float32: 1, 0.5");
        assert_eq!(
            text("tensor([true, false])"),
            "Tensor [2] bool: true, false"
        );
        assert_eq!(
            text("tensor(9007199254740993)"),
            "Tensor [] int64: 9007199254740993"
        );
        assert_eq!(text("tensor([])"), "Tensor [0] float32:");
        assert_eq!(
            text("tensor([0.5]).new_tensor([1, 2])"),
            "Tensor [2] float32: 1, 2"
        );
        assert_eq!(
            fails("tensor([[1, 2], [3]])"),
            "tensor: 'values' has rows of 2 and of 1 values"
        );
        assert_eq!(
            fails("tensor([[1], 2])"),
            "tensor: 'values' mixes numbers and arrays at the same depth"
        );
        assert_eq!(
            fails("tensor([1, [2]])"),
            "tensor: 'values' mixes numbers and arrays at the same depth"
        );
        assert_eq!(
            fails("tensor(['a'])"),
            "tensor: 'values' must hold numbers or bools, it holds char"
        );
    }

    #[test]
    fn filled_tensors_have_the_type_of_their_value_or_of_their_model() {
        assert_eq!(text("full([2], 3)"), "Tensor [2] int64: 3, 3");
        assert_eq!(text("full([2], 3.5)"), "Tensor [2] float32: 3.5, 3.5");
        assert_eq!(text("full(2, true)"), "Tensor [2] bool: true, true");
        assert_eq!(
            text("zeros([1, 2]) + ones([2])"),
            "Tensor [1, 2] float32: 1, 1"
        );
        assert_eq!(
            text("tensor([1]).new_full([2], 7)"),
            "Tensor [2] int64: 7, 7"
        );
        assert_eq!(
            text("tensor([1.5, 2.5]).full_like(2)"),
            "Tensor [2] float32: 2, 2"
        );
        assert_eq!(text("tensor([1]).zeros_like()"), "Tensor [1] int64: 0");
        assert_eq!(
            numbers("tensor([1, 2]).ones_like() + tensor([0.5]).new_zeros(2)"),
            [1.0, 1.0]
        );
        assert_eq!(numbers("eye(2) - tensor([[1.0]]).new_eye(2)"), [0.0; 4]);
        assert!(fails("zeros(['a'])").starts_with("zeros: 'shape' must be int | array, got array"));
        assert!(fails("zeros([-1])").starts_with("zeros:"));
    }

    #[test]
    fn ranges_count_as_in_pytorch() {
        assert_eq!(text("arange(3)"), "Tensor [3] int64: 0, 1, 2");
        assert_eq!(numbers("arange(2, 8, 3)"), [2.0, 5.0]);
        assert_eq!(numbers("arange(2, -1, -2)"), [2.0, 0.0]);
        assert_eq!(fails("arange(3, 1)"), "arange: no range from 3 to 1 by 1");
        assert_eq!(
            fails("arange(0, 1, 0)"),
            "arange: no range from 0 to 1 by 0"
        );
        assert_eq!(text("arange(0, 1, 0.5)"), "Tensor [2] float32: 0, 0.5");
        assert_eq!(
            text("tensor([0.5]).new_arange(1, 3)"),
            "Tensor [2] int64: 1, 2"
        );
    }
}
