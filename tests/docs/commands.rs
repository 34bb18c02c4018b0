//! The commands and programs of the README and of the guide: that each is run, as
//! `tests/docs/commands.txt` says.

use crate::tree::{files_with, root, shown};
use crate::{is_python_test, is_test, read};

/// Blocks that show a file, or what a program prints.
const SHOWN: &[&str] = &["text", "json", "json5", "yaml"];
/// How a command between backticks begins, in the README and in the guide, which also tells what
/// commands do that its blocks have.
const IN_README: &[&str] = &["cargo ", "pip ", "python", "io-shared", "ci/", "-- "];
const IN_GUIDE: &[&str] = &["cargo run ", "cargo add ", "pip install ", "python3 "];

/// The README and the guide.
fn pages() -> Vec<String> {
    let pages = files_with(&["md"]).into_iter().map(|path| shown(&path));
    pages.filter(|page| page == "README.md" || page.starts_with("docs/guide/")).collect()
}

/// What a page has that must be run: commands, also those between backticks, and the first lines of
/// blocks in a language.
fn items(page: &str, text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let quoted = if page == "README.md" { IN_README } else { IN_GUIDE };
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 0 {
            let quotes = part.split('`').skip(1).step_by(2).map(|quote| quote.replace('\n', " "));
            let is_command = |quote: &String| {
                quote.contains(' ') && quoted.iter().any(|start| quote.starts_with(start))
            };
            items.extend(quotes.filter(is_command).map(|quote| format!("`{quote}`")));
            continue;
        }
        let (language, block) = part.split_once('\n').unwrap();
        if ["console", "sh"].contains(&language) {
            // With prompts, the lines without one are what is printed, or go on with a command.
            let has_prompts = block.lines().any(|line| line.starts_with("$ "));
            let lines = block.lines().filter(|line| !line.is_empty());
            let commands = lines.filter(|line| !has_prompts || line.starts_with("$ "));
            items.extend(commands.map(str::to_owned));
        } else if !SHOWN.contains(&language) {
            items.push(format!("```{language}"));
        }
    }
    items
}

/// A row of the table.
#[derive(Debug)]
struct Row<'a> {
    /// A test, or a script.
    runner: &'a str,
    page: &'a str,
    /// How the command begins.
    start: &'a str,
    /// What the runner has of it, if it does not read the page.
    instead: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn all(table: &'a str) -> Vec<Self> {
        let (mut runner, mut rows) = ("", Vec::new());
        for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some(row) = line.strip_prefix("    ") else {
                runner = line;
                continue;
            };
            let (row, instead) =
                row.split_once(" = ").map_or((row, None), |(row, instead)| (row, Some(instead)));
            let (page, start) = row.split_once(' ').unwrap();
            rows.push(Row { runner, page, start, instead });
        }
        rows
    }

    fn is_of(&self, page: &str, item: &str) -> bool {
        self.page == page && item.starts_with(self.start)
    }

    /// Why the runner does not run it.
    fn fault(&self, scripts: &str) -> Option<String> {
        let Row { runner, page, start, .. } = self;
        let (file, test) = runner.split_once("::").unwrap_or((runner, ""));
        let is_run = match file.rsplit('.').next() {
            Some("sh") => file == "ci/test.sh" || scripts.contains(file),
            Some("py") => is_python_test(file, test),
            _ => *runner == "src/lib.rs" || is_test(file, test),
        };
        if !is_run {
            return Some(format!("`{runner}` is no test, and no script that CI calls"));
        }
        let name = page.rsplit('/').next()?;
        let has = self.instead.unwrap_or(name);
        (!read(file).contains(has)).then(|| format!("{page}: {start}: `{file}` has no `{has}`"))
    }
}

/// The scripts that CI calls, and those that these call.
fn scripts() -> String {
    let mut text = read("ci/test.sh") + &read("ci/release.sh");
    for path in files_with(&["yml"]) {
        text += &std::fs::read_to_string(path).unwrap();
    }
    text
}

/// What is wrong with the table, for pages with their texts.
fn faults(table: &str, pages: &[(String, String)]) -> Vec<String> {
    let (rows, scripts) = (Row::all(table), scripts());
    let mut faults: Vec<String> = rows.iter().filter_map(|row| row.fault(&scripts)).collect();
    let mut used = vec![false; rows.len()];
    for (page, text) in pages {
        for item in items(page, text) {
            let of = (0..rows.len()).find(|at| rows[*at].is_of(page, &item));
            match of {
                Some(at) => used[at] = true,
                None => faults.push(format!("{page}: nothing runs: {item}")),
            }
        }
    }
    let unused = rows.iter().zip(used).filter(|(_, is_used)| !is_used);
    faults.extend(unused.map(|(row, _)| format!("{}: there is no: {}", row.page, row.start)));
    faults
}

#[test]
fn every_command_and_program_of_the_readme_and_the_guide_is_run() {
    let with_text = |page: String| (page.clone(), read(page));
    let pages: Vec<_> = pages().into_iter().map(with_text).collect();
    assert!(pages.len() > 20, "{}", root().display());
    let faults = faults(&read("tests/docs/commands.txt"), &pages);
    assert!(faults.is_empty(), "{}\n(See tests/docs/commands.txt.)", faults.join("\n"));
}

#[test]
fn a_command_that_nothing_runs_is_found_out() {
    let page = |text: &str| [("README.md".to_owned(), text.to_owned())];
    let of = |table: &str, text: &str| faults(table, &page(text));
    let good = "ci/readme.sh\n    README.md $ git clone\n";
    let session = "```console\n$ git clone x\nwhat it prints\n```\n";
    assert_eq!(of(good, session), [""; 0]);
    let without = |text: &str| text.replace("$ ", "");
    assert_eq!(of(&without(good), &without(session)).len(), 1, "each line is a command");
    for more in ["```sh\nls\n```", "```c\nint x;\n```", "```\nls\n```", "and `ci/new.sh --all`"] {
        assert_eq!(of(good, &format!("{session}{more}")).len(), 1, "{more}");
    }
    assert_eq!(of(good, "").len(), 1, "the row is of no use");
    for wrong in ["ci/new.sh", "tests/docs.rs::no", "python/tests/test_guide.py::no"] {
        assert_eq!(of(&good.replace("ci/readme.sh", wrong), session).len(), 1, "{wrong}");
    }
    let instead = good.replace("clone", "clone = no such thing");
    assert_eq!(of(&instead, session).len(), 1);
}
