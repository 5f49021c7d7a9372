//! Verbs that reduce dimensions, and those that normalise along one.

use tch::{Kind, Reduction, TchError, Tensor};

use super::answer::{Answer, Fault, Give, said};
use super::arguments::Arguments;
use super::guard;
use super::verb::{Verb, verb};

/// No type is asked for; libtorch keeps floats and counts in int64.
const SAME: Option<Kind> = None;

/// A reduction over all dimensions, some, or one.
macro_rules! reduction {
    ($names:literal, $doc:literal, $run:expr) => {
        verb(
            concat!(
                $names,
                "(x: Tensor, dim: int | array = (), keepdim: bool = false) -> Tensor"
            ),
            concat!($doc, " Over all dimensions, or over those given."),
            |a| {
                let x = a.tensor(0)?;
                let run: fn(&Tensor, &[i64], bool) -> Result<Tensor, TchError> = $run;
                run(&x, &a.dims(1, &x)?, a.flag(2)?).give()
            },
        )
    };
}

/// A verb along one dimension, by default the last.
macro_rules! along {
    ($names:literal, $doc:literal, $run:expr) => {
        verb(
            concat!($names, "(x: Tensor, dim: int = -1) -> Tensor"),
            $doc,
            |a| {
                let run: fn(&Tensor, i64) -> Result<Tensor, TchError> = $run;
                run(a.tensor(0)?.tensor(), a.int_or(1, -1)?).give()
            },
        )
    };
}

pub(super) const VERBS: &[Verb] = &[
    reduction!("sum", "Sum.", |x, dims, keep| x
        .f_sum_dim_intlist(dims, keep, SAME)),
    reduction!("mean", "Mean.", |x, dims, keep| x
        .f_mean_dim(dims, keep, SAME)),
    reduction!(
        "amax",
        "Largest value; its gradient is shared among equals.",
        |x, dims, keep| x.f_amax(dims, keep)
    ),
    reduction!(
        "amin",
        "Smallest value; its gradient is shared among equals.",
        |x, dims, keep| x.f_amin(dims, keep)
    ),
    reduction!("any", "Whether one is true.", |x, dims, keep| x
        .f_any_dims(dims, keep)),
    reduction!("all", "Whether all are true.", |x, dims, keep| x
        .f_all_dims(dims, keep)),
    reduction!(
        "logsumexp",
        "log(sum(exp(x))), without overflow.",
        |x, dims, keep| x.f_logsumexp(dims, keep)
    ),
    reduction!("count_nonzero", "How many are not 0.", |x, dims, keep| x
        .f_ne(0)?
        .f_sum_dim_intlist(dims, keep, SAME)),
    verb(
        "std(x: Tensor, dim: int | array = (), keepdim: bool = false, unbiased: bool = true) -> Tensor",
        "Standard deviation, with n - 1 in the denominator, or n if not unbiased.",
        |a| {
            let x = a.tensor(0)?;
            x.f_std_dim(a.dims(1, &x)?.as_slice(), a.flag_or(3, true)?, a.flag(2)?)
                .give()
        },
    ),
    verb(
        "var(x: Tensor, dim: int | array = (), keepdim: bool = false, unbiased: bool = true) -> Tensor",
        "Variance, with n - 1 in the denominator, or n if not unbiased.",
        |a| {
            let x = a.tensor(0)?;
            x.f_var_dim(a.dims(1, &x)?.as_slice(), a.flag_or(3, true)?, a.flag(2)?)
                .give()
        },
    ),
    verb(
        "norm(x: Tensor, dim: int | array = (), keepdim: bool = false, p: number = 2) -> Tensor",
        "The p-norm. PyTorch's x.norm(p, dim) is x.norm(dim, false, p) here.",
        |a| {
            let x = a.tensor(0)?;
            norm(&x, a.float_or(3, 2.0)?, &a.dims(1, &x)?, a.flag(2)?).give()
        },
    ),
    verb(
        "max(x: Tensor, dim: int | Tensor = (), keepdim: bool = false) -> Tensor",
        "Largest value, of all or along a dimension (values only: see argmax); with a tensor, the larger of each two.",
        |a| extremum(a, Tensor::f_max, Tensor::f_max_dim, Tensor::f_maximum),
    ),
    verb(
        "min(x: Tensor, dim: int | Tensor = (), keepdim: bool = false) -> Tensor",
        "Smallest value, of all or along a dimension (values only: see argmin); with a tensor, the smaller of each two.",
        |a| extremum(a, Tensor::f_min, Tensor::f_min_dim, Tensor::f_minimum),
    ),
    verb(
        "median(x: Tensor, dim: int = (), keepdim: bool = false) -> Tensor",
        "Median, the lower of two, of all or along a dimension (values only).",
        |a| {
            let x = a.tensor(0)?;
            if !a.given(1) {
                return x.f_median().give();
            }
            x.f_median_dim(a.int(1)?, a.flag(2)?)
                .map(|(values, _)| values)
                .give()
        },
    ),
    verb(
        "quantile(x: Tensor, q: number, dim: int = (), keepdim: bool = false) -> Tensor",
        "The q-th quantile, 0 <= q <= 1, between two values linear.",
        |a| {
            let dim = if a.given(2) { Some(a.int(2)?) } else { None };
            a.tensor(0)?
                .f_quantile_scalar(a.float(1)?, dim, a.flag(3)?, "linear")
                .give()
        },
    ),
    verb(
        "argmax(x: Tensor, dim: int = (), keepdim: bool = false) -> Tensor",
        "Where the largest value is, i64.",
        |a| a.tensor(0)?.f_argmax(dim(a)?, a.flag(2)?).give(),
    ),
    verb(
        "argmin(x: Tensor, dim: int = (), keepdim: bool = false) -> Tensor",
        "Where the smallest value is, i64.",
        |a| a.tensor(0)?.f_argmin(dim(a)?, a.flag(2)?).give(),
    ),
    verb(
        "prod(x: Tensor, dim: int = (), keepdim: bool = false) -> Tensor",
        "Product, of all or along a dimension.",
        |a| {
            let x = a.tensor(0)?;
            if a.given(1) {
                x.f_prod_dim_int(a.int(1)?, a.flag(2)?, SAME).give()
            } else {
                x.f_prod(SAME).give()
            }
        },
    ),
    along!("cumsum", "Sum of all entries up to each.", |x, dim| x
        .f_cumsum(dim, SAME)),
    along!("cumprod", "Product of all entries up to each.", |x, dim| x
        .f_cumprod(dim, SAME)),
    along!("softmax", "exp(x) / sum(exp(x)).", |x, dim| x
        .f_softmax(dim, SAME)),
    along!("log_softmax", "x - logsumexp(x).", |x, dim| x
        .f_log_softmax(dim, SAME)),
    verb(
        "normalize(x: Tensor, dim: int = -1) -> Tensor",
        "Divided by its 2-norm along a dimension, or by 1e-12 where that is less.",
        |a| {
            let x = a.tensor(0)?;
            let norm = norm(&x, 2.0, &[a.int_or(1, -1)?], true)?;
            x.f_div(&norm.f_clamp_min(1e-12)?).give()
        },
    ),
    verb(
        "cosine_similarity(x: Tensor, y: Tensor, dim: int = -1) -> Tensor",
        "The cosine of the angle between x and y along a dimension.",
        |a| {
            Tensor::f_cosine_similarity(&*a.tensor(0)?, &*a.tensor(1)?, a.int_or(2, -1)?, 1e-8)
                .give()
        },
    ),
    verb(
        "mse, mse_loss(x: Tensor, y: Tensor) -> Tensor",
        "Mean of the squared differences.",
        |a| {
            a.tensor(0)?
                .f_mse_loss(&*a.tensor(1)?, Reduction::Mean)
                .give()
        },
    ),
];

/// The p-norm over dimensions.
pub(super) fn norm(x: &Tensor, p: f64, dims: &[i64], keepdim: bool) -> Result<Tensor, Fault> {
    // Checked here, since the method takes a scalar: see `number`.
    if !x.is_floating_point() {
        return Err(said(format!(
            "needs floats, got {:?}; convert them with 'float()'",
            x.f_kind()?
        )));
    }
    let mut axes = dims
        .iter()
        .map(|&dim| guard::axis(x, dim))
        .collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    if axes.len() < dims.len() {
        return Err(said(format!("'dim' names a dimension twice: {dims:?}")));
    }
    if (p.is_infinite() || p < 0.0) && axes.iter().any(|&axis| x.size()[axis] == 0) {
        return Err(said(format!(
            "this norm of no elements does not exist, the tensor has shape {:?}",
            x.size()
        )));
    }
    Ok(x.f_norm_scalaropt_dim(p, dims, keepdim)?)
}

fn dim(a: &Arguments<'_>) -> Result<Option<i64>, Fault> {
    if a.given(1) {
        a.int(1).map(Some)
    } else {
        Ok(None)
    }
}

/// Values and their indices along a dimension, which may be kept.
type Along = fn(&Tensor, i64, bool) -> Result<(Tensor, Tensor), TchError>;

fn extremum(
    a: &Arguments<'_>,
    all: fn(&Tensor) -> Result<Tensor, TchError>,
    along: Along,
    other: fn(&Tensor, &Tensor) -> Result<Tensor, TchError>,
) -> Answer {
    let x = a.tensor(0)?;
    if !a.given(1) {
        return if a.flag(2)? {
            Err(said("'keepdim' needs a 'dim'"))
        } else {
            all(&x).give()
        };
    }
    match a.tensor(1) {
        Ok(y) => other(&x, &y).give(),
        Err(_) => along(&x, a.int(1)?, a.flag(2)?)
            .map(|(values, _)| values)
            .give(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{close, fails, ints, numbers, text};

    const X: &str = "let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]]);";

    #[test]
    fn reductions_take_all_some_or_one_dimension() {
        for (call, expected) in [
            ("sum()", vec![24.0]),
            ("sum(0)", vec![5.0, 7.0, 12.0]),
            ("sum([0, 1])", vec![24.0]),
            ("sum((), true)", vec![24.0]),
            ("mean(1)", vec![2.0, 6.0]),
            ("mean(-1)", vec![2.0, 6.0]),
            ("amax(0)", vec![4.0, 5.0, 9.0]),
            ("amin(1)", vec![1.0, 4.0]),
            ("max()", vec![9.0]),
            ("max(1)", vec![3.0, 9.0]),
            ("max(x - 1 + 2)", vec![2.0, 3.0, 4.0, 5.0, 6.0, 10.0]),
            ("min(0, true)", vec![1.0, 2.0, 3.0]),
            ("argmax()", vec![5.0]),
            ("argmax(1)", vec![2.0, 2.0]),
            ("argmin(0)", vec![0.0, 0.0, 0.0]),
            ("prod()", vec![1080.0]),
            ("prod(1)", vec![6.0, 180.0]),
            ("median(1)", vec![2.0, 5.0]),
            ("median()", vec![3.0]),
            ("quantile(0.5, 1)", vec![2.0, 5.0]),
            ("cumsum(1)", vec![1.0, 3.0, 6.0, 4.0, 9.0, 18.0]),
            ("cumprod(0)", vec![1.0, 2.0, 3.0, 4.0, 10.0, 27.0]),
            ("var(1)", vec![1.0, 7.0]),
            ("var(1, false, false)", vec![2.0 / 3.0, 14.0 / 3.0]),
            ("std(1)", vec![1.0, 7.0_f64.sqrt()]),
            ("norm()", vec![136.0_f64.sqrt()]),
            ("norm(1, true, 1)", vec![6.0, 18.0]),
            ("count_nonzero(1)", vec![3.0, 3.0]),
        ] {
            close(&format!("{X} x.{call}"), &expected);
        }
        assert_eq!(ints(&format!("{X} x.sum(1, true).shape")), [2, 1]);
        assert_eq!(ints(&format!("{X} x.logsumexp(0, true).shape")), [1, 3]);
        assert_eq!(text("(arange(3) > 1).any()"), "Tensor [] bool: true");
        assert_eq!(
            text("(arange(3) > 1).all((), true)"),
            "Tensor [1] bool: false"
        );
        assert_eq!(text("(arange(3) > 1).sum()"), "Tensor [] int64: 1");
    }

    #[test]
    fn a_missing_dimension_is_an_error() {
        let error = fails(&format!("{X} x.sum(2)"));
        assert!(
            error.starts_with("sum: [2, 3]: Dimension out of range"),
            "{error}"
        );
        assert_eq!(
            fails(&format!("{X} x.sum(0.5)")),
            "sum: 'dim' must be int | array, got float"
        );
        assert_eq!(
            fails(&format!("{X} x.norm(2, 1)")),
            "norm: 'keepdim' must be bool, got int"
        );
        assert_eq!(
            fails(&format!("{X} x.max((), true)")),
            "max: 'keepdim' needs a 'dim'"
        );
    }

    #[test]
    fn rows_are_normalised_along_the_last_dimension() {
        let (a, b) = (1.0_f64.exp(), 2.0_f64.exp());
        close("tensor([1.0, 2.0]).softmax()", &[a / (a + b), b / (a + b)]);
        close(
            "tensor([1.0, 2.0]).log_softmax(0)",
            &[(a / (a + b)).ln(), (b / (a + b)).ln()],
        );
        close("tensor([1.0, 2.0]).logsumexp()", &[(a + b).ln()]);
        close(
            "tensor([[3.0, 4.0], [0.0, 0.0]]).normalize()",
            &[0.6, 0.8, 0.0, 0.0],
        );
        close("tensor([[3.0], [4.0]]).normalize(0)", &[0.6, 0.8]);
        close(
            "cosine_similarity(tensor([[3.0, 4.0]]), tensor([[1.0, 0.0]]))",
            &[0.6],
        );
        assert_eq!(numbers("tensor([1.0, 3.0]).mse(tensor([0.0, 0.0]))"), [5.0]);
    }

    #[test]
    fn var_is_a_word_although_rhai_reserves_it() {
        close("var(tensor([1.0, 3.0]))", &[2.0]);
    }
}
