//! Types in the words of scripts: Rhai and Rust have names of their own for some.

use rhai::Dynamic;

/// The type of a value.
pub fn kind_of(value: &Dynamic) -> &'static str {
    let name = value.type_name();
    word(name).unwrap_or(name)
}

/// The word for a type that Rust calls so, if it is another one.
fn word(name: &str) -> Option<&'static str> {
    // A path ends with the type's own name, behind which its parameters stand.
    let own = name.split('<').next().unwrap_or_default();
    Some(match own.rsplit("::").next().unwrap_or_default() {
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "str" | "String" | "ImmutableString" => "string",
        "Handle" => "Tensor",
        "Rng" => "Rng",
        "Classifier" => "Classifier",
        "Context" => "Context",
        "Record" | "Map" => "map",
        "Array" => "array",
        "Blob" => "blob",
        "FnPtr" => "Fn",
        "Range" | "RangeInclusive" => "range",
        "Dynamic" => "any",
        _ => return None,
    })
}

/// A text of Rhai's with the types that it names in the words of scripts.
pub(in crate::policy::script) fn in_words(text: &str) -> String {
    let text = text.replace("&str | ImmutableString | String", "string");
    let text = text
        .replace("&mut ", "")
        .replace("mut ", "")
        .replace('&', "");
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '<' | '>');
    let mut all = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(of_name) {
        let (before, name) = rest.split_at(start);
        let end = name.find(|c| !of_name(c)).unwrap_or(name.len());
        // The colon behind a parameter's name is not of a path.
        let bare = name[..end].trim_end_matches(':');
        all.push_str(before);
        all.push_str(word(bare).unwrap_or(bare));
        rest = &name[bare.len().max(1)..];
        if bare.is_empty() {
            all.push_str(&name[..1]);
        }
    }
    all + rest
}

/// Whether a signature takes a type that no value of a script has.
pub(in crate::policy::script) fn is_foreign(signature: &str) -> bool {
    let foreign = [
        "i8", "i16", "i32", "i128", "u8", "u16", "u32", "u64", "u128", "f32",
    ];
    let mut names = signature.split(|c: char| !c.is_alphanumeric());
    names.any(|name| foreign.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_scripts_name_them() {
        for (text, expected) in [
            (
                "mixin(map: &mut Map, map2: Map)",
                "mixin(map: map, map2: map)",
            ),
            ("+ (sandbox::policy::Handle, i64)", "+ (Tensor, int)"),
            (
                "data type incorrect: sandbox::policy::script::vocabulary::record::Record (expecting bool)",
                "data type incorrect: map (expecting bool)",
            ),
            (
                "remove (map, &str | ImmutableString | String)",
                "remove (map, string)",
            ),
            ("f (core::ops::range::Range<i64>)", "f (range)"),
            ("2 < 3 : a", "2 < 3 : a"),
            ("'>>' :", "'>>' :"),
        ] {
            assert_eq!(in_words(text), expected, "{text}");
        }
        assert!(is_foreign("max(x: INT, y: f32)") && !is_foreign("max(x: Tensor)"));
    }
}
