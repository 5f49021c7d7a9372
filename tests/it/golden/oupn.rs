//! OUPN against its official code: the memory frame by frame, what is read from it, the losses, and a whole window with its gradients.

use sandbox::method::oupn::{
    Comparison, Course, Decision, Failed, Frames, Learnt, Memory, Paper, Placement, Read, Relaxed,
    Rules, Seen, Similarity, Step, Weights, losses,
};
use tch::{Device, Kind, Tensor};

use super::Case;

/// The rules of the official code's options: those of the paper, unless `min_dist` is false.
struct Official {
    /// Whether all prototypes count, by the logarithm of the sum of their exponentials.
    all: bool,
}

impl Rules for Official {
    fn novelty(&mut self, read: &Read<'_>) -> Result<Tensor, Failed> {
        Ok(match self.all {
            false => Paper::novelty(read),
            true => {
                let nearest = read.scores.logsumexp([1i64].as_slice(), false).detach();
                (-nearest - read.beta) / read.gamma
            }
        })
    }

    fn placement(&mut self, read: &Read<'_>, new: &Tensor) -> Result<Placement, Failed> {
        Ok(Paper::placement(read, new))
    }
}

fn yes(case: &Case, name: &str) -> bool {
    case.metadata.get(name).is_some_and(|value| value == "true")
}

fn scalar(value: f64) -> Tensor {
    Tensor::from(value as f32).set_requires_grad(true)
}

/// The pair `beta`, `gamma` with that ending, and tau.
fn learnt(case: &Case, ending: &str) -> Learnt {
    let number = |name: &str| scalar(case.number(&format!("{name}{ending}")));
    Learnt {
        beta: number("beta"),
        gamma: number("gamma"),
        tau: scalar(case.number("tau")),
    }
}

fn comparison(case: &Case) -> Comparison {
    Comparison {
        similarity: match case.text("similarity") {
            "cosine" => Similarity::Cosine,
            "euclidean" => Similarity::Euclidean,
            other => panic!("similarity is '{other}'"),
        },
        weighted: yes(case, "mixture_weight"),
    }
}

fn official(case: &Case) -> Official {
    let nearest = case.metadata.get("min_dist");
    Official {
        all: nearest.is_some_and(|value| value == "false"),
    }
}

/// The memory that a case begins with, for one stream where it has no dimension of streams.
fn start(case: &Case) -> Memory {
    let Some(prototypes) = case.tensors.get("prototypes_0") else {
        let size = |name: &str| case.number(name) as i64;
        return Memory::empty([1, size("K"), size("D")], Device::Cpu);
    };
    let streams = prototypes.dim() == 3;
    let part = |name: &str| {
        let part = case.tensor(name).shallow_clone();
        if streams { part } else { part.unsqueeze(0) }
    };
    Memory {
        prototypes: part("prototypes_0"),
        usage: part("usage_0"),
        age: part("age_0"),
    }
}

/// Scores and logit of queries, with the gradients of their sum with the cotangent.
pub(crate) fn check_read(case: &Case) {
    let leaf = |name: &str| case.tensor(name).copy().set_requires_grad(true);
    let (queries, prototypes) = (leaf("queries"), leaf("prototypes"));
    let (count, usage) = (queries.size()[0], case.tensor("usage"));
    let memory = Memory {
        prototypes: prototypes.unsqueeze(0).expand([count, -1, -1], false),
        usage: usage.unsqueeze(0).expand([count, -1], false),
        age: usage.unsqueeze(0).expand([count, -1], false),
    };
    let learnt = learnt(case, "");
    let scores = memory.scores(&queries, &learnt.tau, comparison(case));
    let read = Read {
        scores: &scores,
        usage: &memory.usage,
        age: &memory.age,
        beta: &learnt.beta,
        gamma: &learnt.gamma,
        frame: 0,
    };
    let logit = official(case).novelty(&read).unwrap();
    case.close("logits", &scores.detach(), case.tensor("logits"));
    case.close(
        "unknown_logit",
        &logit.detach(),
        case.tensor("unknown_logit"),
    );
    let both = Tensor::cat(&[&scores, &logit.unsqueeze(1)], 1);
    (both * case.tensor("cotangent"))
        .sum(Kind::Float)
        .backward();
    let found = [
        ("grad_queries", &queries),
        ("grad_prototypes", &prototypes),
        ("grad_beta", &learnt.beta),
        ("grad_gamma", &learnt.gamma),
        ("grad_tau", &learnt.tau),
    ];
    compare_gradients(case, &found);
}

/// Those gradients that the case has; one that is not defined is zero.
fn compare_gradients(case: &Case, found: &[(&str, &Tensor)]) {
    for (name, leaf) in found {
        let Some(expected) = case.tensors.get(*name) else {
            continue;
        };
        let got = match leaf.grad().defined() {
            true => leaf.grad(),
            false => leaf.zeros_like(),
        };
        case.close(name, &got, expected);
    }
}

/// A stream frame by frame: labelled ones are written to their prototype, the others decided.
pub(crate) fn check_memory(case: &Case) {
    let course = Course {
        comparison: comparison(case),
        decay: case.number("rho"),
        threshold: case.number("threshold"),
        symmetric: false,
    };
    let write = learnt(case, "_w");
    let creates = yes(case, "create_unk");
    let relaxed = yes(case, "straight_through") && case.text("mode") == "training";
    let (frames, labels) = (case.tensor("frames"), case.tensor("labels"));
    let unlabelled = case.number("unlabelled_label") as i64;
    let mut memory = start(case);
    for at in 0..frames.size()[0] {
        let (frame, label) = (frames.narrow(0, at, 1), labels.narrow(0, at, 1));
        let decision = match relaxed {
            false => Decision::Plain,
            true => {
                let noise = case.tensor("logistic_noise").narrow(0, at, 1);
                Decision::Sampled(noise, case.number("relaxed_temperature"))
            }
        };
        let step = course
            .step(
                &memory,
                (&frame, at as u64),
                &write,
                decision,
                &mut official(case),
            )
            .unwrap();
        let mut logit = step.logit.shallow_clone();
        memory = match label.int64_value(&[0]) != unlabelled {
            true => memory.write_labelled(&frame, &label, course.decay),
            false if !creates => no_prototype(&memory, &frame, &step, course.decay),
            false => step.memory,
        };
        if !creates {
            let read = learnt(case, "");
            logit = (-step.scores.amax([1i64].as_slice(), false) - &read.beta) / &read.gamma;
        }
        let expected = |name: &str| case.tensor(name).narrow(0, at, 1);
        let found = [
            ("logits", &step.scores),
            ("unknown_logit", &logit),
            ("new", &step.new),
            ("prototypes", &memory.prototypes),
            ("usage", &memory.usage),
            ("age", &memory.age),
        ];
        for (name, found) in found {
            case.close(&format!("{name}[{at}]"), &found.detach(), &expected(name));
        }
    }
}

/// What the official code does where new frames get no prototype.
fn no_prototype(memory: &Memory, frame: &Tensor, step: &Step, decay: f64) -> Memory {
    let old: Tensor = 1.0 - step.logit.sigmoid();
    let placement = Placement {
        share: step.scores.softmax(1, Kind::Float) * old.unsqueeze(1),
        place: Tensor::zeros([1], (Kind::Int64, Device::Cpu)),
    };
    let old = Tensor::zeros([1], (Kind::Float, Device::Cpu));
    memory.write(frame, &old, &placement, decay)
}

fn weights(case: &Case) -> Weights {
    Weights {
        entropy: case.number("w_entropy"),
        new: case.number("w_new"),
        new_entropy: case.number("w_new_entropy"),
        target: case.number("mu"),
        soft: yes(case, "soft_label").then(|| case.number("soft_label_temperature")),
    }
}

/// The losses of recorded scores, whose last column is the logit of what is new, with their gradients.
pub(crate) fn check_loss(case: &Case) {
    let leaf = |name: &str| case.tensor(name).copy().set_requires_grad(true);
    let (pred, new, logits) = (leaf("pred"), leaf("new"), leaf("logits"));
    let places = pred.size()[2] - 1;
    let scores = |tensor: &Tensor| tensor.narrow(-1, 0, places);
    let seen = Seen {
        before: scores(&pred),
        logits: pred.select(-1, places),
        target: scores(case.tensor("labels")),
        second: scores(&logits),
        new: new.shallow_clone(),
    };
    let found = losses(&seen, case.tensor("flag"), &weights(case));
    let terms = [
        ("loss", &found.total),
        ("self_supervision", &found.self_supervision),
        ("entropy", &found.entropy),
        ("new_mean", &found.new_mean),
        ("new_entropy", &found.new_entropy),
        ("new_loss", &found.new),
    ];
    for (name, term) in terms {
        case.close(name, &term.detach(), case.tensor(name));
    }
    found.total.backward();
    let leaves = [
        ("grad_pred", &pred),
        ("grad_new", &new),
        ("grad_logits", &logits),
    ];
    compare_gradients(case, &leaves);
}

/// A whole window.
pub(crate) fn check_grad(case: &Case) {
    let leaf = |name: &str| case.tensor(name).copy().set_requires_grad(true);
    let views = [leaf("view1"), leaf("view2")];
    let course = Course {
        comparison: comparison(case),
        decay: case.number("rho"),
        threshold: case.number("threshold"),
        symmetric: case.text("net") == "siamese_v7",
    };
    let relaxed = yes(case, "straight_through").then(|| Relaxed {
        // [T, 1], or [T, 2] of both views.
        noise: case.tensor("logistic_noise").reshape([-1, 1]),
        temperature: case.number("relaxed_temperature"),
    });
    let learnt = learnt(case, "_w");
    let frames = Frames {
        views: views.each_ref(),
        flag: Some(case.tensor("flag")),
        relaxed: relaxed.as_ref(),
    };
    let window = course
        .window(
            &start(case),
            &frames,
            &learnt,
            &weights(case),
            &mut official(case),
        )
        .unwrap();
    let pred = Tensor::cat(&[&window.scores, &window.logits.unsqueeze(-1)], -1);
    let found = [
        ("pred", &pred),
        ("loss", &window.losses.total),
        ("self_supervision", &window.losses.self_supervision),
        ("entropy", &window.losses.entropy),
        ("new_mean", &window.losses.new_mean),
        ("prototypes", &window.memory.prototypes),
        ("usage", &window.memory.usage),
        ("age", &window.memory.age),
    ];
    for (name, found) in found {
        case.close(name, &found.detach(), case.tensor(name));
    }
    window.losses.total.backward();
    let leaves = [
        ("grad_view1", &views[0]),
        ("grad_view2", &views[1]),
        ("grad_beta", &learnt.beta),
        ("grad_gamma", &learnt.gamma),
        ("grad_tau", &learnt.tau),
    ];
    compare_gradients(case, &leaves);
}
