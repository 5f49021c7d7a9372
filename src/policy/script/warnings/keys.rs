//! Keys of a script's own maps that are hardly called so: Rhai gives `()` for a key that a map has not, and nothing takes an answer of
//! another name.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Position, Stmt};

use super::Found;
use crate::ground::suggest;
use crate::policy::script::Script;

impl Script {
    /// Keys of `this` that are read and that nothing sets. Nothing is said of a script that sets keys by names that it computes.
    pub(super) fn unset_state(&self) -> Vec<Found> {
        let mut read: Vec<(Position, String)> = Vec::new();
        let mut set = BTreeSet::new();
        let mut computed = false;
        self.ast().walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => match &assignment.1.lhs {
                    Expr::ThisPtr(_) => computed |= keys(&assignment.1.rhs).is_none(),
                    lhs => set.extend(of_this(lhs).map(|(_, name)| name)),
                },
                Some(ASTNode::Expr(expr)) => {
                    set.extend(keys(expr).into_iter().flatten().map(|(_, name)| name));
                    computed |= is_open(expr);
                    read.extend(of_this(expr));
                }
                _ => {}
            }
            true
        });
        if computed {
            return Vec::new();
        }
        read.sort_by_key(|(place, _)| super::at(*place));
        read.dedup();
        let unset = read.into_iter().filter(|(_, name)| !set.contains(name));
        let message = |name: &str| {
            let near = suggest::nearest(name, set.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!(": did you mean '{near}'?"));
            format!("nothing sets 'this.{name}', so that it is () always{near}")
        };
        unset.map(|(place, name)| (place, message(&name))).collect()
    }

    /// Parameters that it asks for and does not have, by a name that is nearly that of one: whoever asks is answered no.
    pub(super) fn unknown_params(&self) -> Vec<Found> {
        let known: Vec<_> = self.params().keys().map(String::as_str).collect();
        let mut found = Vec::new();
        self.ast().walk(&mut |path| {
            let Some((place, name)) = path.last().and_then(asked_param) else {
                return true;
            };
            let near = suggest::nearest(name, known.iter().copied());
            if let Some(near) = near.filter(|_| !known.contains(&name)) {
                let message = format!("it has no parameter '{name}': did you mean '{near}'?");
                found.push((place, message));
            }
            true
        });
        found
    }

    /// Keys of answers that are called nearly as one that the host takes. A rehearsal sees those alone that it comes by.
    pub(super) fn misspelt_answers(&self) -> Vec<Found> {
        let functions = self.slot().contract().functions.iter();
        let known = functions.flat_map(|function| function.of_scripts());
        let known: BTreeSet<_> = known.map(|answer| answer.name).collect();
        let mut found = Vec::new();
        self.ast().walk(&mut |path| {
            let answered = match path.last() {
                Some(ASTNode::Stmt(Stmt::Expr(expr) | Stmt::Return(Some(expr), ..))) => keys(expr),
                _ => None,
            };
            for (place, name) in answered.into_iter().flatten() {
                let near = suggest::nearest(&name, known.iter().copied());
                // What `defaults()` returns are names of parameters.
                let meant = known.contains(name.as_str()) || self.params().contains_key(&name);
                if let Some(near) = near.filter(|_| !meant) {
                    let message = format!("the host takes no '{name}': did you mean '{near}'?");
                    found.push((place, message));
                }
            }
            true
        });
        found
    }
}

/// The parameter that is asked for in `"name" in ctx.params` or `ctx.params.has("name")`.
fn asked_param<'a>(node: &ASTNode<'a>) -> Option<(Position, &'a str)> {
    let (call, place) = match node {
        ASTNode::Expr(Expr::FnCall(call, place)) | ASTNode::Stmt(Stmt::FnCall(call, place))
            if call.args.iter().any(is_params) =>
        {
            (call, place)
        }
        ASTNode::Expr(Expr::Dot(of, ..)) => match &of.rhs {
            Expr::MethodCall(call, place) if is_params(&of.lhs) => (call, place),
            Expr::Dot(of, ..) => match (&of.lhs, &of.rhs) {
                (Expr::Property(name, _), Expr::MethodCall(call, place)) if name.2 == "params" => {
                    (call, place)
                }
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    let asks = ["contains", "has", "get"].contains(&call.name.as_str());
    call.args
        .iter()
        .filter(|_| asks)
        .find_map(|asked| match asked {
            Expr::StringConstant(name, _) => Some((*place, name.as_str())),
            _ => None,
        })
}

/// Whether an expression is `ctx.params`, whatever the context is called.
fn is_params(expr: &Expr) -> bool {
    matches!(expr, Expr::Dot(of, ..) if matches!(&of.rhs, Expr::Property(name, _) if name.2 == "params"))
}

/// The keys of a map that is written out, with their places; none of what is something else.
fn keys(expr: &Expr) -> Option<Vec<(Position, String)>> {
    match expr {
        Expr::Map(map, _) => {
            let keys = map.0.iter();
            Some(
                keys.map(|(key, _)| (key.pos, key.name.to_string()))
                    .collect(),
            )
        }
        // Rhai has made a value of a map of constants.
        Expr::DynamicConstant(value, place) => {
            let map = value.as_map_ref().ok()?;
            Some(map.keys().map(|key| (*place, key.to_string())).collect())
        }
        _ => None,
    }
}

/// The key of `this` that an expression begins with, as `count` of `this.count.x`.
fn of_this(expr: &Expr) -> Option<(Position, String)> {
    let (Expr::Dot(of, ..) | Expr::Index(of, ..)) = expr else {
        return None;
    };
    match (&of.lhs, &of.rhs) {
        (Expr::ThisPtr(_), rhs) => property(rhs),
        (lhs, _) => of_this(lhs),
    }
}

fn property(expr: &Expr) -> Option<(Position, String)> {
    match expr {
        Expr::Property(name, place) => Some((*place, name.2.to_string())),
        Expr::Dot(of, ..) | Expr::Index(of, ..) => property(&of.lhs),
        _ => None,
    }
}

/// Whether an expression may set keys of `this` by names that are not written: `this[name]`, `this.mixin(..)`.
fn is_open(expr: &Expr) -> bool {
    match expr {
        Expr::Index(of, ..) => matches!(of.lhs, Expr::ThisPtr(_)),
        Expr::Dot(of, ..) => {
            matches!(of.lhs, Expr::ThisPtr(_)) && matches!(of.rhs, Expr::MethodCall(..))
        }
        _ => false,
    }
}
