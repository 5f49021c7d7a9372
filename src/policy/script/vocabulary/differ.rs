//! Whether two values of a script are equal, and where the first difference lies.

use rhai::{Array, Dynamic, Map};
use tch::{Kind, Tensor};

use super::answer::Fault;
use super::inspect::{kind_name, show};
use super::kind::kind_of;
use super::{Handle, map_of};

/// How much of a value is shown.
const SHOWN: usize = 200;

/// Where and how two values differ.
pub(in crate::policy::script) struct Difference {
    /// The way there, as in `.negatives[2]`; empty for the values themselves.
    pub(in crate::policy::script) path: String,
    /// What is there.
    pub(in crate::policy::script) text: String,
}

/// Compares what was got with what is expected: exactly, types of tensors included, or, of any numbers, within a tolerance. Nothing
/// where they are equal.
pub(in crate::policy::script) fn differ(
    got: &Dynamic,
    expected: &Dynamic,
    tolerance: Option<f64>,
) -> Option<Difference> {
    if let (Some(got), Some(expected)) = (got.read_lock::<Handle>(), expected.read_lock::<Handle>())
    {
        let text = tensors(got.tensor(), expected.tensor(), tolerance);
        return here(text.unwrap_or_else(|_| Some("they cannot be compared".into())));
    }
    if let (Some(got), Some(expected)) = (got.read_lock::<Array>(), expected.read_lock::<Array>()) {
        return arrays(&got, &expected, tolerance);
    }
    if let (Some(got), Some(expected)) = (map_of(got), map_of(expected)) {
        return maps(&got, &expected, tolerance);
    }
    here(plain(got, expected, tolerance))
}

fn here(text: Option<String>) -> Option<Difference> {
    text.map(|text| Difference {
        path: String::new(),
        text,
    })
}

/// Tensors: shape, then type where the comparison is exact, then elements.
fn tensors(
    got: &Tensor,
    expected: &Tensor,
    tolerance: Option<f64>,
) -> Result<Option<String>, Fault> {
    if got.size() != expected.size() {
        return Ok(Some(format!(
            "the shape is {:?}, expected {:?}",
            got.size(),
            expected.size()
        )));
    }
    let (kind, wanted) = (got.f_kind()?, expected.f_kind()?);
    if tolerance.is_none() && kind != wanted {
        let (kind, wanted) = (kind_name(kind), kind_name(wanted));
        return Ok(Some(format!("the type is {kind}, expected {wanted}")));
    }
    let flat = |x: &Tensor| x.f_detach()?.f_to_kind(Kind::Double)?.f_flatten(0, -1);
    let wrong = match tolerance {
        // int64 above 2^53 is not a double.
        None => got.f_detach()?.f_ne_tensor(expected)?.f_flatten(0, -1)?,
        Some(tolerance) => far(&flat(got)?, &flat(expected)?, tolerance)?,
    };
    let count = wrong.f_sum(Kind::Int64)?.int64_value(&[]);
    if count == 0 {
        return Ok(None);
    }
    let first = wrong
        .f_to_kind(Kind::Int64)?
        .f_argmax(0, false)?
        .int64_value(&[]);
    let at = place(first, &got.size());
    let of = |x: &Tensor| -> Result<String, Fault> {
        let one = x.f_detach()?.f_flatten(0, -1)?.f_narrow(0, first, 1)?;
        let text = show(&one)?;
        Ok(text.rsplit(": ").next().unwrap_or_default().to_owned())
    };
    let beyond = tolerance.map_or_else(String::new, |tolerance| {
        format!(" by more than {tolerance}")
    });
    Ok(Some(format!(
        "{count} of {} elements differ{beyond}, the first at {at:?}: got {}, expected {}",
        got.numel(),
        of(got)?,
        of(expected)?
    )))
}

/// Where two flat tensors differ by more than a tolerance; equal infinities do not, and not-a-number does from everything.
fn far(got: &Tensor, expected: &Tensor, tolerance: f64) -> Result<Tensor, Fault> {
    let gap = got.f_sub(expected)?.f_abs()?;
    let bound = Tensor::from(tolerance);
    Ok(gap
        .f_le_tensor(&bound)?
        .f_logical_or(&got.f_eq_tensor(expected)?)?
        .f_logical_not()?)
}

/// The indices of the element `flat` of a tensor of that shape.
fn place(mut flat: i64, shape: &[i64]) -> Vec<i64> {
    let mut at: Vec<i64> = shape
        .iter()
        .rev()
        .map(|size| {
            let index = flat % size;
            flat /= size;
            index
        })
        .collect();
    at.reverse();
    at
}

fn arrays(got: &Array, expected: &Array, tolerance: Option<f64>) -> Option<Difference> {
    if got.len() != expected.len() {
        return here(Some(format!(
            "got {} values, expected {}",
            got.len(),
            expected.len()
        )));
    }
    let mut pairs = got.iter().zip(expected).enumerate();
    pairs.find_map(|(at, (got, expected))| {
        below(&format!("[{at}]"), differ(got, expected, tolerance))
    })
}

fn maps(got: &Map, expected: &Map, tolerance: Option<f64>) -> Option<Difference> {
    let names = |map: &Map| {
        map.keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !got.keys().eq(expected.keys()) {
        let (got, expected) = (names(got), names(expected));
        return here(Some(format!("the keys are {got}, expected {expected}")));
    }
    let mut pairs = got.iter().zip(expected.values());
    pairs.find_map(|((name, got), expected)| {
        below(&format!(".{name}"), differ(got, expected, tolerance))
    })
}

/// A difference of a part, as one of the whole.
fn below(part: &str, difference: Option<Difference>) -> Option<Difference> {
    difference.map(|Difference { path, text }| Difference {
        path: format!("{part}{path}"),
        text,
    })
}

fn plain(got: &Dynamic, expected: &Dynamic, tolerance: Option<f64>) -> Option<String> {
    let number = |value: &Dynamic| {
        value
            .as_float()
            .ok()
            .or(value.as_int().ok().map(|int| int as f64))
    };
    let equal = match (number(got), number(expected)) {
        (Some(x), Some(y)) => match (got.as_int(), expected.as_int(), tolerance) {
            (Ok(x), Ok(y), None) => x == y,
            (.., None) => x == y,
            (.., Some(tolerance)) => x == y || (x - y).abs() <= tolerance,
        },
        _ => {
            let text = |value: &Dynamic| value.clone().into_string().ok();
            let flag = |value: &Dynamic| value.as_bool().ok();
            let letter = |value: &Dynamic| value.as_char().ok();
            let (units, texts) = (
                (got.is_unit(), expected.is_unit()),
                (text(got), text(expected)),
            );
            let (flags, letters) = ((flag(got), flag(expected)), (letter(got), letter(expected)));
            match (units, texts, flags, letters) {
                ((true, true), ..) => true,
                (_, (Some(x), Some(y)), ..) => x == y,
                (.., (Some(x), Some(y)), _) => x == y,
                (.., (Some(x), Some(y))) => x == y,
                _ => {
                    return Some(format!(
                        "got a value of type {}, expected one of type {}",
                        kind_of(got),
                        kind_of(expected)
                    ));
                }
            }
        }
    };
    (!equal).then(|| format!("got {}, expected {}", shown(got), shown(expected)))
}

/// A value in one line, tensors as they print.
pub(in crate::policy::script) fn shown(value: &Dynamic) -> String {
    let mut text = whole(value);
    if text.chars().count() > SHOWN {
        text = text.chars().take(SHOWN).collect();
        text.push_str("...");
    }
    text
}

/// The same without an end to its length.
pub(super) fn whole(value: &Dynamic) -> String {
    if let Some(handle) = value.read_lock::<Handle>() {
        return show(handle.tensor()).unwrap_or_else(|_| "a Tensor".into());
    }
    if let Some(items) = value.read_lock::<Array>() {
        let items: Vec<_> = items.iter().map(whole).collect();
        return format!("[{}]", items.join(", "));
    }
    if let Some(map) = map_of(value) {
        let fields: Vec<_> = map
            .iter()
            .map(|(name, value)| format!("{name}: {}", whole(value)))
            .collect();
        return format!("#{{{}}}", fields.join(", "));
    }
    match value.is_unit() {
        true => "()".into(),
        false if value.is_string() => format!("{:?}", value.to_string()),
        // What has no text of its own gives its type.
        false if value.to_string() == value.type_name() => {
            format!("a value of type {}", kind_of(value))
        }
        false => value.to_string(),
    }
}
