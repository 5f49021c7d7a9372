//! Arithmetic, element by element, with broadcasting.

use tch::{Scalar, TchError, Tensor};

use super::arguments::{Answer, Arguments, Give, Operand, said};
use super::verb::{Verb, verb};

type Done = Result<Tensor, TchError>;

/// A verb on one tensor.
macro_rules! unary {
    ($names:literal, $doc:literal, $run:ident) => {
        verb(concat!($names, "(x: Tensor) -> Tensor"), $doc, |a| {
            a.tensor(0)?.$run().give()
        })
    };
}

/// A verb on two operands, of which at least one is a tensor: for two tensors, with a number on the right, and on the left.
macro_rules! binary {
    ($names:literal, $doc:literal, $both:expr, $right:expr, $left:expr) => {
        verb(
            concat!($names, "(x: Tensor | number, y: Tensor | number) -> Tensor"),
            $doc,
            |a| a.binary($both, $right, $left),
        )
    };
}

pub(super) const VERBS: &[Verb] = &[
    binary!(
        "add, +",
        "Sum.",
        Tensor::f_add,
        |x, s| x.f_add_scalar(s),
        |s, x| x.f_add_scalar(s)
    ),
    binary!(
        "sub, -",
        "Difference.",
        Tensor::f_sub,
        |x, s| x.f_sub_scalar(s),
        |s, x| x.f_rsub_scalar(s)
    ),
    binary!(
        "mul, *",
        "Product, element by element.",
        Tensor::f_mul,
        |x, s| x.f_mul_scalar(s),
        |s, x| x.f_mul_scalar(s)
    ),
    binary!(
        "div, /",
        "Quotient; of ints too a float.",
        Tensor::f_div,
        |x, s| x.f_div_scalar(s),
        |s, x| { x.f_reciprocal()?.f_mul_scalar(s) }
    ),
    binary!(
        "remainder, %",
        "Remainder with the sign of the divisor.",
        Tensor::f_remainder_tensor,
        |x, s| x.f_remainder(s),
        Tensor::f_remainder_scalar_tensor
    ),
    binary!(
        "pow, **",
        "Power.",
        Tensor::f_pow,
        |x, s| x.f_pow_tensor_scalar(s),
        Tensor::f_pow_scalar
    ),
    binary!(
        "minimum",
        "The smaller of each two.",
        Tensor::f_minimum,
        |x, s| x.f_clamp_max(s),
        |s, x| x.f_clamp_max(s)
    ),
    binary!(
        "maximum",
        "The larger of each two.",
        Tensor::f_maximum,
        |x, s| x.f_clamp_min(s),
        |s, x| x.f_clamp_min(s)
    ),
    verb(
        "floor_divide(x: Tensor, y: Tensor | number) -> Tensor",
        "Quotient rounded down.",
        |a| {
            let (x, y) = (a.tensor(0)?, a.operand(1)?);
            match (y.scalar(), y) {
                (_, Operand::Tensor(y)) => x.f_floor_divide(&y).give(),
                (Some(number), _) => x.f_floor_divide_scalar(number).give(),
                _ => Err(said("no divisor")),
            }
        },
    ),
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
            match a.operand(2)? {
                Operand::Tensor(weight) => x.f_lerp_tensor(&end, &weight).give(),
                _ => x.f_lerp(&end, a.float(2)?).give(),
            }
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

impl Arguments<'_> {
    /// The first two arguments, of which at least one is a tensor, so that numbers keep PyTorch's rules of types.
    pub(super) fn binary(
        &self,
        both: fn(&Tensor, &Tensor) -> Done,
        right: fn(&Tensor, Scalar) -> Done,
        left: fn(Scalar, &Tensor) -> Done,
    ) -> Answer {
        match (self.operand(0)?, self.operand(1)?) {
            (Operand::Tensor(x), Operand::Tensor(y)) => both(&x, &y).give(),
            (Operand::Tensor(x), y) => y
                .scalar()
                .map_or_else(|| Err(said("no number")), |s| right(&x, s).give()),
            (x, Operand::Tensor(y)) => x
                .scalar()
                .map_or_else(|| Err(said("no number")), |s| left(s, &y).give()),
            _ => Err(said("needs a tensor on one side")),
        }
    }
}

/// `x` limited from below or above by an argument, which may be `()`.
fn bound(
    a: &Arguments<'_>,
    x: &Tensor,
    at: usize,
    below: bool,
) -> Result<Tensor, super::arguments::Fault> {
    if !a.given(at) {
        return Ok(x.shallow_clone());
    }
    let limit = a.operand(at)?;
    Ok(match (limit.scalar(), limit) {
        (Some(number), _) if below => x.f_clamp_min(number)?,
        (Some(number), _) => x.f_clamp_max(number)?,
        (None, Operand::Tensor(limit)) if below => x.f_clamp_min_tensor(&limit)?,
        (None, Operand::Tensor(limit)) => x.f_clamp_max_tensor(&limit)?,
        (None, _) => return Err(said("no limit")),
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
