//! FGSM and PGD, as torchattacks computes them against victims that the files hold.

use sandbox::eval::robustness::{Norm, Pgd, fgsm, gradient};
use tch::{Kind, Tensor};

use super::Case;

/// The logits of the case's victim.
fn victim(case: &Case) -> impl Fn(&Tensor) -> Tensor {
    |images: &Tensor| {
        let maps = match case.tensors.get("conv_weight") {
            Some(weight) => images
                .conv2d(weight, Some(case.tensor("conv_bias")), 1, 1, 1, 1)
                .softplus()
                .avg_pool2d(2, 2, 0, false, true, None),
            None => images.shallow_clone(),
        };
        let flat = maps.flatten(1, -1);
        flat.matmul(&case.tensor("weight").tr()) + case.tensor("bias")
    }
}

/// What a file holds of the victim before the attack, and the attacked images.
fn check_attacked(case: &Case, adversarial: &Tensor) {
    let (images, labels) = (case.tensor("images"), case.tensor("labels"));
    let victim = victim(case);
    for (at, name) in [(images, ""), (adversarial, "adversarial_")] {
        let logits = victim(at);
        let name = |what: &str| format!("{name}{what}");
        case.close("logits", &logits, case.tensor(&name("logits")));
        let loss = logits.cross_entropy_for_logits(labels);
        case.close("loss", &loss, case.tensor(&name("loss")));
    }
    let slope = gradient(images, labels, &victim);
    case.close("gradient", &slope, case.tensor("gradient"));
    let expected = case.tensor("adversarial");
    let off = (adversarial - expected).abs().gt(1e-5);
    let share = off.to_kind(Kind::Double).mean(Kind::Double);
    let share = share.double_value(&[]);
    assert!(share <= 1e-3, "{share} of the pixels differ");
    case.within(
        1e-3,
        "adversarial",
        &adversarial.mean(None),
        &expected.mean(None),
    );
}

pub(crate) fn check_fgsm(case: &Case) {
    let (images, labels) = (case.tensor("images"), case.tensor("labels"));
    let attacked = fgsm(images, labels, case.number("eps"), victim(case));
    check_attacked(case, &attacked.unwrap());
}

/// From the start that the file holds, which a library drew.
pub(crate) fn check_pgd(case: &Case) {
    let (images, labels) = (case.tensor("images"), case.tensor("labels"));
    let pgd = Pgd {
        norm: Norm::Max,
        eps: case.number("eps"),
        alpha: case.number("alpha"),
        steps: case.number("steps") as u64,
        random_start: case.text("random_start") == "true",
    };
    let start = case.tensor("start");
    let attacked = pgd.ascend(images, start, |images, _| {
        gradient(images, labels, victim(case))
    });
    check_attacked(case, &attacked.unwrap());
    if !pgd.random_start {
        let whole = pgd.attack(
            images,
            labels,
            victim(case),
            0,
            &vec![0; images.size()[0] as usize],
        );
        check_attacked(case, &whole.unwrap());
    }
}
