//! How a verb is declared, and how a declaration becomes functions of a Rhai module.

use std::any::TypeId;
use std::rc::Rc;

use rhai::{
    Array, Dynamic, EvalAltResult, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared,
};

use super::answer::{Answer, Fault};
use super::arguments::Arguments;
use super::signature::{Param, Signature};
use super::size::{self, Makes};
use super::word::Word;
use super::{CALLS, Classifier, Handle, Rng, held, is_late, working};
use crate::ground::memory::readable;
use crate::policy::script::limits::Stopped;

/// A verb of the vocabulary. One declaration serves registration, type errors, the list of names and the reference.
pub(super) struct Verb {
    /// `names(param: type, param: type = default) -> type`. Several names are separated by commas; `.name` is a property, `[]` the
    /// index. A parameter with a default may be left out.
    signature: &'static str,
    doc: &'static str,
    run: fn(&Arguments<'_>) -> Answer,
}

/// Declares a verb.
pub(super) const fn verb(
    signature: &'static str,
    doc: &'static str,
    run: fn(&Arguments<'_>) -> Answer,
) -> Verb {
    Verb {
        signature,
        doc,
        run,
    }
}

impl Verb {
    /// Its names as declared, operators and properties among them.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.head().split(',').map(str::trim)
    }

    /// The verb as tools read it.
    pub(super) fn word(&self, domain: &'static str) -> Word {
        Word::parse(domain, self.signature, self.doc)
    }

    /// A line of the reference.
    pub(super) fn reference(&self) -> String {
        let doc: Vec<_> = self.doc.lines().map(str::trim).collect();
        format!("- `{}`: {}\n", self.signature, doc.join(" "))
    }

    fn head(&self) -> &'static str {
        self.signature
            .split_once('(')
            .expect("a signature has parameters")
            .0
    }

    fn params(&self) -> Rc<[Param]> {
        let (_, rest) = self
            .signature
            .split_once('(')
            .expect("a signature has parameters");
        let (list, _) = rest
            .rsplit_once(") ->")
            .expect("a signature says what it gives");
        let declared = list.split(", ").filter(|param| !param.is_empty());
        declared
            .map(|param| {
                let (name, kind) = param.split_once(": ").expect("a parameter has a type");
                let (kind, default) = kind
                    .split_once(" = ")
                    .map_or((kind, None), |(k, d)| (k, Some(d)));
                Param {
                    name,
                    kind,
                    optional: default.is_some(),
                }
            })
            .collect()
    }

    fn returns(&self) -> &'static str {
        self.signature
            .rsplit_once("-> ")
            .expect("a signature says what it gives")
            .1
    }

    /// Adds the verb to a module: each name, with each number of arguments that the defaults allow.
    pub(super) fn install(&self, module: &mut Module) {
        let params = self.params();
        let required = params.iter().filter(|param| !param.optional).count();
        for name in self.names() {
            let signature = Rc::new(Signature {
                name,
                params: params.clone(),
            });
            for count in required..=params.len() {
                for types in overloads(&params[..count]) {
                    self.registration(&signature, count).set_into_module_raw(
                        module,
                        types,
                        self.function(&signature),
                    );
                }
            }
        }
    }

    fn registration(&self, signature: &Signature, count: usize) -> FuncRegistration {
        let registration = match signature.name {
            "[]" => FuncRegistration::new_index_getter(),
            name => match name.strip_prefix('.') {
                Some(property) => FuncRegistration::new_getter(property),
                None => FuncRegistration::new(name).in_global_namespace(),
            },
        };
        let params = signature.params[..count]
            .iter()
            .map(|param| format!("{}: {}", param.name, param.kind));
        registration
            .with_params_info(params.chain([self.returns().to_owned()]))
            .with_comments(self.doc.lines().map(|line| format!("/// {}", line.trim())))
    }

    fn function(&self, signature: &Rc<Signature>) -> RhaiFunc {
        let (signature, run) = (Rc::clone(signature), self.run);
        let (rule, makes) = (size::rule(signature.name), Makes::of(signature.name));
        let call = move |_: Option<NativeCallContext>, values: &mut [&mut Dynamic]| {
            CALLS.set(CALLS.get() + 1);
            working(|| {
                // Between two words of a loop Rhai may count too few operations to look at the clock itself.
                if is_late() {
                    return Err(Stopped::Clock.into());
                }
                let arguments = Arguments::new(&signature, values);
                let bytes = rule(&arguments);
                expect_room(&signature, bytes)?;
                let answer = held::making(makes.owner(&arguments), || run(&arguments));
                let answer = answer.map_err(|fault| match fault {
                    Fault::Late => Stopped::Clock.into(),
                    fault => Box::<EvalAltResult>::from(arguments.explain(&fault)),
                })?;
                debug_assert!(
                    makes != Makes::New || size::of(&answer) as f64 <= bytes + SCALARS,
                    "{}: {} bytes, no more than {bytes} were expected",
                    signature.name,
                    size::of(&answer)
                );
                size::know_again(&answer, &arguments);
                Ok(answer)
            })
        };
        // A constant may be an argument, since nothing changes in place. Volatile keeps the optimiser from calling it early.
        RhaiFunc::Method {
            func: Shared::new(call),
            has_context: false,
            is_pure: true,
            is_volatile: true,
        }
    }
}

/// Bytes of the numbers that an answer has beside what the rules count.
const SCALARS: f64 = 64.0;

/// That an answer of so many bytes fits beside what the call holds already.
fn expect_room(signature: &Signature, bytes: f64) -> Result<(), Box<EvalAltResult>> {
    held::room(bytes as u64).map_err(|(held, limit)| {
        let name = signature.name.trim_start_matches('.');
        let [bytes, held, limit] = [bytes as u64, held, limit].map(readable);
        Stopped::Memory(format!(
            "{name}: the answer takes up to {bytes}; the call and its state hold {held} already, and may hold {limit}"
        ))
        .into()
    })
}

/// The types under which Rhai finds the function. All parameters but the first take any value, so that a wrong one is our error and
/// names the parameter.
fn overloads(params: &[Param]) -> Vec<Vec<TypeId>> {
    let any = TypeId::of::<Dynamic>();
    let mut types = vec![any; params.len()];
    let Some(first) = params.first() else {
        return vec![types];
    };
    types[0] = match first.kind {
        "Tensor" | "Tensor | number" => TypeId::of::<Handle>(),
        "Rng" => TypeId::of::<Rng>(),
        "Classifier" => TypeId::of::<Classifier>(),
        "array" => TypeId::of::<Array>(),
        _ => any,
    };
    let mut all = vec![types];
    // An operator whose left side may be a number: at least one side is a tensor, or it would catch every pair of values.
    if first.kind == "Tensor | number" {
        all.push(vec![any, TypeId::of::<Handle>()]);
    }
    all
}
