//! One question to a policy: a function of its slot, with what that is given.

use std::fmt;
use std::rc::Rc;

use tch::{Device, Tensor};

use super::contract::{Contract, Function, Input, Type};
use super::{Fault, Numbers, Sizes};
use crate::bank::Bank;
use crate::ground::Now;

/// Something that a question gives.
pub enum Given {
    /// A tensor.
    Tensor(Tensor),
    /// A tensor that is computed when it is first read.
    Lazy(Rc<dyn Fn() -> Tensor>),
    /// What answers logits `[N, classes]` f32 of images `[N, C, H, W]` f32 in `0..=1`.
    Classifier(Classifier),
    /// A number.
    Number(f64),
    /// Numbers by names that the run knows.
    Numbers(Rc<dyn Named>),
    /// A map, in the order of its declaration.
    Map(Vec<Given>),
}

/// What answers logits `[N, classes]` of images `[N, C, H, W]`; a text says what was wrong with them.
pub type Classifier = Rc<dyn Fn(&Tensor) -> Result<Tensor, String>>;

/// Numbers by names that the run knows.
pub trait Named {
    /// The numbers that there are; may wait for the device.
    ///
    /// # Errors
    /// That the device has failed.
    fn read(&self) -> Result<Numbers, String>;

    /// All names that there may be.
    fn names(&self) -> Vec<String>;

    /// The number that stands for a name where no run is there to tell which names there are; none where one is.
    fn made_up(&self, name: &str) -> Option<super::Number> {
        let _ = name;
        None
    }

    /// Whether a number may be answered under that name.
    ///
    /// # Errors
    /// A text that says what was expected.
    fn check(&self, name: &str, number: super::Number) -> Result<(), String> {
        let _ = (name, number);
        Ok(())
    }
}

impl Clone for Given {
    fn clone(&self) -> Self {
        match self {
            Given::Tensor(tensor) => Given::Tensor(tensor.shallow_clone()),
            Given::Lazy(compute) => Given::Lazy(Rc::clone(compute)),
            Given::Classifier(classifier) => Given::Classifier(Rc::clone(classifier)),
            Given::Number(number) => Given::Number(*number),
            Given::Numbers(numbers) => Given::Numbers(Rc::clone(numbers)),
            Given::Map(fields) => Given::Map(fields.clone()),
        }
    }
}

impl Given {
    fn largest(&self) -> u64 {
        match self {
            Given::Tensor(tensor) => (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64,
            Given::Map(fields) => fields.iter().map(Given::largest).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The tensor, computed where that has not been done.
    pub fn tensor(&self) -> Option<Tensor> {
        match self {
            Given::Tensor(tensor) => Some(tensor.shallow_clone()),
            Given::Lazy(compute) => Some(compute()),
            _ => None,
        }
    }
}

impl From<&Bank> for Given {
    /// The bank as policies see it: features, labels, centroids.
    fn from(bank: &Bank) -> Self {
        let parts = [bank.features(), bank.labels(), bank.centroids()];
        Given::Map(parts.map(|part| Given::Tensor(part.shallow_clone())).into())
    }
}

/// A question.
pub struct Question {
    /// The slot that is asked.
    pub contract: &'static Contract,
    /// The function that is called.
    pub function: &'static Function,
    /// When.
    pub now: Now,
    /// Of so many rows a count is a fraction: those of the bank.
    pub rows: i64,
    /// Where the model lives: there the answers are wanted.
    pub device: Device,
    /// What is given, in the order of the declaration.
    given: Vec<Given>,
    sizes: Sizes,
}

/// A question that is being put together, in the order of the declaration.
pub struct Asking {
    question: Question,
    left: std::slice::Iter<'static, Input>,
}

impl Question {
    /// Begins a question about `function` of a slot, whose inputs are then given in the order of their declaration.
    ///
    /// # Panics
    /// When the slot has no such function.
    pub fn begin(
        contract: &'static Contract,
        function: &str,
        (rows, device): (i64, Device),
        now: Now,
    ) -> Asking {
        let function = contract
            .function(function)
            .expect("the host asks what is declared");
        let mut sizes = Sizes::default();
        sizes.set('N', rows);
        Asking {
            question: Self {
                contract,
                function,
                now,
                rows,
                device,
                given: Vec::with_capacity(function.gets.len()),
                sizes,
            },
            left: function.gets.iter(),
        }
    }

    /// The question with what `give` has for each input; nothing where it lacks one.
    pub fn of(
        contract: &'static Contract,
        function: &'static Function,
        place: (i64, Device),
        now: Now,
        mut give: impl FnMut(&'static Input) -> Option<Given>,
    ) -> Option<Rc<Self>> {
        let mut asking = Self::begin(contract, function.name, place, now);
        for input in function.gets {
            asking = asking.give(input.name, give(input)?);
        }
        Some(asking.end())
    }

    /// What the letters of its shapes stand for.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// What is given under a name.
    pub fn get(&self, name: &str) -> Option<(&'static Input, &Given)> {
        let mut all = self.function.gets.iter().zip(&self.given);
        all.find(|(input, _)| input.name == name)
    }

    /// Everything that is given, with its declaration.
    pub fn given(&self) -> impl Iterator<Item = (&'static Input, &Given)> {
        self.function.gets.iter().zip(&self.given)
    }

    /// Bytes of the largest tensor that is given, those included that are computed when they are read.
    pub fn largest(&self) -> u64 {
        let all = self.given().map(|(input, given)| match given {
            Given::Lazy(_) => {
                let letters = input.shape.letters().into_iter();
                let sizes = letters.map(|letter| self.sizes.get(letter).unwrap_or(1) as u64);
                sizes.product::<u64>() * size_of::<f32>() as u64
            }
            given => given.largest(),
        });
        all.max().unwrap_or(0)
    }

    /// A tensor that is given.
    ///
    /// # Panics
    /// When it is not declared.
    pub fn tensor(&self, name: &str) -> Tensor {
        let given = self.get(name).and_then(|(_, given)| given.tensor());
        given.expect("the declaration has this tensor")
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.function.gets.iter().map(|input| input.name).collect();
        write!(
            f,
            "{} of slot {} about {}",
            self.function.name,
            self.contract.name,
            names.join(", ")
        )
    }
}

impl Asking {
    fn next(&mut self, name: &str) -> &'static Input {
        let input = self.left.next();
        let input = input.filter(|input| input.name == name);
        input.unwrap_or_else(|| panic!("'{name}' is not what the contract declares next"))
    }

    /// Gives a tensor, on the device where it lies; one that is declared as tracked begins a graph.
    pub fn tensor(mut self, name: &str, tensor: &Tensor) -> Self {
        let input = self.next(name);
        let fits = input.shape.take(&tensor.size(), &mut self.question.sizes);
        debug_assert_eq!(
            fits.map_err(|expected| format!("'{name}' {expected} {:?}", tensor.size())),
            Ok(())
        );
        debug_assert_eq!(Some(tensor.kind()), input.kind.dtype(), "'{name}'");
        let tensor = match input.tracked {
            true => tensor.detach().set_requires_grad(true),
            false => tensor.shallow_clone(),
        };
        self.question.given.push(Given::Tensor(tensor));
        self
    }

    /// Gives something of whatever kind.
    fn give(self, name: &str, given: Given) -> Self {
        match given {
            Given::Tensor(tensor) => self.tensor(name, &tensor),
            Given::Map(fields) => self.map(name, fields),
            given => self.push(name, given),
        }
    }

    fn push(mut self, name: &str, given: Given) -> Self {
        self.next(name);
        self.question.given.push(given);
        self
    }

    /// Gives a tensor that is computed when it is first read.
    pub fn lazy(self, name: &str, compute: impl Fn() -> Tensor + 'static) -> Self {
        self.push(name, Given::Lazy(Rc::new(compute)))
    }

    /// Gives a number.
    pub fn number(self, name: &str, number: f64) -> Self {
        self.push(name, Given::Number(number))
    }

    /// Gives what answers logits of images.
    pub fn classifier(self, name: &str, classifier: &Classifier) -> Self {
        self.push(name, Given::Classifier(Rc::clone(classifier)))
    }

    /// Gives numbers by their names.
    pub fn numbers(self, name: &str, numbers: Rc<dyn Named>) -> Self {
        self.push(name, Given::Numbers(numbers))
    }

    /// Gives the bank, as `bank`.
    pub fn bank(self, bank: &Bank) -> Self {
        self.give("bank", Given::from(bank))
    }

    fn map(mut self, name: &str, fields: Vec<Given>) -> Self {
        let input = self.next(name);
        if let Type::Map(declared) = input.kind {
            for (field, given) in declared.iter().zip(&fields) {
                if let Given::Tensor(tensor) = given {
                    let fits = field.shape.take(&tensor.size(), &mut self.question.sizes);
                    debug_assert_eq!(fits, Ok(()), "'{name}.{}'", field.name);
                }
            }
        }
        self.question.given.push(Given::Map(fields));
        self
    }

    /// The whole question.
    ///
    /// # Panics
    /// When something that is declared was not given.
    pub fn end(mut self) -> Rc<Question> {
        if let Some(input) = self.left.next() {
            panic!("'{}' is declared and was not given", input.name);
        }
        Rc::new(self.question)
    }
}

/// Who answers a question: a policy, whatever carries it.
pub trait Respondent {
    /// Answers. What comes back is what was said: its names are those of the declaration, and nothing else of it was looked at.
    ///
    /// - Called on the training thread, after libtorch's generator was seeded for the step and the slot, with automatic
    ///   differentiation as the function declares it.
    /// - May fail: the fault goes to the gate, which asks the last good generation the same.
    ///
    /// # Errors
    /// A [`Fault`].
    fn answer(&mut self, question: &Rc<Question>) -> Result<super::Answers, Fault>;

    /// A fault of what `function` of this policy answered.
    fn refuse(&self, function: &str, message: String) -> Fault;
}
