//! The modules of a crate, and which of them name something that is defined in which other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit;

/// What a name in a module stands for.
#[derive(Clone)]
enum Name {
    /// Something that is defined there.
    Own,
    /// Something that is imported, by this path.
    Imported(Vec<String>),
}

/// A module: the one whose file it is in, its names, and the paths that it mentions.
#[derive(Default)]
struct Module {
    file: Vec<String>,
    names: BTreeMap<String, Name>,
    mentioned: Vec<Vec<String>>,
}

/// The modules of a crate by their paths from its root.
#[derive(Default)]
pub(crate) struct Crate {
    modules: BTreeMap<Vec<String>, Module>,
}

impl Crate {
    /// Reads the crate whose `lib.rs`, or else `main.rs`, is in a folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut found = Self::default();
        let library = folder.join("lib.rs");
        let root = if library.exists() { library } else { folder.join("main.rs") };
        found.add_file(&root, folder, Vec::new());
        found
    }

    fn add_file(&mut self, file: &Path, children: &Path, path: Vec<String>) {
        let text = std::fs::read_to_string(file).unwrap();
        let items = syn::parse_file(&text).unwrap().items;
        self.add_module(&items, children, path.clone(), path);
    }

    fn add_module(
        &mut self,
        items: &[syn::Item],
        children: &Path,
        path: Vec<String>,
        file: Vec<String>,
    ) {
        let mut module = Module { file: file.clone(), ..Module::default() };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Some(name) = name_of(item) {
                module.names.insert(name, Name::Own);
            }
            match item {
                syn::Item::Use(item) => add_uses(&item.tree, Vec::new(), &mut module),
                syn::Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let path = [path.clone(), vec![name.clone()]].concat();
                    let folder = children.join(&name);
                    if let Some((_, items)) = &item.content {
                        self.add_module(items, &folder, path, file.clone());
                    } else {
                        let alone = children.join(format!("{name}.rs"));
                        let file = if alone.exists() { alone } else { folder.join("mod.rs") };
                        self.add_file(&file, &folder, path);
                    }
                }
                item => module.visit_item(item),
            }
        }
        self.modules.insert(path, module);
    }

    /// Each pair of files of which the first names something that is defined in the second.
    pub(crate) fn edges(&self) -> BTreeSet<(String, String)> {
        let mut edges = BTreeSet::new();
        for (path, module) in &self.modules {
            let imported = module.names.values().filter_map(|name| match name {
                Name::Imported(path) => Some(path),
                Name::Own => None,
            });
            for mentioned in module.mentioned.iter().chain(imported) {
                let Some(to) = self.resolve(path, mentioned, 0) else { continue };
                let file = |path: &[String]| self.modules[path].file.join("::");
                let (from, to) = (file(path), file(&to));
                if from != to {
                    edges.insert((from, to));
                }
            }
        }
        edges
    }

    /// The module in which `path`, as it is written in the module `at`, is defined.
    fn resolve(&self, at: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let (mut at, mut rest) = (at.to_vec(), path);
        let mut is_first = true;
        while let Some((first, after)) = rest.split_first() {
            let child = [at.clone(), vec![first.clone()]].concat();
            match first.as_str() {
                "crate" => at = Vec::new(),
                "self" => {}
                "super" => {
                    at.pop()?;
                }
                _ if self.modules.contains_key(&child) => at = child,
                name => match self.modules.get(&at)?.names.get(name) {
                    Some(Name::Imported(path)) if depth < 10 => {
                        let path = path.clone();
                        let leads_back = path.first().is_some_and(|first| first == name);
                        let to = self.resolve_import(&at, &path, leads_back, depth)?;
                        return self.resolve(&to, after, depth + 1).or(Some(to));
                    }
                    Some(_) => return Some(at),
                    None if is_first => return None, // another crate, or the prelude
                    None => return Some(at),
                },
            }
            is_first = false;
            rest = after;
        }
        Some(at)
    }

    /// The same of an imported path. One such as `serde::Value`, imported as `serde`, is foreign.
    fn resolve_import(
        &self,
        at: &[String],
        path: &[String],
        leads_back: bool,
        depth: usize,
    ) -> Option<Vec<String>> {
        if leads_back { None } else { self.resolve(at, path, depth + 1) }
    }
}

/// Adds the names that a `use` brings into a module.
fn add_uses(tree: &syn::UseTree, mut path: Vec<String>, module: &mut Module) {
    match tree {
        syn::UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            add_uses(&tree.tree, path, module);
        }
        syn::UseTree::Name(tree) if tree.ident == "self" => {
            let name = path.last().cloned().unwrap_or_default();
            module.names.insert(name, Name::Imported(path));
        }
        syn::UseTree::Name(tree) => {
            path.push(tree.ident.to_string());
            module.names.insert(tree.ident.to_string(), Name::Imported(path));
        }
        syn::UseTree::Rename(tree) => {
            path.push(tree.ident.to_string());
            let name = tree.rename.to_string();
            let name = if name == "_" { path.join("::") } else { name };
            module.names.insert(name, Name::Imported(path));
        }
        syn::UseTree::Glob(_) => module.mentioned.push(path),
        syn::UseTree::Group(tree) => {
            tree.items.iter().for_each(|tree| add_uses(tree, path.clone(), module));
        }
    }
}

impl Visit<'_> for Module {
    fn visit_path(&mut self, path: &syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string());
        self.mentioned.push(segments.collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let mut within = Self::default();
        add_uses(&item.tree, Vec::new(), &mut within);
        self.mentioned.extend(within.mentioned);
        self.mentioned.extend(within.names.into_values().filter_map(|name| match name {
            Name::Imported(path) => Some(path),
            Name::Own => None,
        }));
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            syn::visit::visit_impl_item_fn(self, item);
        }
    }
}

/// Whether something is compiled for tests alone.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string();
        let condition = condition.replace(' ', "");
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all(test"))
    })
}

fn name_of(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
