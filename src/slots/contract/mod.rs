//! A slot as data: what its functions are given, and what they may answer. Everything else that is said of a slot comes from here:
//! what a script finds in `ctx` and a plugin may read, what is checked of an answer, the references, made-up contexts and templates.

mod declare;
mod shared;

use super::{Answers, Budget, Question, Shape, Slot};

pub use shared::{BANK, COMMON};

/// A slot.
#[derive(Debug)]
pub struct Contract {
    /// Which one.
    pub slot: Slot,
    /// Its name, as in a script's header, a configuration and a tag.
    pub name: &'static str,
    /// The folder of `scripts/` that holds its policies.
    pub folder: &'static str,
    /// The key that stands for it where there is room for one letter.
    pub letter: char,
    /// What it decides, in a line.
    pub title: &'static str,
    /// What is worth knowing of it beside its functions, in Markdown.
    pub about: &'static str,
    /// In which runs it is asked.
    pub asked: Asked,
    /// A shipped configuration in which it is asked.
    pub config: &'static str,
    /// What holds where its policy has failed and there is none before it.
    pub without: &'static str,
    /// Where in a run it is asked.
    pub place: Place,
    /// The number of its stream of random numbers ([`Purpose::Policy`](crate::ground::seed::Purpose::Policy)), which never changes.
    pub stream: u8,
    /// What a plugin's table says as its slot; none where a plugin cannot fill it.
    pub plugin: Option<u32>,
    /// What a policy for it is asked, in the order of a step.
    pub functions: &'static [Function],
    /// A script to begin with.
    pub template: Template,
}

/// In which runs a slot is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Where the inter-image branch is on; by this shipped script, unless another policy is named.
    InBranch(&'static str),
    /// Where a policy is named.
    WhereNamed,
}

/// Where in a run a slot is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a step of training.
    Step,
    /// In the evaluation of that name.
    Evaluation(&'static str),
}

/// A script to begin with, and its tests; `NAME` stands for the script's name, a line `// FUNCTION` for what that is given.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// The script.
    pub script: &'static str,
    /// Its tests.
    pub tests: &'static str,
}

/// What a policy is asked.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What is asked, in a line.
    pub doc: &'static str,
    /// When.
    pub when: When,
    /// Whether a policy must have it.
    pub need: Need,
    /// What is given, beside [`COMMON`].
    pub gets: &'static [Input],
    /// How a script answers.
    pub form: Form,
    /// What may be answered.
    pub answers: &'static [Answer],
    /// What it means to answer nothing; none where an answer is required.
    pub nothing: Option<&'static str>,
    /// What a call may take.
    pub budget: Budget,
    /// Whether it is asked with libtorch's automatic differentiation on.
    pub gradient: bool,
    /// What the host makes of the answers, and what it checks that no declaration says.
    pub finish: Option<Finish>,
}

/// What the host makes of checked answers; a text says why it cannot take them.
pub type Finish = fn(&Question, Answers) -> Result<Answers, String>;

/// When a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once, before the first step in which the slot is asked.
    Start,
    /// In each step.
    Step,
    /// After each step.
    AfterStep,
    /// After each epoch.
    AfterEpoch,
}

/// Whether a policy must have a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It is no policy without.
    Always,
    /// The first policy of a run must have it; the text says when.
    First(&'static str),
    /// It may be left out.
    Never,
}

/// How a script spells an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A map of answers by their names.
    Map,
    /// One tensor: that of the answers with as many dimensions.
    Tensor,
    /// A map of numbers, by names that the run knows.
    Numbers,
}

/// Something that is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// Its sizes; nothing of what is no tensor.
    pub shape: Shape,
    /// Its type.
    pub kind: Type,
    /// What it is, with its unit.
    pub doc: &'static str,
    /// Whether it carries gradients.
    pub tracked: bool,
    /// Whether it is computed when it is first read.
    pub lazy: bool,
    /// How it is made up where there is no run.
    pub made: Made,
}

/// Something that may be answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Its name.
    pub name: &'static str,
    /// Its sizes; nothing of what is no tensor.
    pub shape: Shape,
    /// Its type.
    pub kind: Type,
    /// What its elements may be.
    pub range: Range,
    /// Whether it must be there, where anything is answered.
    pub required: bool,
    /// Who answers it.
    pub by: By,
    /// What it is, with its unit.
    pub doc: &'static str,
}

/// A type, of tensors and of what is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// A tensor of single precision.
    Float32,
    /// A tensor of integers.
    Int64,
    /// A tensor of booleans.
    Bool,
    /// An integer.
    Int,
    /// A real number.
    Float,
    /// A map of numbers by names that the run knows.
    Numbers,
    /// A map of these.
    Map(&'static [Input]),
    /// What answers logits of images.
    Classifier,
    /// The policy's own parameters.
    Params,
    /// The source of random numbers.
    Rng,
}

impl Type {
    /// In the words of scripts.
    pub fn name(self) -> &'static str {
        match self {
            Type::Float32 => "float32",
            Type::Int64 => "int64",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Float => "float",
            Type::Numbers | Type::Map(_) | Type::Params => "map",
            Type::Classifier => "Classifier",
            Type::Rng => "Rng",
        }
    }

    /// libtorch's, of a tensor's type.
    pub fn dtype(self) -> Option<tch::Kind> {
        match self {
            Type::Float32 => Some(tch::Kind::Float),
            Type::Int64 => Some(tch::Kind::Int64),
            Type::Bool => Some(tch::Kind::Bool),
            _ => None,
        }
    }

    /// The name that scripts have for one of libtorch's types.
    pub(super) fn named(dtype: tch::Kind) -> String {
        let all = [Type::Float32, Type::Int64, Type::Bool];
        let known = all.into_iter().find(|kind| kind.dtype() == Some(dtype));
        known.map_or_else(
            || match dtype {
                tch::Kind::Double => "float64".to_owned(),
                tch::Kind::Int => "int32".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            },
            |kind| kind.name().to_owned(),
        )
    }
}

/// What the elements of an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Anything: what the host makes of it is looked at.
    Any,
    /// Finite numbers.
    Finite,
    /// Finite numbers of 0 and more.
    FromZero,
    /// Numbers from 0 to 1.
    Unit,
    /// Integers from the first number to that of the letter less one.
    Below(i64, char),
}

impl Range {
    /// In words; nothing where anything goes.
    pub fn text(self) -> Option<String> {
        match self {
            Range::Any => None,
            Range::Finite => Some("finite".to_owned()),
            Range::FromZero => Some("finite, 0 or more".to_owned()),
            Range::Unit => Some("0 to 1".to_owned()),
            Range::Below(-1, letter) => Some(format!("in 0..{letter}, or -1 for none")),
            Range::Below(from, letter) => Some(format!("in {from}..{letter}")),
        }
    }
}

/// Who gives an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Scripts and plugins.
    Both,
    /// Scripts alone.
    Script,
    /// Plugins alone, which take no part in automatic differentiation.
    Plugin,
}

/// How an input is made up where there is no run: for tests of scripts, rehearsals and the conformance of plugins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Made {
    /// Unit rows around as many directions as there are clusters.
    Rows,
    /// Unit rows near those of the bank that `index` names.
    Near,
    /// Rows of the bank, the first ones.
    Index,
    /// Pseudo-labels of the rows that `index` names.
    LabelsOfIndex,
    /// Pseudo-labels of the whole bank, each as often as any other.
    Labels,
    /// Means of the clusters.
    Centroids,
    /// Cosines of the queries with the whole bank.
    Similarity,
    /// Cosines of pairs that are alike.
    Alike,
    /// Cosines of pairs that are not, some missing where that is tried.
    Unlike,
    /// Everything there, unless that is tried otherwise.
    Ones,
    /// Numbers around 0, as the pixels of normalised images.
    Pixels,
    /// Scores of frames with the prototypes of a memory, of which some do not exist.
    Scores,
    /// What was written to each prototype; 0 of those that do not exist.
    Usage,
    /// Frames since each prototype began.
    Ages,
    /// Numbers from 0 to 1.
    Probabilities,
    /// How many images there are of each class.
    ClassSizes,
    /// 0, 1, 2 and so on.
    Numbered,
    /// Small numbers of things, some 0.
    Counts,
    /// Classes that are together, in rows of which one may be shorter.
    Contexts,
    /// One of two classes in each place.
    Classes,
    /// What tells bright images from dark ones: class 0 where the mean of an image is above 0.5.
    Classifier,
    /// This number in each place.
    Each(f64),
    /// This number.
    Number(f64),
    /// A constant of the host, which nobody gives.
    Constant(f64),
    /// What the place that asks knows alone.
    Given,
}

impl Contract {
    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&'static Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The function that one means who names none: `decide`, or the first that a policy must have.
    pub fn usual(&self) -> &'static Function {
        let required = |function: &&Function| function.need == Need::Always;
        let first = || self.functions.iter().find(required);
        let usual = self.function("decide").or_else(first);
        usual.expect("a policy must have a function")
    }

    /// Whether any of its functions is given something of that kind.
    pub fn gives(&self, made: Made) -> bool {
        let mut inputs = self.functions.iter().flat_map(|function| function.gets);
        inputs.any(|input| input.made == made)
    }

    /// The shipped script that fills the slot unless another policy is named.
    pub fn default_script(&self) -> Option<&'static str> {
        match self.asked {
            Asked::InBranch(script) => Some(script),
            Asked::WhereNamed => None,
        }
    }
}

impl Function {
    /// The answers that scripts give.
    pub fn of_scripts(&self) -> impl Iterator<Item = &'static Answer> + use<> {
        self.answers.iter().filter(|answer| answer.by != By::Plugin)
    }

    /// The answers that plugins give.
    pub fn of_plugins(&self) -> impl Iterator<Item = &'static Answer> + use<> {
        self.answers.iter().filter(|answer| answer.by != By::Script)
    }
}
