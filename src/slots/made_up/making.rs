//! How each input is made up, as its declaration says.

use std::collections::BTreeMap;
use std::rc::Rc;

use tch::{Device, Kind as Dtype, Tensor};

use super::{Case, Scene};
use crate::bank::{Bank, segment_mean, unit_rows};
use crate::method::oupn::EMPTY;
use crate::slots::contract::{BANK, Function, Input, Made, Type};
use crate::slots::first_line;
use crate::slots::sampler::{MISSING, Similarity};
use crate::slots::{Asking, Classifier, Given, Sizes};

const FLOAT: (Dtype, Device) = (Dtype::Float, Device::Cpu);
const INT: (Dtype, Device) = (Dtype::Int64, Device::Cpu);

/// Clusters of a made-up bank: labels beyond are a slip of the pen, and would take memory for each.
const MOST_CLUSTERS: i64 = 65_536;

/// Which field said what a letter stands for.
type Said = BTreeMap<char, String>;

/// A question that is being made.
pub(super) struct Making<'a> {
    scene: &'a Scene,
    pub(super) sizes: Sizes,
    pub(super) bank: Option<Bank>,
    index: Option<Tensor>,
    queries: Option<Tensor>,
}

impl<'a> Making<'a> {
    /// Takes the sizes of what is given, and makes the bank.
    pub(super) fn new(scene: &'a Scene, function: &Function) -> Result<Self, String> {
        let mut making = Self {
            scene,
            sizes: Sizes::default(),
            bank: None,
            index: None,
            queries: None,
        };
        let mut said = Said::new();
        for input in function.gets {
            match input.kind {
                Type::Map(fields) => {
                    for field in fields {
                        let name = format!("{}.{}", input.name, field.name);
                        making.take(field, &name, &mut said)?;
                    }
                }
                _ => making.take(input, input.name, &mut said)?,
            }
        }
        making.default_sizes();
        if function.gets.iter().any(|input| input.name == "bank") {
            let bank = making.made_bank()?;
            if let Some(index) = scene.tensor("index") {
                within("index", &index, bank.rows())?;
            }
            making.bank = Some(bank);
        }
        Ok(making)
    }

    /// Checks a given tensor against its declaration, and what others have said of the sizes.
    fn take(&mut self, input: &'static Input, name: &str, said: &mut Said) -> Result<(), String> {
        let Some(tensor) = self.scene.tensor(name) else {
            return Ok(());
        };
        let (shape, letters) = (tensor.size(), input.shape.letters());
        let refused = |why: &str| format!("'{name}' must be {}, got {shape:?}{why}", input.shape);
        if shape.len() != letters.len() {
            return Err(refused(""));
        }
        for (letter, size) in letters.into_iter().zip(&shape) {
            if *size == 0 {
                return Err(refused(&format!(": {letter} is at least 1")));
            }
            let known = self.sizes.or(letter, *size);
            let by = said.entry(letter).or_insert_with(|| name.to_owned());
            if known != *size {
                return Err(refused(&format!(": {letter} is {known} in '{by}'")));
            }
        }
        match input.made {
            Made::Rows | Made::Near => unit(name, &tensor),
            Made::Alike | Made::Similarity => cosines(name, &tensor, None),
            Made::Unlike => cosines(name, &tensor, Some(MISSING)),
            Made::Pixels => finite(name, &tensor),
            _ => Ok(()),
        }
    }

    fn default_sizes(&mut self) {
        let case = self.scene.case;
        let several = if self.scene.case == Case::SeveralPositives {
            3
        } else {
            1
        };
        let defaults = [
            ('B', 4),
            ('N', 32),
            ('D', 8),
            ('P', several),
            ('K', 8),
            ('H', 8),
            ('W', 8),
        ];
        for (letter, size) in defaults {
            let size = match letter {
                'B' if matches!(case, Case::OneImage | Case::OneRow) => 1,
                'N' if case == Case::OneRow => 1,
                'K' if case == Case::OnePrototype => 1,
                letter => self.scene.sizes.get(letter).unwrap_or(size),
            };
            self.sizes.or(letter, size);
        }
    }

    /// Of how many rows a count is a fraction, where there is no bank.
    pub(super) fn rows(&mut self) -> i64 {
        self.sizes.or('N', self.scene.sizes.get('N').unwrap_or(32))
    }

    /// The bank of which some parts may be given; labels of the batch must be clusters of it.
    fn made_bank(&mut self) -> Result<Bank, String> {
        let part = |field: &Input| self.scene.tensor(&format!("bank.{}", field.name));
        let [features, labels, centroids] = [&BANK[0], &BANK[1], &BANK[2]].map(part);
        let queried = self.scene.tensor("labels");
        for labels in labels.iter().chain(&queried) {
            if labels.max().int64_value(&[]) >= MOST_CLUSTERS {
                within("labels", labels, MOST_CLUSTERS)?;
            }
        }
        let (n, d) = (self.sizes.or('N', 32), self.sizes.or('D', 8));
        let end = |labels: &Tensor| labels.max().int64_value(&[]) + 1;
        let wanted = self.scene.sizes.get('C').unwrap_or(4);
        let own = labels.as_ref().map_or(n.min(wanted), end);
        let own = match self.scene.case {
            Case::OwnClusters => n,
            _ => own,
        };
        let least = queried.as_ref().map_or(1, end).max(own).max(1);
        let c = self.sizes.or('C', least);

        let (drawn, even) = self.clustered(n, d, c);
        let features = features.filter(|_| self.scene.case != Case::EqualRows);
        let features = features.unwrap_or(drawn);
        let labels = match self.scene.case {
            Case::OneCluster => Tensor::zeros([n], INT),
            _ => labels.unwrap_or(even),
        };
        let mut bank = Bank::new(n, d, c, 1.0, Device::Cpu);
        let centroids = match centroids {
            Some(centroids) => centroids,
            None if (0..c).contains(&labels.min().int64_value(&[])) => {
                segment_mean(&features, &labels, c, None)
            }
            None => Tensor::zeros([c, d], FLOAT),
        };
        let filled = bank.fill(&features, &labels, &centroids);
        filled.map_err(|error| format!("bank: {error}"))?;
        if let Some(queried) = queried {
            within("labels", &queried, c)?;
        }
        Ok(bank)
    }

    /// Unit rows `[N, D]` around C random directions, and the labels `[N]` of these, each as often as any other.
    fn clustered(&self, n: i64, d: i64, c: i64) -> (Tensor, Tensor) {
        let labels = Tensor::arange(n, INT).remainder(c);
        let centres = Tensor::randn([c, d], FLOAT).index_select(0, &labels);
        let rows = unit_rows(&(centres + 0.5 * Tensor::randn([n, d], FLOAT)));
        match self.scene.case {
            Case::EqualRows => (rows.narrow(0, 0, 1).repeat([n, 1]), labels),
            _ => (rows, labels),
        }
    }

    /// Gives an input to the question.
    pub(super) fn put(&mut self, asking: Asking, input: &'static Input) -> Result<Asking, String> {
        let name = input.name;
        if let (Type::Map(_), Some(bank)) = (input.kind, &self.bank) {
            return Ok(asking.bank(bank));
        }
        let given = self.scene.given.get(name).cloned();
        Ok(match (given, input.made) {
            (Some(Given::Number(number)), _) => asking.number(name, number),
            (Some(Given::Numbers(numbers)), _) => asking.numbers(name, numbers),
            (None, Made::Number(number) | Made::Constant(number)) => asking.number(name, number),
            (_, Made::Classifier) => asking.classifier(name, &(Rc::new(brightness) as Classifier)),
            (given, _) => {
                let tensor = given.and_then(|given| given.tensor());
                let tensor = self.tensor(input, tensor)?;
                match input.lazy {
                    true => asking.lazy(name, move || tensor.shallow_clone()),
                    false => asking.tensor(name, &tensor),
                }
            }
        })
    }

    /// The tensor that is given, or one as the declaration says.
    fn tensor(&mut self, input: &Input, given: Option<Tensor>) -> Result<Tensor, String> {
        let tensor = match (given, input.made) {
            (Some(tensor), _) => tensor,
            (None, Made::Rows) => {
                let (n, d) = (self.sizes.or('N', 32), self.sizes.or('D', 8));
                let wanted = self.scene.sizes.get('C').unwrap_or(4);
                self.clustered(n, d, wanted.min(n)).0
            }
            (None, Made::Index) => self.default_index(),
            (None, Made::Near) => self.near(),
            (None, Made::LabelsOfIndex) => {
                let index = self.index_or_default();
                self.of_bank().labels().index_select(0, &index)
            }
            (None, Made::Similarity) => {
                let queries = self.queries.as_ref().map(Tensor::shallow_clone);
                let queries = queries.unwrap_or_else(|| self.near());
                let similarity = Similarity::new(&queries, self.of_bank().features());
                similarity.get().shallow_clone()
            }
            (None, Made::Alike | Made::Unlike | Made::Ones) => self.cosines(input),
            (None, Made::Pixels) => self.pixels(input),
            (None, Made::Classes) => {
                let drawn = Tensor::rand(self.shape(input), FLOAT) * 2.0;
                drawn.to_kind(Dtype::Int64)
            }
            (
                None,
                Made::Scores
                | Made::Usage
                | Made::Ages
                | Made::Probabilities
                | Made::ClassSizes
                | Made::Contexts
                | Made::Counts
                | Made::Numbered
                | Made::Each(_),
            ) => self.of_a_stream(input),
            (None, made) => {
                return Err(format!("'{}' cannot be made up: {made:?}", input.name));
            }
        };
        match input.made {
            Made::Index => self.index = Some(tensor.shallow_clone()),
            Made::Near => self.queries = Some(tensor.shallow_clone()),
            _ => {}
        }
        Ok(tensor)
    }

    fn of_bank(&self) -> &Bank {
        let bank = self.bank.as_ref();
        bank.expect("what is near rows of a bank is asked with a bank")
    }

    /// The rows of the batch, the first ones.
    fn default_index(&mut self) -> Tensor {
        let b = self.sizes.or('B', 4);
        Tensor::arange(b, INT).remainder(self.of_bank().rows())
    }

    fn index_or_default(&mut self) -> Tensor {
        let given = self.scene.tensor("index");
        let known = self.index.as_ref().map(Tensor::shallow_clone).or(given);
        known.unwrap_or_else(|| self.default_index())
    }

    /// Unit rows near the bank's, as embeddings of the same images are.
    fn near(&mut self) -> Tensor {
        let index = self.index_or_default();
        let rows = self.of_bank().features().index_select(0, &index);
        match self.scene.case {
            Case::EqualRows => rows,
            _ => unit_rows(&(&rows + 0.1 * rows.randn_like())),
        }
    }

    fn shape(&mut self, input: &Input) -> Vec<i64> {
        let letters = input.shape.letters().into_iter();
        letters.map(|letter| self.sizes.or(letter, 1)).collect()
    }

    /// Cosines as after some training: positives high, negatives around 0; and which positives exist.
    fn cosines(&mut self, input: &Input) -> Tensor {
        let shape = self.shape(input);
        // Every third is missing, where some are, and all of the last query.
        let some = |shape: &[i64]| {
            let count: i64 = shape.iter().product();
            let missing = Tensor::arange(count, INT).remainder(3).eq(1).reshape(shape);
            let _ = missing.narrow(0, shape[0] - 1, 1).fill_(1);
            missing
        };
        match (input.made, self.scene.case) {
            (Made::Ones, Case::AllMissing) => Tensor::zeros(&shape, (Dtype::Bool, Device::Cpu)),
            (Made::Ones, Case::SomeMissing) => some(&shape).logical_not(),
            (Made::Ones, _) => Tensor::ones(&shape, (Dtype::Bool, Device::Cpu)),
            (Made::Unlike, Case::AllMissing) => Tensor::full(&shape, MISSING, FLOAT),
            (Made::Alike, Case::AllMissing) => Tensor::zeros(&shape, FLOAT),
            (_, Case::EqualRows) => Tensor::ones(&shape, FLOAT),
            (Made::Unlike, Case::SomeMissing) => {
                (Tensor::rand(&shape, FLOAT) - 0.5).masked_fill(&some(&shape), MISSING)
            }
            (Made::Alike, Case::SomeMissing) => {
                (Tensor::rand(&shape, FLOAT) * 0.5 + 0.4).masked_fill(&some(&shape), 0.0)
            }
            (Made::Alike, Case::NegativeCosines) => -(Tensor::rand(&shape, FLOAT) * 0.5 + 0.4),
            (Made::Alike, _) => Tensor::rand(&shape, FLOAT) * 0.5 + 0.4,
            _ => Tensor::rand(&shape, FLOAT) - 0.5,
        }
    }

    /// What is asked about a stream: a memory after some frames, whose second half is empty, and classes in contexts.
    fn of_a_stream(&mut self, input: &Input) -> Tensor {
        for (letter, size) in [('C', 6), ('G', 2), ('M', 3), ('T', 24), ('V', 5)] {
            let size = self.scene.sizes.get(letter).unwrap_or(size);
            self.sizes.or(letter, size);
        }
        let shape = self.shape(input);
        let places = *shape.last().expect("it has a dimension");
        let there = match self.scene.case {
            Case::EmptyMemory => 0,
            Case::FullMemory => places,
            _ => (places + 1) / 2,
        };
        let exists = Tensor::arange(places, INT).lt(there);
        let held = exists.to_kind(Dtype::Float);
        match input.made {
            Made::Scores => {
                let scores = match self.scene.case {
                    Case::FullMemory => Tensor::full(&shape, 5.0, FLOAT),
                    _ => Tensor::rand(&shape, FLOAT) * 10.0,
                };
                scores.masked_fill(&exists.logical_not(), EMPTY)
            }
            Made::Usage => (Tensor::rand(&shape, FLOAT) + 0.5) * held,
            Made::Ages => (Tensor::rand(&shape, FLOAT) * 20.0).ceil() * held,
            Made::Numbered => Tensor::arange(places, INT),
            Made::ClassSizes => Tensor::arange(places, INT) + 20,
            Made::Contexts => {
                let count: i64 = shape.iter().product();
                let classes = self.sizes.or('C', 6);
                let all = Tensor::arange(count, INT);
                let known = all.lt(classes);
                all.where_self(&known, &all.full_like(-1)).reshape(&shape)
            }
            Made::Counts => (Tensor::rand(&shape, FLOAT) * 3.0).to_kind(Dtype::Int64),
            Made::Each(number) => Tensor::full(&shape, number, FLOAT),
            _ => Tensor::rand(&shape, FLOAT),
        }
    }

    fn pixels(&mut self, input: &Input) -> Tensor {
        self.sizes.or('C', self.scene.sizes.get('C').unwrap_or(1));
        let shape = self.shape(input);
        Tensor::randn(&shape, FLOAT)
    }
}

/// Logits of two classes, bright and dark, of images.
fn brightness(images: &Tensor) -> Result<Tensor, String> {
    let mean = images
        .f_flatten(1, -1)
        .and_then(|pixels| pixels.f_mean_dim([1i64].as_slice(), true, Dtype::Float));
    let mean = mean.map_err(|error| first_line(&error))?;
    Ok(Tensor::cat(&[&mean, &(1.0 - &mean)], 1))
}

fn within(field: &str, values: &Tensor, end: i64) -> Result<(), String> {
    let ends = [values.min(), values.max()].map(|end| end.int64_value(&[]));
    match ends.into_iter().find(|value| !(0..end).contains(value)) {
        None => Ok(()),
        Some(odd) => Err(format!("'{field}' holds {odd}, expected 0..{end}")),
    }
}

/// Cosines lie in -1..=1, but for a little rounding; `missing` stands for one that does not exist.
fn cosines(field: &str, all: &Tensor, missing: Option<f64>) -> Result<(), String> {
    let cosine = all.abs().le(1.0 + 1e-3);
    let fine = match missing {
        None => cosine,
        Some(missing) => cosine.logical_or(&all.eq(missing)),
    };
    let or_missing = missing.map_or_else(String::new, |missing| format!(", or {missing} for none"));
    expected(field, all, &fine, &format!("a cosine, -1 to 1{or_missing}"))
}

fn finite(field: &str, all: &Tensor) -> Result<(), String> {
    expected(field, all, &all.isfinite(), "a finite number")
}

/// That an element is as expected, each one; the text names the first that is not.
fn expected(field: &str, all: &Tensor, fine: &Tensor, what: &str) -> Result<(), String> {
    let odd = fine.logical_not().flatten(0, -1);
    if odd.any().int64_value(&[]) == 0 {
        return Ok(());
    }
    let at = odd.to_kind(Dtype::Int64).argmax(0, false).int64_value(&[]);
    let found = all.flatten(0, -1).double_value(&[at]);
    Err(format!("'{field}' holds {found:?}, expected {what}"))
}

/// The host gives unit rows.
fn unit(field: &str, rows: &Tensor) -> Result<(), String> {
    let norms = rows.norm_scalaropt_dim(2.0, [1i64], false);
    let odd = (&norms - 1.0).abs().le(1e-3).logical_not();
    if odd.any().int64_value(&[]) == 0 {
        return Ok(());
    }
    let at = odd.to_kind(Dtype::Int64).argmax(0, false).int64_value(&[]);
    let norm = norms.double_value(&[at]);
    Err(format!(
        "'{field}[{at}]' has norm {norm:.3}, expected 1: the host gives unit rows ('x.normalize()' makes some)"
    ))
}
