//! Questions made up from their declaration: for the tests of scripts, and for rehearsals where there is no run. They are a function
//! of a seed, easy or degenerate.

mod making;

use std::collections::BTreeMap;
use std::rc::Rc;

use tch::{Device, Tensor};

use super::contract::{Contract, Function, Input, Made, Type};
use super::{Answers, Given, Question, Sizes, When};
use crate::ground::Now;
use making::Making;

/// What is tried with a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// What a run after some training asks.
    Easy,
    /// All rows are of one cluster, the others are empty.
    OneCluster,
    /// Each row is a cluster of its own.
    OwnClusters,
    /// All rows, and so all cosines, are equal.
    EqualRows,
    /// The batch has one image.
    OneImage,
    /// The bank and the batch have one row.
    OneRow,
    /// No positive and no negative exists.
    AllMissing,
    /// Some positives and negatives do not exist.
    SomeMissing,
    /// Positives lie opposite.
    NegativeCosines,
    /// Each query has several positives.
    SeveralPositives,
    /// No prototype exists.
    EmptyMemory,
    /// All prototypes exist, and score the same.
    FullMemory,
    /// There is room for one prototype.
    OnePrototype,
}

impl Case {
    /// The degenerate ones.
    pub const DEGENERATE: [Case; 12] = [
        Case::OneCluster,
        Case::OwnClusters,
        Case::EqualRows,
        Case::OneImage,
        Case::OneRow,
        Case::AllMissing,
        Case::SomeMissing,
        Case::NegativeCosines,
        Case::SeveralPositives,
        Case::EmptyMemory,
        Case::FullMemory,
        Case::OnePrototype,
    ];

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Case::Easy => "an easy batch",
            Case::OneCluster => "one cluster holds all rows",
            Case::OwnClusters => "each row is a cluster of its own",
            Case::EqualRows => "all rows are equal",
            Case::OneImage => "the batch has one image",
            Case::OneRow => "the bank and the batch have one row",
            Case::AllMissing => "no positive and no negative exists",
            Case::SomeMissing => "some positives and negatives do not exist",
            Case::NegativeCosines => "the cosines of the positives are negative",
            Case::SeveralPositives => "three positives a query",
            Case::EmptyMemory => "no prototype exists",
            Case::FullMemory => "all prototypes exist and score the same",
            Case::OnePrototype => "there is room for one prototype",
        }
    }

    /// Whether it makes a difference to a slot. A policy that has begun with so many rows and clusters need not take others.
    pub fn concerns(self, contract: &Contract) -> bool {
        let begins = |function: &Function| function.when == When::Start;
        let begun = contract.functions.iter().any(begins);
        let has = |made: &[Made]| {
            let all = contract
                .functions
                .iter()
                .flat_map(|function| inputs(function));
            all.into_iter().any(|input| made.contains(&input.made))
        };
        match self {
            Case::Easy => true,
            Case::OneCluster => has(&[Made::Labels]),
            Case::OwnClusters => has(&[Made::Labels]) && !begun,
            Case::EqualRows => has(&[Made::Rows, Made::Alike]),
            Case::OneRow => has(&[Made::Labels]) && !begun,
            Case::OneImage => has(&[Made::Near, Made::Alike]),
            Case::EmptyMemory | Case::FullMemory | Case::OnePrototype => has(&[Made::Scores]),
            Case::AllMissing | Case::SomeMissing => has(&[Made::Ones]),
            Case::NegativeCosines | Case::SeveralPositives => has(&[Made::Alike]),
        }
    }
}

/// The inputs of a function, and those within them.
fn inputs(function: &Function) -> Vec<&'static Input> {
    let fields = |input: &'static Input| match input.kind {
        Type::Map(fields) => fields,
        _ => std::slice::from_ref(input),
    };
    function.gets.iter().flat_map(fields).collect()
}

/// What questions are made up of: what is given, by names as `keys` and `bank.features`, and sizes in the place of the others.
pub struct Scene {
    /// When.
    pub now: Now,
    /// What is tried.
    pub case: Case,
    /// What the letters stand for, unless what is given says otherwise.
    pub sizes: Sizes,
    given: BTreeMap<String, Given>,
}

impl Scene {
    /// With nothing given: 4 queries, 32 rows in 4 clusters, 8 dimensions, 1 positive and 8 negatives.
    pub fn new(now: Now) -> Self {
        Self {
            now,
            case: Case::Easy,
            sizes: Sizes::default(),
            given: BTreeMap::new(),
        }
    }

    /// Gives something.
    pub fn give(&mut self, name: impl Into<String>, given: Given) {
        self.given.insert(name.into(), given);
    }

    /// Goes on with the labels and centroids that a policy began with, and the features that it was given.
    pub fn begin(&mut self, question: &Question, answers: &Answers) {
        let parts = answers
            .tensors()
            .map(|(name, part)| (name, part.shallow_clone()));
        let features = [("features", question.tensor("features"))];
        for (name, part) in parts.chain(features) {
            self.give(format!("bank.{name}"), Given::Tensor(part));
        }
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        self.given.get(name).and_then(Given::tensor)
    }

    /// The question; libtorch's generator is seeded before.
    ///
    /// # Errors
    /// A text that names what of the given does not fit.
    pub fn question(
        &self,
        contract: &'static Contract,
        function: &'static Function,
    ) -> Result<Rc<Question>, String> {
        tch::no_grad(|| {
            let mut making = Making::new(self, function)?;
            let rows = match making.bank.is_some() {
                true => making.sizes.or('N', 0),
                false => making.rows(),
            };
            let place = (rows, Device::Cpu);
            let mut asking = Question::begin(contract, function.name, place, self.now);
            for input in function.gets {
                asking = making.put(asking, input)?;
            }
            Ok(asking.end())
        })
    }
}
