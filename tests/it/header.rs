//! The checked-in C header is the one that the types give, and compiles without a warning as C11 and as C++17.
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use sandbox_plugin_abi::{LAYOUT, LAYOUTS};

use crate::support::repo;

const DLPACK: [&str; 3] = ["DLDevice", "DLDataType", "DLTensor"];

/// DLPack's structs, unless its own header has come before.
const DLPACK_STRUCTS: &str = "
#ifndef DLPACK_DLPACK_H_
/* DLPack's view of a tensor, as dlpack.h 1.x lays it out. Include that header before this one to use both. */
typedef struct DLDevice {
  int32_t device_type; /* SBX_DL_CPU or SBX_DL_CUDA */
  int32_t device_id;   /* which one, counted from 0 */
} DLDevice;

typedef struct DLDataType {
  uint8_t code; /* SBX_DL_INT, SBX_DL_FLOAT or SBX_DL_BOOL */
  uint8_t bits; /* bits of an element: 64 for labels and rows, 32 for features, 8 for booleans */
  uint16_t lanes; /* 1 */
} DLDataType;

typedef struct DLTensor {
  void *data;     /* the first element is byte_offset bytes behind */
  DLDevice device;
  int32_t ndim;   /* number of dimensions; 0 for a single number */
  DLDataType dtype;
  int64_t *shape;   /* ndim sizes */
  int64_t *strides; /* ndim distances between neighbours, in elements; never null here */
  uint64_t byte_offset; /* 0 here */
} DLTensor;
#endif
";

fn folder() -> PathBuf {
    repo().join("plugins/include")
}

/// The header as it must be.
fn header() -> String {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        cpp_compat: true,
        style: cbindgen::Style::Both,
        documentation_style: cbindgen::DocumentationStyle::C,
        header: Some(
            "/* The C contract between the sandbox and its plugins. Generated from plugins/abi; plugins/README.md says how it is\n   used. \
             SANDBOX_WRITE=1 cargo test --test it header writes it anew. */\n#ifndef SANDBOX_PLUGIN_H\n#define SANDBOX_PLUGIN_H"
                .into(),
        ),
        after_includes: Some(format!(
            "{DLPACK_STRUCTS}\n/* What SbxPlugin.layout must say. */\n#define SBX_LAYOUT UINT64_C({LAYOUT:#018x})"
        )),
        trailer: Some(assertions()),
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        usize_is_size_t: true,
        line_length: 130,
        ..Default::default()
    };
    config.export.exclude = DLPACK.iter().map(|name| (*name).to_owned()).collect();
    config.export.exclude.push("Layout".into());
    config.export.include = vec!["SbxPlugin".into(), "SbxHost".into()];
    let bindings = cbindgen::Builder::new()
        .with_crate(repo().join("plugins/abi"))
        .with_config(config)
        .generate()
        .unwrap();
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    // Links of the docs mean nothing in C.
    text.replace("[`crate::", "`")
        .replace("[`", "`")
        .replace("`]", "`")
}

/// Size and offsets of each struct, and the one function that a plugin exports.
fn assertions() -> String {
    let mut text = String::from(
        "#if defined(__cplusplus)\n#define SBX_ASSERT(holds) static_assert(holds, #holds)\n#else\n\
         #define SBX_ASSERT(holds) _Static_assert(holds, #holds)\n#endif\n\n\
         /* Where each field lies, on a machine with 64-bit pointers: the only ones that the sandbox runs on. */\n",
    );
    for layout in LAYOUTS {
        let _ = writeln!(
            text,
            "SBX_ASSERT(sizeof({}) == {});",
            layout.name, layout.size
        );
        for (field, offset) in layout.fields {
            let _ = writeln!(
                text,
                "SBX_ASSERT(offsetof({}, {field}) == {offset});",
                layout.name
            );
        }
    }
    text.push_str(
        "\n#if defined(__cplusplus)\nextern \"C\" {\n#endif\n\n\
         /* The one function that a plugin exports. It returns the same table each time, and never fails. */\n\
         #if defined(__GNUC__)\n__attribute__((visibility(\"default\")))\n#endif\n\
         const SbxPlugin *sandbox_plugin(void);\n\n#if defined(__cplusplus)\n}\n#endif\n\n#endif /* SANDBOX_PLUGIN_H */",
    );
    text
}

#[test]
fn the_header_is_fresh() {
    let path = folder().join("sandbox_plugin.h");
    let header = header();
    if std::env::var_os("SANDBOX_WRITE").is_some() {
        std::fs::write(&path, &header).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == header,
        "plugins/include/sandbox_plugin.h is stale: SANDBOX_WRITE=1 cargo test --test it header"
    );
}

#[test]
fn the_header_compiles_as_c_and_as_cpp_without_a_warning() {
    for (compiler, language, standard) in [("cc", "c", "c11"), ("c++", "c++", "c++17")] {
        let output = Command::new(compiler)
            .args(["-x", language, &format!("-std={standard}")])
            .args([
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
                "-fsyntax-only",
                "-include",
                "sandbox_plugin.h",
                "/dev/null",
                "-I",
            ])
            .arg(folder())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && text.is_empty(),
            "{compiler}: {text}"
        );
    }
}

/// `dlpack.h` 1.x: offsets as they stand in its documentation.
#[test]
fn dlpack_lies_where_dlpack_lays_it() {
    let tensor = LAYOUTS
        .iter()
        .find(|layout| layout.name == "DLTensor")
        .unwrap();
    assert_eq!(tensor.size, 48);
    let expected = [
        ("data", 0),
        ("device", 8),
        ("ndim", 16),
        ("dtype", 20),
        ("shape", 24),
        ("strides", 32),
        ("byte_offset", 40),
    ];
    assert_eq!(tensor.fields, expected);
}

/// A host of any version reads these to tell a plugin of any other why it does not fit.
#[test]
fn the_head_of_the_table_never_moves() {
    let plugin = LAYOUTS
        .iter()
        .find(|layout| layout.name == "SbxPlugin")
        .unwrap();
    let expected = [
        ("struct_size", 0),
        ("abi_major", 8),
        ("abi_minor", 12),
        ("layout", 16),
    ];
    assert_eq!(plugin.fields[..4], expected);
}

/// Each published version's layout: a change without a new version breaks plugins that say they fit.
#[test]
fn a_version_keeps_its_layout() {
    assert_eq!(
        (
            sandbox_plugin_abi::SBX_ABI_MAJOR,
            sandbox_plugin_abi::SBX_ABI_MINOR,
            LAYOUT
        ),
        (1, 0, 0xfd0c_7bf9_9652_f13e)
    );
}
