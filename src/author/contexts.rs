//! What a script finds in `ctx` and what it must answer, slot by slot and function by function, as references print it.

use crate::ground::suggest;
use crate::slots::Slot;

/// A field of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its sizes, as in `[B, D]`; empty of what is no tensor.
    pub shape: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// A function of a slot.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The slot.
    pub slot: Slot,
    /// Its name.
    pub name: &'static str,
    /// What it finds in `ctx` beside what every function finds.
    pub fields: &'static [Field],
    /// What it must answer.
    pub answers: &'static str,
}

const fn field(
    name: &'static str,
    shape: &'static str,
    kind: &'static str,
    doc: &'static str,
) -> Field {
    Field {
        name,
        shape,
        kind,
        doc,
    }
}

/// What says when a script is asked.
pub const MOMENT: [&str; 4] = ["step", "epoch", "steps", "steps_per_epoch"];

/// What every function finds.
pub const COMMON: &[Field] = &[
    field(
        "params",
        "",
        "map",
        "the parameters: defaults(), with the configuration's values in their place",
    ),
    field(
        "rng",
        "",
        "Rng",
        "random numbers, a function of (seed, slot, step)",
    ),
    field("step", "", "int", "steps done before this one"),
    field("epoch", "", "int", "epochs done before this one"),
    field("steps", "", "int", "steps of the whole run"),
    field("steps_per_epoch", "", "int", "steps of an epoch"),
];

/// What `ctx.bank` holds.
pub const BANK: [Field; 3] = [
    field(
        "features",
        "[N, D]",
        "float32",
        "unit rows, one of each training image",
    ),
    field("labels", "[N]", "int64", "their pseudo-labels, in 0..C"),
    field("centroids", "[C, D]", "float32", "the clusters' centroids"),
];

const BANK_FIELD: Field = field("bank", "", "map", "the bank as it stood before this step");
const BANK_AFTER: Field = field(
    "bank",
    "",
    "map",
    "the bank, to which the batch has been written",
);

const AFTER: &str =
    "#{ labels: [N] int64, centroids: [C, D] float32 }, each of which may be left out, or nothing";

/// All functions that the host asks, in the order of a step.
pub const FUNCTIONS: &[Function] = &[
    Function {
        slot: Slot::Schedule,
        name: "decide",
        fields: &[
            field(
                "base",
                "",
                "map",
                "every name that may be given, with the number that holds in this step without the schedule",
            ),
            field(
                "last",
                "",
                "map",
                "numbers of the step before: loss.total, loss.intra, grad_norm, and loss.inter where the branch took part; empty before the first",
            ),
            field(
                "lr",
                "",
                "float",
                "optim.lr of the configuration, before its own way through the run",
            ),
        ],
        answers: "#{ \"optim.lr\": float, .. }: numbers by the names of ctx.base, each of which may be left out",
    },
    Function {
        slot: Slot::Labels,
        name: "start",
        fields: &[field(
            "features",
            "[N, D]",
            "float32",
            "unit rows of all images",
        )],
        answers: "#{ labels: [N] int64 in 0..C, centroids: [C, D] float32 }",
    },
    Function {
        slot: Slot::Labels,
        name: "decide",
        fields: &[
            field(
                "keys",
                "[B, D]",
                "float32",
                "unit rows of the batch that the bank will hold",
            ),
            field("index", "[B]", "int64", "their rows of the bank"),
            BANK_FIELD,
        ],
        answers: "new labels [B] int64 of the batch, or nothing to keep the old ones",
    },
    Function {
        slot: Slot::Labels,
        name: "after_step",
        fields: &[BANK_AFTER],
        answers: AFTER,
    },
    Function {
        slot: Slot::Labels,
        name: "after_epoch",
        fields: &[BANK_AFTER],
        answers: AFTER,
    },
    Function {
        slot: Slot::Sampler,
        name: "decide",
        fields: &[
            field("queries", "[B, D]", "float32", "unit rows of the batch"),
            field("index", "[B]", "int64", "their own rows of the bank"),
            field("labels", "[B]", "int64", "their pseudo-labels"),
            BANK_FIELD,
            field(
                "similarity",
                "[B, N]",
                "float32",
                "cosines of the queries with all rows of the bank, computed at the first use",
            ),
        ],
        answers: "#{ positives: [B, P] int64, negatives: [B, K] int64 }: rows of the bank, -1 for none",
    },
    Function {
        slot: Slot::Boundary,
        name: "decide",
        fields: &[
            field(
                "positives",
                "[B, P]",
                "float32",
                "cosines of the queries with their positives, tracked",
            ),
            field(
                "negatives",
                "[B, K]",
                "float32",
                "cosines with their negatives, tracked; 'missing' where there is none",
            ),
            field("valid", "[B, P]", "bool", "which positives exist"),
            field(
                "missing",
                "",
                "float",
                "the cosine of a negative that does not exist, -10000",
            ),
            field("temperature", "", "float", "the branch's own temperature"),
        ],
        answers: "logits [B, P + K] float32, positives first and the temperature applied; or a loss [] float32 of its own",
    },
];

/// The fields of a function, those of every function apart.
pub fn of(slot: Slot, function: &str) -> impl Iterator<Item = &'static Field> + use<> {
    let mut all = FUNCTIONS.iter();
    let found = all.find(|found| found.slot == slot && found.name == function);
    found.into_iter().flat_map(|found| found.fields)
}

/// The function of that name of a slot.
///
/// # Errors
/// A text that lists those that the slot has.
pub fn function(slot: Slot, name: &str) -> Result<&'static str, String> {
    let names = FUNCTIONS
        .iter()
        .filter(|found| found.slot == slot)
        .map(|found| found.name);
    let names: Vec<_> = names.collect();
    names
        .iter()
        .find(|found| **found == name)
        .copied()
        .ok_or_else(|| {
            let meant = suggest::nearest(name, names.iter().copied());
            let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            format!(
                "slot '{slot}' has no function '{name}', it has {}{meant}",
                names.join(", ")
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::make_up_context;

    /// What is declared here is what a run gives.
    #[test]
    fn every_context_has_the_fields_that_are_declared() {
        for function in FUNCTIONS {
            let given = [("function".into(), function.name.into())];
            let fields = make_up_context(function.slot, &given.into_iter().collect()).unwrap();
            let mut found = fields.names();
            // Parameters are the script's, not the slot's.
            found.push("params");
            found.sort_unstable();
            let declared = COMMON.iter().chain(function.fields);
            let mut declared: Vec<_> = declared.map(|field| field.name).collect();
            declared.sort_unstable();
            assert_eq!(found, declared, "{} {}", function.slot, function.name);
        }
    }
}
