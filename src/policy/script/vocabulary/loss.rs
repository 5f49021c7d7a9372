//! Losses, and what they are made of.

use tch::{Reduction, Tensor};

use super::answer::{Fault, Give, said};
use super::arguments::Arguments;
use super::guard;
use super::verb::{Verb, verb};

pub(super) const VERBS: &[Verb] = &[
    verb(
        "cross_entropy(logits: Tensor, target: Tensor, reduction: string = \"mean\", ignore_index: int = -100, \
         label_smoothing: number = 0) -> Tensor",
        "-log softmax(logits)[target] of logits [B, C] and classes [B] i64, or of probabilities [B, C].",
        |a| {
            let (logits, target, ignored) = (a.tensor(0)?, a.tensor(1)?, a.int_or(3, -100)?);
            if logits.dim() > 0 && !target.is_floating_point() {
                guard::classes(
                    &target,
                    guard::size(&logits, if logits.dim() > 1 { 1 } else { 0 })?,
                    ignored,
                )?;
            }
            let reduction = reduction(a, 2)?;
            logits
                .f_cross_entropy_loss(
                    &target,
                    None::<Tensor>,
                    reduction,
                    ignored,
                    a.float_or(4, 0.0)?,
                )
                .give()
        },
    ),
    verb(
        "binary_cross_entropy_with_logits(logits: Tensor, target: Tensor, reduction: string = \"mean\") -> Tensor",
        "-(target * log sigmoid(x) + (1 - target) * log sigmoid(-x)).",
        |a| {
            let (logits, target) = (a.tensor(0)?, a.tensor(1)?);
            let target = target.f_to_kind(logits.f_kind()?)?;
            logits
                .f_binary_cross_entropy_with_logits(
                    &target,
                    None::<Tensor>,
                    None::<Tensor>,
                    reduction(a, 2)?,
                )
                .give()
        },
    ),
    verb(
        "kl_div(log_q: Tensor, p: Tensor, reduction: string = \"mean\") -> Tensor",
        "p * (log p - log_q), element by element; PyTorch's \"batchmean\" is the sum divided by the rows.",
        |a| {
            a.tensor(0)?
                .f_kl_div(&*a.tensor(1)?, reduction(a, 2)?, false)
                .give()
        },
    ),
    verb(
        "smooth_l1_loss(x: Tensor, y: Tensor, reduction: string = \"mean\", beta: number = 1) -> Tensor",
        "Squared differences below beta, absolute ones above.",
        |a| {
            a.tensor(0)?
                .f_smooth_l1_loss(&*a.tensor(1)?, reduction(a, 2)?, a.float_or(3, 1.0)?)
                .give()
        },
    ),
    verb(
        "logsigmoid(x: Tensor) -> Tensor",
        "log(sigmoid(x)), without underflow.",
        |a| a.tensor(0)?.f_log_sigmoid().give(),
    ),
    verb(
        "softplus(x: Tensor) -> Tensor",
        "log(1 + exp(x)), without overflow.",
        |a| a.tensor(0)?.f_softplus().give(),
    ),
];

fn reduction(a: &Arguments<'_>, at: usize) -> Result<Reduction, Fault> {
    if !a.given(at) {
        return Ok(Reduction::Mean);
    }
    let name = a.text(at)?;
    match name.as_str() {
        "mean" => Ok(Reduction::Mean),
        "sum" => Ok(Reduction::Sum),
        "none" => Ok(Reduction::None),
        _ => Err(said(format!(
            "unknown reduction '{name}', known are mean, sum, none"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{close, fails};

    #[test]
    fn cross_entropy_is_minus_the_log_of_the_softmax() {
        let (a, b) = (1.0_f64.exp(), 2.0_f64.exp());
        let (first, second) = (-(a / (a + b)).ln(), -(b / (a + b)).ln());
        let logits = "let x = tensor([[1.0, 2.0], [1.0, 2.0]]); let t = tensor([0, 1]);";
        close(
            &format!("{logits} x.cross_entropy(t)"),
            &[(first + second) / 2.0],
        );
        close(
            &format!("{logits} cross_entropy(x, t, \"none\")"),
            &[first, second],
        );
        close(
            &format!("{logits} cross_entropy(x, tensor([0, -1]), \"sum\", -1)"),
            &[first],
        );
        close(
            &format!("{logits} cross_entropy(x, tensor([[0.0, 1.0], [0.0, 1.0]]))"),
            &[second],
        );
        let error = fails(&format!("{logits} x.cross_entropy(tensor([0, 2]))"));
        assert!(
            error.starts_with("cross_entropy: [2, 2] x [2]: "),
            "{error}"
        );
        let error = fails(&format!("{logits} x.cross_entropy(t, \"avg\")"));
        assert_eq!(
            error,
            "cross_entropy: unknown reduction 'avg', known are mean, sum, none"
        );
    }

    #[test]
    fn sigmoid_losses_match_their_definition() {
        let sigmoid = 1.0 / (1.0 + (-0.7_f64).exp());
        close(
            "tensor([0.7]).binary_cross_entropy_with_logits(tensor([1]))",
            &[-sigmoid.ln()],
        );
        close("tensor([0.7]).logsigmoid()", &[sigmoid.ln()]);
        close("tensor([-0.7]).softplus()", &[-sigmoid.ln()]);
        close(
            "tensor([0.25, 0.75]).log().kl_div(tensor([0.5, 0.5]), \"sum\")",
            &[0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln()],
        );
        close(
            "tensor([0.5, 3.0]).smooth_l1_loss(zeros(2), \"none\")",
            &[0.125, 2.5],
        );
    }
}
