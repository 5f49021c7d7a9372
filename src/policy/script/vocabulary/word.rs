//! A verb's declaration taken apart, for references and editors.

/// What a script can call, as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The heading under which the reference has it.
    pub domain: &'static str,
    /// All names that it is called by: a word, an operator, `.name` of a property, `[]` of the index.
    pub names: Vec<&'static str>,
    /// What it takes.
    pub arguments: Vec<Argument>,
    /// The type of what it gives.
    pub returns: &'static str,
    /// What it does, in one line.
    pub doc: String,
}

/// An argument of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// The types that it may have, separated by ` | `.
    pub kind: &'static str,
    /// What stands for it where it is left out; nothing where it may not be.
    pub default: Option<&'static str>,
}

impl Word {
    /// Reads `names(name: type, name: type = default) -> type`.
    pub fn parse(domain: &'static str, signature: &'static str, doc: &str) -> Self {
        let (names, rest) = signature
            .split_once('(')
            .expect("a signature has parameters");
        let (list, returns) = rest
            .rsplit_once(") -> ")
            .expect("a signature says what it gives");
        let arguments = list.split(", ").filter(|argument| !argument.is_empty());
        let doc: Vec<_> = doc.lines().map(str::trim).collect();
        Self {
            domain,
            names: names.split(',').map(str::trim).collect(),
            arguments: arguments.map(Argument::parse).collect(),
            returns,
            doc: doc.join(" "),
        }
    }
}

impl Argument {
    fn parse(text: &'static str) -> Self {
        let (name, kind) = text.split_once(": ").expect("a parameter has a type");
        let (kind, default) = match kind.split_once(" = ") {
            Some((kind, default)) => (kind, Some(default)),
            None => (kind, None),
        };
        Self {
            name,
            kind,
            default,
        }
    }
}
