//! What was answered, and whether it is what the contract declares.

use tch::{Kind as Dtype, Tensor};

use super::contract::{Answer, Range, Type};
use super::{Numbers, Question, Sizes};

/// What a policy answered: tensors by the names of the declaration, or numbers by names that the run knows. Both may be empty.
#[derive(Debug, Default)]
pub struct Answers {
    /// In the order in which they were put.
    tensors: Vec<(&'static str, Tensor)>,
    /// Numbers by their names.
    pub numbers: Numbers,
}

impl Answers {
    /// Whether nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty() && self.numbers.is_empty()
    }

    /// Puts a tensor under a name of the declaration.
    pub fn put(&mut self, name: &'static str, tensor: Tensor) {
        self.take(name);
        self.tensors.push((name, tensor));
    }

    /// The tensor of a name, if it was answered.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let mut all = self.tensors.iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, tensor)| tensor)
    }

    /// Takes the tensor of a name, if it was answered.
    pub fn take(&mut self, name: &str) -> Option<Tensor> {
        let place = self.tensors.iter().position(|(known, _)| *known == name)?;
        Some(self.tensors.remove(place).1)
    }

    /// Takes a tensor that the declaration requires.
    ///
    /// # Panics
    /// When it is not there: the answers have been checked.
    pub fn required(&mut self, name: &str) -> Tensor {
        self.take(name).expect("the contract requires it")
    }

    /// The tensors by their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (*name, tensor))
    }

    /// Every number in it as tensors, to be compared.
    pub fn all(self) -> Vec<Tensor> {
        let numbers: Vec<_> = self.numbers.values().map(|number| number.value()).collect();
        let numbers = (!numbers.is_empty()).then(|| Tensor::from_slice(&numbers));
        {
            let tensors = self.tensors.into_iter().map(|(_, tensor)| tensor);
            tensors.chain(numbers).collect()
        }
    }

    /// Checks shape, type and range of everything that was answered. One wait for the device, where there is a range.
    ///
    /// # Errors
    /// A text that names the first that is not as declared.
    pub fn check(&self, question: &Question) -> Result<(), String> {
        let (function, mut sizes) = (question.function, question.sizes());
        let given = function.answers.iter();
        let given: Vec<(&Answer, &Tensor)> = given
            .filter_map(|answer| Some((answer, self.get(answer.name)?)))
            .collect();
        for (answer, tensor) in &given {
            form(answer, tensor, &mut sizes)?;
        }
        ranges(&given, &sizes)
    }
}

/// Shape and type.
fn form(answer: &Answer, tensor: &Tensor, sizes: &mut Sizes) -> Result<(), String> {
    let (name, shape) = (answer.name, tensor.size());
    let fits = answer.shape.take(&shape, sizes);
    let typed = answer.kind.dtype() == Some(tensor.kind());
    match (fits, typed) {
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => Err(format!(
            "'{name}' must be {}, found {}",
            answer.kind.name(),
            Type::named(tensor.kind())
        )),
        (Err(expected), _) => Err(format!(
            "'{name}' must be {} = {expected} {}, found {shape:?} {}",
            answer.shape,
            answer.kind.name(),
            Type::named(tensor.kind())
        )),
    }
}

/// Least and greatest element of what must lie between two numbers, whether all is finite of what must be; asked at once.
fn ranges(given: &[(&Answer, &Tensor)], sizes: &Sizes) -> Result<(), String> {
    let mut found = Vec::new();
    for (answer, tensor) in given {
        found.extend(match answer.range {
            Range::Any => Vec::new(),
            Range::Below(..) => vec![tensor.f_min(), tensor.f_max()],
            Range::Finite => vec![finite(tensor)],
            Range::FromZero => vec![
                finite(tensor),
                tensor
                    .f_ge(0.0)
                    .and_then(|from| from.f_all())
                    .and_then(long),
            ],
            Range::Unit => vec![within_unit(tensor)],
        });
    }
    if found.is_empty() {
        return Ok(());
    }
    let found = found.into_iter().collect::<Result<Vec<_>, _>>();
    let found = found.and_then(|found| Tensor::f_stack(&found, 0));
    let found = found.and_then(Vec::<i64>::try_from);
    let mut found = found.map_err(|error| first_line(&error))?.into_iter();
    let mut next = || found.next().unwrap_or_default();
    for (answer, tensor) in given {
        let good = match answer.range {
            Range::Any => true,
            Range::Below(from, letter) => {
                let (least, greatest) = (next(), next());
                least >= from && greatest < sizes.get(letter).unwrap_or(i64::MAX)
            }
            Range::Finite => next() == 1,
            Range::FromZero => (next() == 1) & (next() == 1),
            Range::Unit => next() == 1,
        };
        if !good {
            return Err(outside(answer, tensor, sizes));
        }
    }
    Ok(())
}

fn long(tensor: Tensor) -> Result<Tensor, tch::TchError> {
    tensor.f_to_kind(Dtype::Int64)
}

/// 1 where all elements are finite.
fn finite(tensor: &Tensor) -> Result<Tensor, tch::TchError> {
    tensor
        .f_isfinite()
        .and_then(|all| all.f_all())
        .and_then(long)
}

/// 1 where all elements are numbers from 0 to 1.
fn within_unit(tensor: &Tensor) -> Result<Tensor, tch::TchError> {
    let (from, to) = (tensor.f_ge(0.0)?, tensor.f_le(1.0)?);
    from.f_logical_and(&to)
        .and_then(|all| all.f_all())
        .and_then(long)
}

/// Names the first element that is not in its range.
fn outside(answer: &Answer, tensor: &Tensor, sizes: &Sizes) -> String {
    let (wrong, expected) = match answer.range {
        Range::Below(from, letter) => {
            let end = sizes.get(letter).unwrap_or(i64::MAX);
            let none = if from < 0 { " (-1 means none)" } else { "" };
            let wrong = tensor.lt(from).logical_or(&tensor.ge(end));
            let doc = answer.doc;
            (wrong, format!("{}..={}{none}: {doc}", from.max(0), end - 1))
        }
        Range::FromZero => (
            tensor.ge(0.0).logical_and(&tensor.isfinite()).logical_not(),
            "finite numbers of 0 or more".to_owned(),
        ),
        Range::Unit => (
            tensor.ge(0.0).logical_and(&tensor.le(1.0)).logical_not(),
            "numbers from 0 to 1".to_owned(),
        ),
        Range::Finite | Range::Any => {
            (tensor.isfinite().logical_not(), "finite numbers".to_owned())
        }
    };
    let at = wrong.reshape([-1]).to_kind(Dtype::Int64).argmax(0, false);
    let at = at.int64_value(&[]);
    let value = tensor.reshape([-1]).double_value(&[at]);
    format!(
        "'{}{}' is {value}, expected {expected}",
        answer.name,
        index(&tensor.size(), at)
    )
}

/// Where the element of that number stands: `[3, 1]`; nothing of a tensor of one number.
fn index(shape: &[i64], mut at: i64) -> String {
    let mut place = Vec::new();
    for size in shape.iter().rev() {
        place.push((at % size).to_string());
        at /= size;
    }
    place.reverse();
    match place.is_empty() {
        true => String::new(),
        false => format!("[{}]", place.join(", ")),
    }
}

/// What libtorch says, without its stack.
pub(crate) fn first_line(error: &tch::TchError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
