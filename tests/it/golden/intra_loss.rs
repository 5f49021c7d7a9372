//! MoCo's loss and its gradient against the reference.

use sandbox::bank::unit_rows;
use sandbox::method::{Margin, info_nce};

/// Compares the loss and the gradient with respect to the raw queries.
pub(crate) fn check(case: &super::Case) {
    let margin = match case.text("margin_kind") {
        "none" => Margin::None,
        "cosine" => Margin::Cosine(case.number("margin")),
        "arc" => Margin::Arc(case.number("margin")),
        other => panic!("{}: unknown margin_kind '{other}'", case.file),
    };
    let query = case.tensor("q").copy().set_requires_grad(true);
    let loss = info_nce(
        &unit_rows(&query),
        &unit_rows(case.tensor("k")),
        case.tensor("queue"),
        case.number("temperature"),
        &margin,
    );
    loss.backward();
    case.close("loss", &loss.detach(), case.tensor("loss"));
    case.close("grad_q", &query.grad(), case.tensor("grad_q"));
}
