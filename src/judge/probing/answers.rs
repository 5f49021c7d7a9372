//! How well a linear classifier answers what a task asks.

use tch::{Device, Kind, Tensor};

use super::corpus::out;
use crate::eval::probing::{
    Logistic, auc, balanced_accuracy, class_targets, multiplicities, one_vs_one, one_vs_rest,
    with_both,
};
use crate::judge::left::Left;

/// What came out of a task, means over its questions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// Of questions with two answers the AUC of hard decisions, which is the balanced accuracy; else one against the rest.
    pub(super) auc: f64,
    /// Of questions with two answers the AUC of their scores; else one against one.
    pub(super) other: f64,
    /// Whether all questions have two answers.
    pub(super) binary: bool,
    /// Questions of which both splits had several answers.
    pub(super) questions: usize,
}

impl Answer {
    /// As `[4]` f64.
    pub(super) fn tensor(&self) -> Tensor {
        let numbers = [self.auc, self.other, f64::from(u8::from(self.binary))];
        Tensor::from_slice(&[numbers[0], numbers[1], numbers[2], self.questions as f64])
    }

    /// Of a tensor that [`Answer::tensor`] made.
    pub(super) fn of_tensor(tensor: &Tensor) -> Option<Self> {
        let numbers = Vec::<f64>::try_from(tensor).ok()?;
        let &[auc, other, binary, questions] = numbers.as_slice() else {
            return None;
        };
        Some(Self {
            auc,
            other,
            binary: binary > 0.0,
            questions: questions as usize,
        })
    }
}

/// Fits to `features[0]` `[N, F]` with `targets[0]` `[N, T]` i64 (-1: not asked) and scores on the others; nothing where no question can
/// be asked.
///
/// # Errors
/// What cannot be fitted.
pub(super) fn answer(
    features: [&Tensor; 2],
    targets: [&Tensor; 2],
    seed: u64,
) -> Result<Option<Answer>, Left> {
    let most = targets.map(|targets| targets.max().int64_value(&[]));
    match most.into_iter().max() {
        Some(0 | 1) => binary(features, targets, seed),
        _ => classes(features, targets),
    }
}

/// All questions at once: the rarer answer is drawn again until both are as many, as in the official code.
fn binary(
    features: [&Tensor; 2],
    targets: [&Tensor; 2],
    seed: u64,
) -> Result<Option<Answer>, Left> {
    let both = targets.map(|targets| {
        let asked = targets.ge(0);
        let yes = targets.eq(1);
        let some = |answers: &Tensor| answers.logical_and(&asked).any_dim(0, false);
        some(&yes).logical_and(&some(&yes.logical_not()))
    });
    let askable = both[0].logical_and(&both[1]).nonzero().squeeze_dim(1);
    if askable.numel() == 0 {
        return Ok(None);
    }
    let device = features[0].device();
    let [own, asked] = targets.map(|targets| targets.index_select(1, &askable).to_device(device));
    let yes = own.eq(1);
    let times = multiplicities(&yes, seed).map_err(out)?;
    let weights = times.to_device(device) * own.ge(0).to_kind(Kind::Float);
    let fitted = Logistic::default().fit(features[0], &yes, Some(&weights));
    let fitted = fitted.map_err(out)?;
    let scores = fitted.decision(features[1]).map_err(out)?;
    let columns = (0..askable.numel() as i64).map(|at| {
        let (labels, scores) = (column::<i64>(&asked, at), column::<f64>(&scores, at));
        let asked = labels.iter().zip(&scores).filter(|(label, _)| **label >= 0);
        let (labels, scores): (Vec<_>, Vec<_>) =
            asked.map(|(label, score)| (*label == 1, *score)).unzip();
        let hard: Vec<_> = scores.iter().map(|score| *score > 0.0).collect();
        Some((balanced_accuracy(&labels, &hard)?, auc(&labels, &scores)?))
    });
    Ok(mean(columns.flatten().collect(), true))
}

/// Each question by itself, one classifier a class.
fn classes(features: [&Tensor; 2], targets: [&Tensor; 2]) -> Result<Option<Answer>, Left> {
    let mut found = Vec::new();
    for at in 0..targets[0].size()[1] {
        let asked = [0, 1].map(|split| {
            let targets = targets[split]
                .select(1, at)
                .to_device(features[split].device());
            let rows = targets.ge(0).nonzero().squeeze_dim(1);
            (
                features[split].index_select(0, &rows),
                targets.index_select(0, &rows),
            )
        });
        let [(own, labels), (other, truth)] = asked;
        let classes = distinct(&labels);
        if classes.len() < 2 || truth.numel() == 0 {
            continue;
        }
        let yes = class_targets(&labels, &classes);
        debug_assert_eq!(with_both(&yes).len(), classes.len());
        let fitted = Logistic::default().fit(&own, &yes, None).map_err(out)?;
        let probability = fitted.class_probability(&other).map_err(out)?;
        let probability = flat::<f64>(&probability);
        let truth = flat::<i64>(&truth);
        // A class that was never shown cannot be told, and is left out.
        let (truth, probability) = of_known(&truth, &probability, &classes);
        let rest = one_vs_rest(&truth, &classes, &probability)
            .map_err(out)?
            .mean;
        let one = one_vs_one(&truth, &classes, &probability).map_err(out)?;
        found.extend(rest.zip(one));
    }
    Ok(mean(found, false))
}

fn of_known(truth: &[i64], probability: &[f64], classes: &[i64]) -> (Vec<i64>, Vec<f64>) {
    let rows = truth.iter().zip(probability.chunks(classes.len()));
    let known = rows.filter(|(label, _)| classes.contains(label));
    let (labels, rows): (Vec<_>, Vec<_>) = known.unzip();
    (labels.into_iter().copied().collect(), rows.concat())
}

fn mean(found: Vec<(f64, f64)>, binary: bool) -> Option<Answer> {
    let questions = found.len();
    let mean = |of: fn(&(f64, f64)) -> f64| found.iter().map(of).sum::<f64>() / questions as f64;
    (questions > 0).then(|| Answer {
        auc: mean(|one| one.0),
        other: mean(|one| one.1),
        binary,
        questions,
    })
}

fn distinct(labels: &Tensor) -> Vec<i64> {
    let mut all = flat::<i64>(labels);
    all.sort_unstable();
    all.dedup();
    all
}

fn column<T: tch::kind::Element>(table: &Tensor, at: i64) -> Vec<T>
where
    Vec<T>: TryFrom<Tensor, Error = tch::TchError>,
{
    flat(&table.select(1, at))
}

fn flat<T: tch::kind::Element>(tensor: &Tensor) -> Vec<T>
where
    Vec<T>: TryFrom<Tensor, Error = tch::TchError>,
{
    let line = tensor
        .to_device(Device::Cpu)
        .to_kind(T::KIND)
        .flatten(0, -1);
    Vec::<T>::try_from(line).expect("a line of numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// Features of which the first says the class.
    fn features(classes: &Tensor) -> Tensor {
        tch::manual_seed(3);
        let noise = Tensor::randn([classes.size()[0], 3], FLOAT);
        let said = (classes.to_kind(Kind::Float) - 1.0).unsqueeze(1) * 4.0;
        let curved = (classes.eq(1).to_kind(Kind::Float)).unsqueeze(1) * 6.0;
        Tensor::cat(&[said, curved, noise], 1)
    }

    #[test]
    fn what_features_say_is_answered_and_what_noise_says_is_not() {
        let classes = Tensor::arange(300, (Kind::Int64, Device::Cpu)).remainder(3);
        let (own, other) = (classes.narrow(0, 0, 200), classes.narrow(0, 200, 100));
        let [x, y] = [&own, &other].map(features);
        for modulus in [2, 3] {
            let [a, b] = [&own, &other].map(|one| one.clamp_max(modulus - 1).unsqueeze(1));
            let found = answer([&x, &y], [&a, &b], 0).unwrap().unwrap();
            assert_eq!((found.binary, found.questions), (modulus == 2, 1));
            assert!(found.auc > 0.99 && found.other > 0.99, "{found:?}");
            let noise = [200, 100].map(|rows| Tensor::randn([rows, 5], FLOAT));
            let found = answer([&noise[0], &noise[1]], [&a, &b], 0)
                .unwrap()
                .unwrap();
            assert!((found.auc - 0.5).abs() < 0.2, "{found:?}");
        }
    }

    #[test]
    fn who_is_not_asked_and_what_cannot_be_asked_do_not_count() {
        let classes = Tensor::arange(120, (Kind::Int64, Device::Cpu)).remainder(2);
        let x = features(&classes);
        // The second question has one answer, the third is wrong where it is not asked.
        let one = classes.zeros_like();
        let odd = Tensor::arange(120, (Kind::Int64, Device::Cpu)).ge(60);
        let some = classes.where_self(&odd, &classes.full_like(-1));
        let targets = Tensor::stack(&[classes.shallow_clone(), one.shallow_clone(), some], 1);
        let found = answer([&x, &x], [&targets, &targets], 0).unwrap().unwrap();
        assert_eq!(found.questions, 2);
        assert!(found.auc > 0.99, "{found:?}");
        let none = Tensor::stack(&[one], 1);
        assert!(answer([&x, &x], [&none, &none], 0).unwrap().is_none());
    }
}
