//! Comparisons, logic and choices, element by element, and types.

use tch::{Kind, Tensor};

use super::Handle;
use super::answer::{Fault, Give, KINDS, said};
use super::arguments::Arguments;
use super::number::filled;
use super::verb::{Verb, verb};

/// A comparison or connective of two operands, of which at least one is a tensor.
macro_rules! binary {
    ($names:literal, $doc:literal, $run:ident) => {
        verb(
            concat!($names, "(x: Tensor | number, y: Tensor | number) -> Tensor"),
            $doc,
            |a| {
                let (x, y) = a.pair(0)?;
                x.$run(&y).give()
            },
        )
    };
}

/// A conversion to one type.
macro_rules! conversion {
    ($names:literal, $kind:ident) => {
        verb(
            concat!($names, "(x: Tensor) -> Tensor"),
            concat!("Converted to ", stringify!($kind), "."),
            |a| a.tensor(0)?.f_to_kind(Kind::$kind).give(),
        )
    };
}

pub(super) const VERBS: &[Verb] = &[
    verb(
        "eq, ==(x: Tensor | number, y: Tensor | number) -> Tensor",
        "Where the two are equal. Compared with (), plain false: `if this.means == () { .. }`.",
        |a| {
            if a.is_unit(0) || a.is_unit(1) {
                return Ok(false.into());
            }
            let (x, y) = a.pair(0)?;
            x.f_eq_tensor(&y).give()
        },
    ),
    verb(
        "ne, !=(x: Tensor | number, y: Tensor | number) -> Tensor",
        "Where the two differ. Compared with (), plain true.",
        |a| {
            if a.is_unit(0) || a.is_unit(1) {
                return Ok(true.into());
            }
            let (x, y) = a.pair(0)?;
            x.f_ne_tensor(&y).give()
        },
    ),
    binary!("lt, <", "Where x is less.", f_lt_tensor),
    binary!("le, <=", "Where x is less or equal.", f_le_tensor),
    binary!("gt, >", "Where x is greater.", f_gt_tensor),
    binary!("ge, >=", "Where x is greater or equal.", f_ge_tensor),
    binary!(
        "logical_and, &",
        "Where both are true; not 0 is true.",
        f_logical_and
    ),
    binary!("logical_or, |", "Where one is true.", f_logical_or),
    binary!("logical_xor, ^", "Where just one is true.", f_logical_xor),
    verb(
        "logical_not, !(x: Tensor) -> Tensor",
        "Where x is not true.",
        |a| a.tensor(0)?.f_logical_not().give(),
    ),
    verb("isnan(x: Tensor) -> Tensor", "Where x is NaN.", |a| {
        a.tensor(0)?.f_isnan().give()
    }),
    verb("isinf(x: Tensor) -> Tensor", "Where x is infinite.", |a| {
        a.tensor(0)?.f_isinf().give()
    }),
    verb(
        "isfinite(x: Tensor) -> Tensor",
        "Where x is neither NaN nor infinite.",
        |a| a.tensor(0)?.f_isfinite().give(),
    ),
    verb(
        "isclose(x: Tensor, y: Tensor, rtol: number = 1e-5, atol: number = 1e-8) -> Tensor",
        "Where |x - y| <= atol + rtol * |y|.",
        |a| {
            a.tensor(0)?
                .f_isclose(
                    &*a.tensor(1)?,
                    a.float_or(2, 1e-5)?,
                    a.float_or(3, 1e-8)?,
                    false,
                )
                .give()
        },
    ),
    verb(
        "where(condition: Tensor, x: Tensor | number, y: Tensor | number) -> Tensor",
        "x where the condition holds, else y.",
        choose,
    ),
    verb(
        "masked_fill(x: Tensor, mask: Tensor, value: Tensor | number) -> Tensor",
        "The value (a number, or a tensor without dimensions) where the mask holds, else x.",
        |a| {
            let (x, mask) = (a.tensor(0)?, a.tensor(1)?);
            x.f_masked_fill_tensor(&mask, &*a.operand(2)?.beside(x.f_kind()?)?)
                .give()
        },
    ),
    verb(
        "isin(x: Tensor, values: Tensor | number) -> Tensor",
        "Where x is one of the values.",
        |a| {
            let x = a.tensor(0)?;
            Tensor::f_isin(
                &x,
                &*on(&x, a.operand(1)?.beside(x.f_kind()?)?)?,
                false,
                false,
            )
            .give()
        },
    ),
    conversion!("float", Float),
    conversion!("double", Double),
    conversion!("half", Half),
    conversion!("long", Int64),
    conversion!("int", Int),
    conversion!("bool", Bool),
    verb(
        "to(x: Tensor, dtype: string | Tensor) -> Tensor",
        "Converted to a type (\"float32\", \"int64\", \"bool\", ...) or to that of a tensor.",
        |a| a.tensor(0)?.f_to_kind(wanted(a, 1)?).give(),
    ),
    verb(
        "type_as(x: Tensor, other: Tensor) -> Tensor",
        "Converted to the type of the other.",
        |a| a.tensor(0)?.f_to_kind(a.tensor(1)?.f_kind()?).give(),
    ),
];

fn choose(a: &Arguments<'_>) -> Result<rhai::Dynamic, Fault> {
    let condition = a.tensor(0)?;
    if condition.f_kind()? != Kind::Bool {
        return Err(said(
            "the first argument is the condition and must be bool; write 'where(condition, x, y)'",
        ));
    }
    let (x, y) = a.pair(1)?;
    on(&condition, x)?
        .f_where_self(&condition, &*on(&condition, y)?)
        .give()
}

/// A number where `like` lies: libtorch would copy it there and wait.
fn on(like: &Tensor, x: Handle) -> Result<Handle, Fault> {
    if x.dim() > 0 || x.device() == like.device() || x.device().is_cuda() {
        return Ok(x);
    }
    Ok(Handle::new(filled(&[], &x, x.f_kind()?, like.device())?))
}

/// The type that an argument names or has.
fn wanted(a: &Arguments<'_>, at: usize) -> Result<Kind, Fault> {
    if let Ok(like) = a.tensor(at) {
        return Ok(like.f_kind()?);
    }
    let name = a.text(at)?;
    let short = [
        ("float", Kind::Float),
        ("double", Kind::Double),
        ("half", Kind::Half),
        ("long", Kind::Int64),
        ("int", Kind::Int),
    ];
    let known = KINDS
        .iter()
        .chain(&short)
        .find(|(known, _)| *known == name.as_str());
    known.map(|(_, kind)| *kind).ok_or_else(|| {
        let all: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        said(format!(
            "unknown dtype '{name}', known are {}",
            all.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::trial::{fails, flag, numbers, text};

    #[test]
    fn comparisons_are_elementwise_from_either_side() {
        assert_eq!(
            text("arange(3) == 1"),
            "Tensor [3] bool: false, true, false"
        );
        assert_eq!(numbers("arange(3) != tensor([0, 0, 2])"), [0.0, 1.0, 0.0]);
        assert_eq!(numbers("arange(3) < 1"), [1.0, 0.0, 0.0]);
        assert_eq!(numbers("1 < arange(3)"), [0.0, 0.0, 1.0]);
        assert_eq!(numbers("1 <= arange(3)"), [0.0, 1.0, 1.0]);
        assert_eq!(numbers("1 > arange(3)"), [1.0, 0.0, 0.0]);
        assert_eq!(numbers("0.5 >= arange(3)"), [1.0, 0.0, 0.0]);
        assert_eq!(numbers("arange(3).ge(1)"), [0.0, 1.0, 1.0]);
        assert_eq!(
            numbers("arange(3).eq(arange(3)) | (arange(3) > 5)"),
            [1.0; 3]
        );
        assert_eq!(
            numbers("arange(3).unsqueeze(1).eq(arange(2).unsqueeze(0)).sum(1)"),
            [1.0, 1.0, 0.0]
        );
        assert_eq!(
            fails("arange(3) == \"a\""),
            "==: 'y' must be Tensor | number, got string"
        );
    }

    #[test]
    fn nothing_equals_no_tensor() {
        assert!(!flag("arange(3) == ()"));
        assert!(!flag("() == arange(3)"));
        assert!(flag(
            "let state = #{}; if state.means == () { state.means = arange(2); } state.means != ()"
        ));
    }

    #[test]
    fn connectives_are_elementwise() {
        assert_eq!(
            numbers(
                "let m = arange(4) > 1; let e = arange(4) % 2 == 0; cat([m & e, m | e, m ^ e, !m])"
            ),
            [
                0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0
            ]
        );
        assert_eq!(
            text("(arange(2) > 0) & true"),
            "Tensor [2] bool: false, true"
        );
    }

    #[test]
    fn choices_take_tensors_and_numbers() {
        assert_eq!(
            numbers("where(arange(3) > 0, arange(3), -arange(3) - 1)"),
            [-1.0, 1.0, 2.0]
        );
        assert_eq!(
            text("where(arange(2) > 0, tensor([0.5, 1.5]), -1)"),
            "Tensor [2] float32: -1, 1.5"
        );
        assert_eq!(
            text("where(arange(2) > 0, -1, arange(2))"),
            "Tensor [2] int64: 0, -1"
        );
        assert_eq!(
            text("(arange(2) > 0).where(1, 0)"),
            "Tensor [2] int64: 0, 1"
        );
        assert!(
            fails("arange(2).where(arange(2) > 0, 1)")
                .starts_with("where: the first argument is the condition")
        );
    }

    #[test]
    fn masks_fill_and_find() {
        assert_eq!(
            numbers("arange(3).masked_fill(arange(3) > 1, -2)"),
            [0.0, 1.0, -2.0]
        );
        assert_eq!(
            numbers("arange(3).masked_fill(arange(3) > 1, tensor(9))"),
            [0.0, 1.0, 9.0]
        );
        assert_eq!(
            numbers("arange(3).isin(tensor([0, 2, 7]))"),
            [1.0, 0.0, 1.0]
        );
        assert_eq!(
            numbers("let x = tensor([0.0, 1.0]) / 0; cat([x.isnan(), x.isinf(), x.isfinite()])"),
            [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
        );
        assert_eq!(
            numbers("tensor([1.0]).isclose(tensor([1.0 + 1e-6]))"),
            [1.0]
        );
    }

    #[test]
    fn types_convert() {
        assert_eq!(text("tensor([1.7]).long()"), "Tensor [1] int64: 1");
        assert_eq!(
            text("tensor([1, 0]).bool()"),
            "Tensor [2] bool: true, false"
        );
        assert_eq!(text("tensor([1]).to(\"float64\")"), "Tensor [1] float64: 1");
        assert_eq!(
            text("tensor([1]).to(tensor([0.5])).type_as(tensor(true))"),
            "Tensor [1] bool: true"
        );
        assert!(
            fails("tensor([1]).to(\"fp32\")")
                .starts_with("to: unknown dtype 'fp32', known are float32, float64")
        );
    }
}
