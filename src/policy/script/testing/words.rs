//! The words that only tests have, as they stand in the reference.

/// Signature and meaning of each.
pub const WORDS: &[(&str, &str)] = &[
    (
        "assert(condition: bool, message: string = ()) -> ()",
        "Fails unless the condition holds.",
    ),
    (
        "assert_eq(got: any, expected: any) -> ()",
        "Fails unless the two are equal: tensors in shape, type and each element, arrays and maps in each value.",
    ),
    (
        "assert_close(got: any, expected: any, tolerance: number = 1e-5) -> ()",
        "Fails unless the two have the same shape and no element differs by more than the tolerance.",
    ),
    (
        "assert_throws(act: function, part: string = ()) -> ()",
        "Fails unless the function throws, as in `assert_throws(|| mine::decide(ctx))`; its message must contain the part.",
    ),
    (
        "ctx_of(given: map) -> Context",
        "A context of the slot of the script under test. What is not given is made up from `seed`: see \"Tests\" in scripts/README.md.",
    ),
    (
        "ask(ctx: Context) -> any",
        "Asks the script under test as a run does: its random numbers seeded for the step, with `this`, which it keeps until the test \
         ends.",
    ),
    (
        "state() -> map",
        "The `this` of the script under test as it is now.",
    ),
];
