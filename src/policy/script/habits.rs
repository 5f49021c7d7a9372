//! What somebody who writes Python and PyTorch is likely to have meant, as a note below the error.

use rhai::{EvalAltResult, ParseErrorType, Position};

use super::source::Text;

/// A line that does not parse: what stands in it, and what is written in its place.
const LINES: &[(&str, &str)] = &[
    ("dim=", NAMED),
    ("dim =", NAMED),
    ("keepdim=", NAMED),
    (
        "[:",
        "a part of a tensor is 'x[a..b]' of the first dimension, 'x.select(dim, i)' or 'x.narrow(dim, start, length)'; '[:, None]' is 'x.unsqueeze(1)'",
    ),
    (
        ":]",
        "a part of a tensor is 'x[a..b]', to the end 'x[a..=-1]' or 'x.narrow(dim, start, length)'",
    ),
    (" @ ", "the matrix product is 'x.matmul(y)'"),
    ("~", "the opposite of a mask is '!mask'"),
    (
        "lambda ",
        "a function of one's own is '|x| x + 1', and is called 'f.call(x)'",
    ),
    (
        " and ",
        "'and', 'or', 'not' are '&&', '||', '!'; of tensors '&', '|', '!'",
    ),
    (
        " or ",
        "'and', 'or', 'not' are '&&', '||', '!'; of tensors '&', '|', '!'",
    ),
    (" is ", "'x is None' is 'x == ()'"),
    ("def ", "a function is 'fn name(ctx) { .. }'"),
    ("elif ", "'elif' is 'else if'"),
    ("# ", "a comment begins with '//'"),
    ("\": ", "a map is '#{ name: value }'"),
    (
        "let (",
        "several values at once are not taken apart: 'let r = x.topk(5);', then 'r.values' and 'r.indices'",
    ),
    (
        "let new",
        "'new' is a word that Rhai keeps for itself, as are 'default', 'match', 'shared', 'static', 'use', 'with' and others",
    ),
];

const NAMED: &str = "arguments have no names: they are given in their order, as in 'x.softmax(1)'";

/// Names that Python has and Rhai has not.
const NAMES: &[(&str, &str)] = &[
    ("None", "'None' is '()'"),
    ("True", "'True' is 'true'"),
    ("False", "'False' is 'false'"),
    (
        "torch",
        "words stand alone or behind a tensor: 'zeros([3])', 'x.matmul(y)'",
    ),
    (
        "np",
        "words stand alone or behind a tensor: 'zeros([3])', 'x.matmul(y)'",
    ),
    ("F", "words stand alone or behind a tensor: 'x.softmax(1)'"),
    ("not", "'not' is '!'"),
    ("self", "the state is 'this'"),
    ("inf", "infinity is '1.0 / 0.0'"),
    ("INF", "infinity is '1.0 / 0.0'"),
    ("dim", NAMED),
    ("keepdim", NAMED),
];

/// Of an error at which a text does not parse.
pub(super) fn parsing(error: &ParseErrorType, text: &Text, place: Position) -> Option<String> {
    if let ParseErrorType::VariableUndefined(name) = error {
        let known = NAMES.iter().find(|(python, _)| python == name);
        return known.map(|(_, note)| (*note).to_owned());
    }
    let line = text.text.lines().nth(place.line()?.checked_sub(1)?)?;
    // A name with a dot as a key of a map.
    if error.to_string().contains("Expecting ':'") && line.contains("#{") {
        return Some("a name with a dot is written in quotes: #{ \"optim.lr\": 0.1 }".to_owned());
    }
    let code = line.split("//").next().unwrap_or_default();
    let known = LINES.iter().find(|(python, _)| code.contains(python));
    let own = known.map(|(_, note)| (*note).to_owned());
    own.or_else(|| {
        let ends = error.to_string().contains("';'");
        ends.then(|| "a statement ends with ';', also in the line before".to_owned())
    })
}

/// Of an error that stops a script.
pub(super) fn running(error: &EvalAltResult) -> Option<&'static str> {
    match error {
        EvalAltResult::ErrorMismatchDataType(expected, got, _)
            if expected == "bool" && got.ends_with("Handle") =>
        {
            Some("a tensor is no bool: 'if x.any().item() { .. }', 'x.all().item()'")
        }
        EvalAltResult::ErrorIndexingType(what, _) if what.starts_with("Tensor [") => Some(
            "nothing changes in place: 'x = x.masked_fill(mask, value)', 'x = x.index_put(rows, values)', 'x = x.scatter(dim, index, values)'",
        ),
        EvalAltResult::ErrorUnboundThis(_) => Some(
            "'this' is the policy's in the functions that the host calls: give others what they need of it as an argument",
        ),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let known = NAMES.iter().find(|(python, _)| python == name);
            known.map(|(_, note)| *note)
        }
        _ => None,
    }
}
