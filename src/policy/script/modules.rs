//! Imports: compiled once from the texts that a source holds, so that no file is read while a script runs.

use rhai::module_resolvers::StaticModuleResolver;
use rhai::{Engine, Module, Scope};

use super::source::Source;
use super::{diagnostic, source::Text};
use crate::slots::{Fault, Kind, Slot};

/// Compiles the imports of `source`, an import before its importer.
pub(super) fn compile(
    engine: &Engine,
    source: &Source,
    slot: Slot,
) -> Result<StaticModuleResolver, Fault> {
    let mut resolver = StaticModuleResolver::new();
    let mut left: Vec<(&String, &Text)> = source.imports().iter().collect();
    while !left.is_empty() {
        let mut blocked = Vec::new();
        let before = left.len();
        let mut failure = None;
        for (path, text) in left {
            match module(engine, text, &resolver, slot) {
                Ok(module) => resolver.insert(path.as_str(), module),
                Err(fault) => {
                    failure = Some(fault);
                    blocked.push((path, text));
                }
            }
        }
        // Each round compiles at least one text, or the texts left import each other or are broken.
        if let (true, Some(fault)) = (blocked.len() == before, failure) {
            return Err(fault);
        }
        left = blocked;
    }
    Ok(resolver)
}

fn module(
    engine: &Engine,
    text: &Text,
    known: &StaticModuleResolver,
    slot: Slot,
) -> Result<Module, Fault> {
    let mut ast = engine
        .compile(&text.text)
        .map_err(|error| diagnostic::parse(slot, text, &error))?;
    ast.set_source(text.name.as_str());
    // Module::eval_ast_as_new asks the engine's own resolver, which is set only when all modules are there.
    let mut inner = Engine::new_raw();
    inner.set_module_resolver(known.clone());
    Module::eval_ast_as_new(Scope::new(), &ast, &inner).map_err(|error| {
        let mut fault = Fault::new(
            slot,
            Kind::Compile,
            format!("import '{}': {error}", text.name),
        );
        fault.report = format!("error: {}", fault.message);
        fault
    })
}
