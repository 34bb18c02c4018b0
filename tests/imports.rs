//! What the crates import: no circle among the files of shipped code, and no dependency that is not
//! used.
//!
//! A file depends on another if it names something that is defined there, by a path that begins
//! with `crate`, `self`, `super` or a child's name. A re-export leads to where the item is defined.
//! A circle among one parent's children, or among the folders at the top, is a fault. Items marked
//! `#[cfg(test)]` are left out.
//!
//! The edges from a parent to its children are left out on purpose: the children are a part of it,
//! and a child may use what its parent defines. So a parent and its child that use each other are
//! no circle here.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

#[path = "tidy/exceptions.rs"]
mod exceptions;
#[path = "common/modules.rs"]
mod modules;
#[path = "common/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use exceptions::{Breach, judge};
use modules::Crate;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The folders of the crates that are shipped.
const SHIPPED: &[&str] = &[
    "io-shared-core",
    "io-shared-channel",
    "io-shared-derive",
    "io-shared-ffi",
    "io-shared-cli",
    "io-shared-link",
    "io-shared-formats",
    ".",
];

/// A circle in the graph: its nodes in order, the first one again at the end.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn visit(
        graph: &Graph,
        node: &str,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(at) = path.iter().position(|seen| seen == node) {
            let mut circle = path[at..].to_vec();
            circle.push(node.to_owned());
            return Some(circle);
        }
        if !done.insert(node.to_owned()) {
            return None;
        }
        path.push(node.to_owned());
        let mut next = graph.get(node).into_iter().flatten();
        let found = next.find_map(|next| visit(graph, next, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|node| visit(graph, node, &mut Vec::new(), &mut done))
}

/// Whether `module` is `ancestor`, or within it.
fn is_within(module: &str, ancestor: &str) -> bool {
    let rest = module.strip_prefix(ancestor);
    rest.is_some_and(|rest| ancestor.is_empty() || rest.is_empty() || rest.starts_with("::"))
}

/// The graph of a crate's files.
fn of_files(found: &Crate) -> Graph {
    let mut graph = Graph::new();
    for (from, to) in found.edges() {
        if !is_within(&to, &from) {
            graph.entry(from).or_default().insert(to);
        }
    }
    graph
}

/// The graph of the modules at the top of a crate, each with all that is in it.
fn of_floors(found: &Crate) -> Graph {
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut graph = Graph::new();
    for (from, to) in found.edges() {
        let (from, to) = (top(&from), top(&to));
        if from != to && !from.is_empty() && !to.is_empty() {
            graph.entry(from).or_default().insert(to);
        }
    }
    graph
}

/// The edges that close circles: taking one out opens a circle, until there is none.
fn closing(mut graph: Graph) -> Vec<String> {
    let mut closing = Vec::new();
    while let Some(circle) = circle(&graph) {
        let [.., from, to] = &circle[..] else { break };
        graph.entry(from.clone()).or_default().remove(to);
        closing.push(circle.join(">"));
    }
    closing
}

#[test]
fn shipped_code_has_no_import_circle() {
    let mut breaches = Vec::new();
    for folder in SHIPPED {
        let found = Crate::read(&tree::root().join(folder).join("src"));
        let circles = [closing(of_files(&found)), closing(of_floors(&found))].concat();
        let circles: BTreeSet<String> = circles.into_iter().collect();
        breaches.extend(circles.into_iter().map(|item| {
            let path = format!("{folder}/src");
            Breach { rule: "circle", path, item, line: 1 }
        }));
    }
    judge(&["circle"], &breaches);
}

/// The folders and files at the top of core, from the bottom up. docs/ARCHITECTURE.md lists them.
const FLOORS: &[&str] = &[
    "crash_point",
    "os",
    "message",
    "error",
    "protocol",
    "lock",
    "region",
    "slot",
    "binding",
    "mmap",
    "legacy",
];

#[test]
fn each_floor_of_core_uses_only_those_below_it() {
    let floor = |name: &str| FLOORS.iter().position(|floor| *floor == name);
    let found = Crate::read(&tree::root().join("io-shared-core/src"));
    let mut faults = Vec::new();
    for (from, all) in of_floors(&found) {
        for to in all {
            if floor(&to).is_none() || floor(&from) <= floor(&to) {
                faults.push(format!("{from} uses {to}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_re_export_leads_to_where_the_item_is() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; pub use a::Inner;");
    write("a.rs", "mod x; mod y; pub use x::Inner;");
    write("a/x.rs", "pub struct Inner;");
    write("a/y.rs", "use super::Inner; fn y(_: Inner) {}");
    write("b.rs", "fn b() { let _ = crate::Inner; } #[cfg(test)] mod tests { use crate::c; }");
    let edges: Vec<_> = Crate::read(folder.path()).edges().into_iter().collect();
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    for edge in [edge("a::y", "a::x"), edge("b", "a::x")] {
        assert!(edges.contains(&edge), "{edge:?} in {edges:?}");
    }
    assert_eq!(circle(&of_files(&Crate::read(folder.path()))), None);
    write("a/x.rs", "pub struct Inner; use super::y::y as _;");
    let found = circle(&of_files(&Crate::read(folder.path()))).unwrap();
    assert_eq!(found.join(" > "), "a::x > a::y > a::x");
}

/// The dependencies of one section of a manifest, as code names them.
fn dependencies(manifest: &str, section: &str) -> Vec<String> {
    let header = format!("[{section}]");
    let lines = manifest.lines().skip_while(|line| line.trim() != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let is_entry = |line: &&str| line.contains('=') && !line.starts_with(['#', ' ']);
    let name =
        |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().replace('-', "_");
    lines.filter(is_entry).map(name).collect()
}

/// The code of Rust files: without lines that are comments alone, unless examples count.
fn code(files: &[PathBuf], with_examples: bool) -> String {
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let strip = |text: String| {
        let is_code = |line: &&str| with_examples || !line.trim_start().starts_with("//");
        text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
    };
    texts.map(strip).collect::<Vec<_>>().join("\n")
}

/// Whether code uses the dependency: by a path that begins with its name, or by `use name`.
fn is_used(name: &str, code: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        // Not a part of a longer name, nor of a path that begins elsewhere: `a::name`, `a.name`.
        let starts = !before.ends_with(|c| is_part(c) || c == '.')
            && before.strip_suffix("::").is_none_or(|before| !before.ends_with(is_part));
        let is_path = after.starts_with("::");
        let is_import = before.ends_with("use ") && !after.starts_with(is_part);
        starts && (is_path || is_import)
    })
}

#[test]
fn only_a_path_or_an_import_uses_a_dependency() {
    for used in ["nix::fcntl()", "::nix::fcntl()", "use nix;", "use nix as os;", "pub use nix::x;"]
    {
        assert!(is_used("nix", used), "{used}");
    }
    for not in ["let nix = 1;", "a.nix::<u8>()", "crate::nix::x()", "phoenix::x()", "use nixos;"] {
        assert!(!is_used("nix", not), "{not}");
    }
}

/// The Rust files of a package, without those of packages within it.
fn files_of(package: &Path, packages: &[PathBuf]) -> Vec<PathBuf> {
    let owner = |file: &PathBuf| {
        let owners = packages.iter().filter(|package| file.starts_with(package));
        owners.max_by_key(|package| package.components().count()).cloned()
    };
    let files = tree::files_with(&["rs"]);
    files.into_iter().filter(|file| owner(file).as_deref() == Some(package)).collect()
}

#[test]
fn every_dependency_is_used() {
    let manifests = tree::files_with(&["toml"]);
    let manifests: Vec<_> = manifests.iter().filter(|file| file.ends_with("Cargo.toml")).collect();
    let packages: Vec<PathBuf> =
        manifests.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
    let mut faults = Vec::new();
    for (manifest, package) in manifests.iter().zip(&packages) {
        let text = std::fs::read_to_string(manifest).unwrap();
        let files = files_of(package, &packages);
        let (source, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.starts_with(package.join("src")));
        let both = [source.clone(), others].concat();
        let source = if source.is_empty() { &both } else { &source };
        let sections = [("dependencies", source, false), ("dev-dependencies", &both, true)];
        for (section, files, with_examples) in sections {
            let code = code(files, with_examples);
            let unused = dependencies(&text, section);
            let unused = unused.into_iter().filter(|name| !is_used(name, &code));
            faults.extend(unused.map(|name| format!("{}: {name}", tree::shown(manifest))));
        }
    }
    let all: String = manifests.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let workspace = std::fs::read_to_string(tree::root().join("Cargo.toml")).unwrap();
    for name in dependencies(&workspace, "workspace.dependencies") {
        let is_user = |line: &str| {
            let user = line.split(['.', ' ', '=']).next().unwrap_or_default().replace('-', "_");
            user == name && line.contains("workspace")
        };
        if !all.lines().any(is_user) {
            faults.push(format!("Cargo.toml: no package uses {name}"));
        }
    }
    assert!(faults.is_empty(), "not used:\n{}", faults.join("\n"));
}

/// What `cargo add io-shared` pulls in, besides io-shared's own crates.
const PULLED_IN: &[&str] = &[
    "bitflags",
    "bytemuck",
    "cfg-if",
    "crossbeam-utils",
    "equivalent",
    "hashbrown",
    "indexmap",
    "itoa",
    "libc",
    "memchr",
    "memmap2",
    "nix",
    "pin-project-lite",
    "proc-macro-crate",
    "proc-macro2",
    "quote",
    "serde_core",
    "serde_json",
    "syn",
    "toml_datetime",
    "toml_edit",
    "toml_parser",
    "tracing",
    "tracing-core",
    "unicode-ident",
    "winnow",
    "zerocopy",
    "zerocopy-derive",
    "zmij",
];

#[test]
fn whoever_adds_the_library_gets_these_crates_and_none_of_the_command() {
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--package", "io-shared", "--edges", "normal"]);
    tree.args(["--prefix", "none", "--format", "{p}"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    let found: BTreeSet<&str> = names.filter(|name| !name.starts_with("io-shared")).collect();
    // It is a change for every user: what comes in is listed here on purpose.
    assert_eq!(found, BTreeSet::from_iter(PULLED_IN.iter().copied()));
    let own: BTreeSet<&str> =
        text.split_whitespace().filter(|w| w.starts_with("io-shared")).collect();
    let crates = ["io-shared", "io-shared-channel", "io-shared-core", "io-shared-derive"];
    assert_eq!(own, BTreeSet::from(crates));
}

/// The crates of a program that has io-shared, except io-shared itself, along these edges.
fn crates_along(edges: &str) -> BTreeSet<String> {
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--package", "io-shared", "--edges", edges]);
    tree.args(["--prefix", "none", "--format", "{p}"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != "io-shared" && !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_readme_counts_the_crates_that_a_program_gets() {
    let in_it = crates_along("normal,no-proc-macro").len();
    let at_build = crates_along("normal,build").len() - in_it;
    let readme = std::fs::read_to_string(tree::root().join("README.md")).unwrap();
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = format!("adds {in_it} crates to a program, its own among them, and {at_build} more");
    assert!(readme.contains(&said), "{said}");
}
