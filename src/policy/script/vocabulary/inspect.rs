//! Verbs that say what a tensor is, and those that read its values, for which they wait for the device.

use rhai::{Array, Dynamic};
use tch::{Device, Kind, Tensor};

use super::answer::{Fault, Give, KINDS, Value, said, sync};
use super::guard;
use super::verb::{Verb, verb};

/// The most elements that become an array; more would be a loop in the script that a verb on the whole tensor spares.
const MAX_ARRAY: usize = 1024;

/// How many elements printing shows.
const SHOWN: usize = 6;

pub(super) const VERBS: &[Verb] = &[
    verb(
        "shape, .shape(x: Tensor) -> array",
        "The sizes of all dimensions.",
        |a| Ok(a.tensor(0)?.size().value()),
    ),
    verb(
        "size(x: Tensor, dim: int = ()) -> int | array",
        "The size of a dimension, or of all.",
        |a| {
            let x = a.tensor(0)?;
            if a.given(1) {
                guard::size(&x, a.int(1)?).give()
            } else {
                Ok(x.size().value())
            }
        },
    ),
    verb(
        "dim, .ndim(x: Tensor) -> int",
        "The number of dimensions.",
        |a| Ok((a.tensor(0)?.dim() as i64).value()),
    ),
    verb("numel(x: Tensor) -> int", "The number of elements.", |a| {
        Ok((a.tensor(0)?.numel() as i64).value())
    }),
    verb(
        "len(x: Tensor) -> int",
        "The size of the first dimension.",
        |a| guard::size(&*a.tensor(0)?, 0).give(),
    ),
    verb(
        "dtype, .dtype(x: Tensor) -> string",
        "The type of the elements: \"float32\", \"int64\", \"bool\", ...",
        |a| Ok(kind_name(a.tensor(0)?.f_kind()?).value()),
    ),
    verb(
        ".device(x: Tensor) -> string",
        "Where it lies: \"cpu\", \"cuda:0\", ...",
        |a| {
            Ok(match a.tensor(0)?.device() {
                Device::Cuda(number) => format!("cuda:{number}"),
                other => format!("{other:?}").to_lowercase(),
            }
            .value())
        },
    ),
    verb(
        "is_floating_point(x: Tensor) -> bool",
        "Whether the elements are floats.",
        |a| Ok(a.tensor(0)?.is_floating_point().value()),
    ),
    verb(
        "requires_grad, .requires_grad(x: Tensor) -> bool",
        "Whether gradients flow through it.",
        |a| Ok(a.tensor(0)?.requires_grad().value()),
    ),
    verb(
        "detach(x: Tensor) -> Tensor",
        "The same values, through which no gradient flows.",
        |a| a.tensor(0)?.f_detach().give(),
    ),
    verb(
        "item(x: Tensor) -> int | float | bool",
        "The value of a tensor of one element. Waits for the device.",
        |a| {
            let x = a.tensor(0)?;
            if x.numel() != 1 {
                return Err(said(format!(
                    "needs one element, the tensor has shape {:?}",
                    x.size()
                )));
            }
            sync();
            elements(&x, 1)?.pop().ok_or_else(|| said("no element"))
        },
    ),
    verb(
        "to_array, to_list, tolist(x: Tensor) -> array",
        "The values as (nested) arrays, of at most 1024 elements. Waits for the device.",
        |a| {
            let x = a.tensor(0)?;
            if x.numel() > MAX_ARRAY {
                return Err(said(format!(
                    "{} elements, at most {MAX_ARRAY}: work on the whole tensor instead",
                    x.numel()
                )));
            }
            sync();
            Ok(nest(&mut elements(&x, MAX_ARRAY)?.into_iter(), &x.size()))
        },
    ),
    verb(
        "to_string, to_debug(x: Tensor) -> string",
        "Shape, type and the first elements. Waits for the device.",
        |a| {
            sync();
            show(&*a.tensor(0)?).give()
        },
    ),
];

pub(super) fn kind_name(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or("other", |(name, _)| name)
}

/// The first elements as the script's values.
fn elements(x: &Tensor, most: usize) -> Result<Array, Fault> {
    let kind = x.f_kind()?;
    let flat = x.f_detach()?.f_flatten(0, -1)?;
    let first = flat
        .f_narrow(0, 0, flat.size()[0].min(most as i64))?
        .f_to_device(Device::Cpu)?;
    Ok(match kind {
        Kind::Bool => Vec::<bool>::try_from(&first)?
            .into_iter()
            .map(Dynamic::from_bool)
            .collect(),
        Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64 => {
            Vec::<i64>::try_from(&first)?
                .into_iter()
                .map(Dynamic::from_int)
                .collect()
        }
        _ => Vec::<f64>::try_from(&first)?
            .into_iter()
            .map(Dynamic::from_float)
            .collect(),
    })
}

fn nest(values: &mut impl Iterator<Item = Dynamic>, shape: &[i64]) -> Dynamic {
    match shape.split_first() {
        None => values.next().unwrap_or(Dynamic::UNIT),
        Some((rows, rest)) => Dynamic::from_array((0..*rows).map(|_| nest(values, rest)).collect()),
    }
}

/// One line: shape, type and the first elements.
pub(super) fn show(x: &Tensor) -> Result<String, Fault> {
    let kind = x.f_kind()?;
    // Short as a person would write it: f32's digits, not the f64's that holds it.
    let one = |value: &Dynamic| match value.as_float() {
        Ok(float) if kind == Kind::Double => float.to_string(),
        Ok(float) => (float as f32).to_string(),
        Err(_) => value.to_string(),
    };
    let mut shown: Vec<String> = elements(x, SHOWN)?.iter().map(one).collect();
    if x.numel() > SHOWN {
        shown.push("...".into());
    }
    Ok(format!(
        "Tensor {:?} {}: {}",
        x.size(),
        kind_name(kind),
        shown.join(", ")
    )
    .trim_end()
    .to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::trial::{eval, fails, flag, int, ints, text};
    use super::super::{calls, syncs};

    #[test]
    fn a_tensor_says_what_it_is() {
        let x = "let x = zeros([2, 3]);";
        assert_eq!(ints(&format!("{x} x.shape")), [2, 3]);
        assert_eq!(ints(&format!("{x} x.shape()")), [2, 3]);
        assert_eq!(ints(&format!("{x} x.size()")), [2, 3]);
        assert_eq!(
            int(&format!(
                "{x} x.size(-1) * 1000 + x.dim() * 100 + x.numel() * 10 + x.len()"
            )),
            3262
        );
        assert!(flag(&format!(
            "{x} x.dtype == \"float32\" && x.dtype() == \"float32\" && x.device == \"cpu\" && x.ndim == 2"
        )));
        assert!(flag(&format!(
            "{x} !x.requires_grad && !x.requires_grad() && !x.detach().requires_grad && x.is_floating_point()"
        )));
        assert_eq!(
            fails(&format!("{x} x.size(2)")),
            "size: dim 2 does not exist, the tensor has shape [2, 3]"
        );
    }

    #[test]
    fn values_are_read_with_their_type() {
        assert!(flag(
            "tensor([1.5]).item() == 1.5 && tensor(2).item() == 2 && (tensor(2) == 2).item()"
        ));
        assert_eq!(
            text("tensor([[1, 2], [3, 4]]).to_array().to_string()"),
            "[[1, 2], [3, 4]]"
        );
        assert_eq!(
            text("tensor([true]).tolist().to_string() + tensor(0.5).to_list()"),
            "[true]0.5"
        );
        assert_eq!(
            fails("zeros([3]).item()"),
            "item: needs one element, the tensor has shape [3]"
        );
        assert_eq!(
            fails("zeros([1025]).to_array()"),
            "to_array: 1025 elements, at most 1024: work on the whole tensor instead"
        );
    }

    #[test]
    fn printing_shows_shape_type_and_a_few_elements() {
        assert_eq!(
            text("`${arange(8)}`"),
            "Tensor [8] int64: 0, 1, 2, 3, 4, 5, ..."
        );
        assert_eq!(
            text("[tensor(0.1)].to_string()"),
            "[Tensor [] float32: 0.1]"
        );
    }

    #[test]
    fn calls_and_waits_are_counted() {
        let (before, waits) = (calls(), syncs());
        let _ = eval("let x = arange(3); let y = x + 1; y.sum().item()").unwrap();
        assert_eq!((calls() - before, syncs() - waits), (4, 1));
    }
}
