//! Arithmetic, element by element, with broadcasting.

use tch::{Kind, Scalar, Tensor};

use super::answer::{Fault, Give, said};
use super::arguments::Arguments;
use super::number::Operand;
use super::verb::{Verb, verb};

/// A verb on one tensor.
macro_rules! unary {
    ($names:literal, $doc:literal, $run:ident) => {
        verb(concat!($names, "(x: Tensor) -> Tensor"), $doc, |a| {
            a.tensor(0)?.$run().give()
        })
    };
}

/// A verb on two operands, of which at least one is a tensor.
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

pub(super) const VERBS: &[Verb] = &[
    binary!("add, +", "Sum.", f_add),
    binary!("sub, -", "Difference.", f_sub),
    binary!("mul, *", "Product, element by element.", f_mul),
    binary!(
        "div, /",
        "Quotient; of tensors of ints too a float. Of two plain ints Rhai takes the whole part: 3 / 2 is 1, so write 1.0 * ctx.step / ctx.steps.",
        f_div
    ),
    binary!(
        "remainder, %",
        "Remainder with the sign of the divisor.",
        f_remainder_tensor
    ),
    binary!("floor_divide", "Quotient rounded down.", f_floor_divide),
    binary!("pow, **", "Power.", f_pow),
    binary!("minimum", "The smaller of each two.", f_minimum),
    binary!("maximum", "The larger of each two.", f_maximum),
    verb(
        "atan2(y: Tensor, x: Tensor) -> Tensor",
        "The angle of each point (x, y), in -pi..=pi.",
        |a| a.tensor(0)?.f_atan2(&*a.tensor(1)?).give(),
    ),
    unary!("neg, -", "Each element negated.", f_neg),
    unary!("exp", "e to the power of each element.", f_exp),
    unary!("expm1", "exp(x) - 1, exact near 0.", f_expm1),
    unary!("log", "Natural logarithm.", f_log),
    unary!("log1p", "log(1 + x), exact near 0.", f_log1p),
    unary!("log2", "Logarithm to base 2.", f_log2),
    unary!("sqrt", "Square root.", f_sqrt),
    unary!("rsqrt", "1 / sqrt(x).", f_rsqrt),
    unary!("square", "x * x.", f_square),
    unary!("reciprocal", "1 / x.", f_reciprocal),
    unary!("abs", "Absolute value.", f_abs),
    unary!("sign", "-1, 0 or 1.", f_sign),
    unary!("sin", "Sine.", f_sin),
    unary!("cos", "Cosine.", f_cos),
    unary!("tan", "Tangent.", f_tan),
    unary!(
        "asin",
        "Angle of a sine. Its gradient is infinite at -1 and 1: clamp first.",
        f_asin
    ),
    unary!(
        "acos",
        "Angle of a cosine. Its gradient is infinite at -1 and 1: clamp first.",
        f_acos
    ),
    unary!("atan", "Angle of a tangent.", f_atan),
    unary!("tanh", "Hyperbolic tangent.", f_tanh),
    unary!("sigmoid", "1 / (1 + exp(-x)).", f_sigmoid),
    unary!("relu", "x, or 0 where it is negative.", f_relu),
    unary!("erf", "Error function.", f_erf),
    unary!("floor", "Rounded down.", f_floor),
    unary!("ceil", "Rounded up.", f_ceil),
    unary!("round", "Rounded to the nearest, halves to even.", f_round),
    unary!("trunc", "Rounded towards 0.", f_trunc),
    verb(
        "clamp, clip(x: Tensor, min: Tensor | number, max: Tensor | number = ()) -> Tensor",
        "No less than min and no more than max; either may be (), which sets no limit.",
        |a| {
            let low = bound(a, a.tensor(0)?.tensor(), 1, true)?;
            bound(a, &low, 2, false).give()
        },
    ),
    verb(
        "clamp_min(x: Tensor, min: Tensor | number) -> Tensor",
        "No less than min.",
        |a| bound(a, a.tensor(0)?.tensor(), 1, true).give(),
    ),
    verb(
        "clamp_max(x: Tensor, max: Tensor | number) -> Tensor",
        "No more than max.",
        |a| bound(a, a.tensor(0)?.tensor(), 1, false).give(),
    ),
    verb(
        "lerp(x: Tensor, end: Tensor, weight: Tensor | number) -> Tensor",
        "x + weight * (end - x).",
        |a| {
            let (x, end) = (a.tensor(0)?, a.tensor(1)?);
            let weight = a.operand(2)?.beside(x.f_kind()?)?;
            x.f_add(&end.f_sub(&x)?.f_mul(&weight)?).give()
        },
    ),
    verb(
        "nan_to_num(x: Tensor, nan: number = 0, posinf: number = (), neginf: number = ()) -> Tensor",
        "NaN and infinities replaced, infinities by the type's largest and least number where nothing is given.",
        |a| {
            let limit = |at: usize| {
                if a.given(at) {
                    a.float(at).map(Some)
                } else {
                    Ok(None)
                }
            };
            a.tensor(0)?
                .f_nan_to_num(a.float_or(1, 0.0)?, limit(2)?, limit(3)?)
                .give()
        },
    ),
];

/// `x` limited from below or above by an argument, which may be `()`.
fn bound(a: &Arguments<'_>, x: &Tensor, at: usize, below: bool) -> Result<Tensor, Fault> {
    if !a.given(at) {
        return Ok(x.shallow_clone());
    }
    let (kind, limit) = (x.f_kind()?, a.operand(at)?);
    if kind == Kind::Bool {
        return Err(said(
            "bools have no limits; convert them with 'float()' or 'long()'",
        ));
    }
    // A limit as tensor shares the gradient where x lies on it, and one as scalar passes it. With these types no scalar can fail,
    // since it fits (see `number`): beyond f32's range it is infinite.
    let number = match (&limit, kind) {
        (Operand::Int(number), Kind::Int64) => Some(Scalar::int(*number)),
        (Operand::Int(number), Kind::Float | Kind::Double) => Some(Scalar::float(*number as f64)),
        (Operand::Float(number), Kind::Double) => Some(Scalar::float(*number)),
        (Operand::Float(number), Kind::Int64 | Kind::Float) => {
            Some(Scalar::float(f64::from(*number as f32)))
        }
        _ => None,
    };
    Ok(match (number, below) {
        (Some(number), true) => x.f_clamp_min(number)?,
        (Some(number), false) => x.f_clamp_max(number)?,
        (None, true) => x.f_clamp_min_tensor(&*limit.beside(kind)?)?,
        (None, false) => x.f_clamp_max_tensor(&*limit.beside(kind)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::trial::{close, fails, numbers, text};

    #[test]
    fn operators_take_tensors_ints_and_floats_on_either_side() {
        assert_eq!(
            numbers("tensor([1.0, 2.0]) + tensor([3.0, 4.0])"),
            [4.0, 6.0]
        );
        assert_eq!(numbers("5 - tensor([1.0, 2.0])"), [4.0, 3.0]);
        assert_eq!(numbers("tensor([1.0, 2.0]) - 0.5"), [0.5, 1.5]);
        assert_eq!(numbers("2 * tensor([1.0, 2.0]) / 4"), [0.5, 1.0]);
        assert_eq!(numbers("1 / tensor([2, 4])"), [0.5, 0.25]);
        assert_eq!(numbers("tensor([5, -5]) % 3"), [2.0, 1.0]);
        assert_eq!(numbers("7 % tensor([4, 5])"), [3.0, 2.0]);
        assert_eq!(
            numbers("2 ** tensor([1.0, 3.0]) + tensor([2.0, 3.0]) ** 2"),
            [6.0, 17.0]
        );
        assert_eq!(numbers("-tensor([1, -2])"), [-1.0, 2.0]);
        assert_eq!(
            numbers("let x = tensor([1.0]); let y = x; x += 2; x *= x; cat([x, y])"),
            [9.0, 1.0]
        );
        assert_eq!(numbers("add(1, tensor([2]))"), [3.0]);
        assert_eq!(text("tensor([1, 2]) * 0.5"), "Tensor [2] float32: 0.5, 1");
        assert_eq!(text("tensor([3, 4]) / 2"), "Tensor [2] float32: 1.5, 2");
        assert_eq!(
            text("tensor([3, -3]).floor_divide(2)"),
            "Tensor [2] int64: 1, -2"
        );
    }

    #[test]
    fn wrong_operands_are_errors_that_name_verb_and_shapes() {
        let error = fails("zeros([2, 3]) + zeros([4])");
        assert!(
            error.starts_with("+: [2, 3] x [4]: The size of tensor a (3) must match"),
            "{error}"
        );
        assert_eq!(
            fails("zeros(2) * [1, 2]"),
            "*: 'y' must be Tensor | number, got array"
        );
        assert_eq!(
            fails("() - zeros(2)"),
            "-: 'x' must be Tensor | number, got ()"
        );
    }

    #[test]
    fn functions_agree_with_their_plain_counterparts() {
        let at = 0.3_f64;
        for (name, value) in [
            ("exp", at.exp()),
            ("expm1", at.exp_m1()),
            ("log", at.ln()),
            ("log1p", at.ln_1p()),
            ("log2", at.log2()),
            ("sqrt", at.sqrt()),
            ("rsqrt", 1.0 / at.sqrt()),
            ("square", at * at),
            ("reciprocal", 1.0 / at),
            ("sin", at.sin()),
            ("cos", at.cos()),
            ("tan", at.tan()),
            ("asin", at.asin()),
            ("acos", at.acos()),
            ("atan", at.atan()),
            ("tanh", at.tanh()),
            ("sigmoid", 1.0 / (1.0 + (-at).exp())),
            ("erf", 0.328_626_759_459_127),
        ] {
            close(&format!("tensor([0.3]).{name}()"), &[value]);
        }
        assert_eq!(
            numbers("tensor([-1.5, 0.5, 2.5]).round()"),
            [-2.0, 0.0, 2.0]
        );
        assert_eq!(
            numbers("tensor([-1.5, 0.5]).floor() + tensor([-1.5, 0.5]).ceil()"),
            [-3.0, 1.0]
        );
        assert_eq!(
            numbers("tensor([-1.5, 0.5]).trunc().abs() + tensor([-1.5, 0.5]).sign()"),
            [0.0, 1.0]
        );
        assert_eq!(numbers("tensor([-1.5, 0.5]).relu()"), [0.0, 0.5]);
        close(
            "tensor([1.0]).atan2(tensor([1.0]))",
            &[std::f64::consts::FRAC_PI_4],
        );
    }

    #[test]
    fn limits_may_be_numbers_tensors_or_absent() {
        assert_eq!(numbers("arange(4).clamp(1, 2)"), [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(numbers("arange(4).clamp((), 2)"), [0.0, 1.0, 2.0, 2.0]);
        assert_eq!(
            numbers("arange(2).clamp_min(tensor([1, 0])).clamp_max(0.5)"),
            [0.5, 0.5]
        );
        assert_eq!(
            numbers("arange(3).maximum(1) - minimum(arange(3), tensor([0, 0, 5]))"),
            [1.0, 1.0, 0.0]
        );
        assert_eq!(numbers("minimum(1, arange(3))"), [0.0, 1.0, 1.0]);
        assert_eq!(numbers("tensor([0.0]).lerp(tensor([2.0]), 0.25)"), [0.5]);
        assert_eq!(
            numbers("tensor([0.0]).lerp(tensor([2.0]), tensor([1]).float())"),
            [2.0]
        );
        assert_eq!(
            numbers("(tensor([0.0, 1.0]) / 0).nan_to_num(7, 8)"),
            [7.0, 8.0]
        );
    }
}
