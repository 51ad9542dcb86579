//! The documents' links lead somewhere. Those to items of the code are rustdoc's to check, and those to other sites nobody's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use walkdir::WalkDir;

/// Where the repository's files are on the web, for pages that are shown elsewhere.
const ON_THE_WEB: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The repository's files that end so, and none of those that building makes.
fn files(extension: &str) -> Vec<PathBuf> {
    let is_source = |name: &str| !name.starts_with('.') && name != "target" && name != "node_modules";
    let entries = WalkDir::new(root()).min_depth(1).into_iter();
    entries
        .filter_entry(|entry| is_source(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES)
}

/// The targets of a document's links and images.
fn links(text: &str) -> Vec<String> {
    let targets = events(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    targets.collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut heading: Option<String> = None;
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let name: String = heading
                    .take()
                    .unwrap()
                    .to_lowercase()
                    .chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                    .map(|c| if c == ' ' { '-' } else { c })
                    .collect();
                // A heading that comes again gets a number.
                let mut numbered = (1..).map(|n| format!("{name}-{n}"));
                if !anchors.insert(name.clone()) {
                    assert!(numbered.any(|name| anchors.insert(name)));
                }
            }
            _ => {}
        }
    }
    anchors
}

/// What is wrong with a link to a file of the repository, which may name a heading in it.
fn broken(from: &Path, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => from.to_owned(),
        path => from.parent().unwrap().join(path),
    };
    match target.canonicalize() {
        Ok(found) if found.starts_with(root().canonicalize().unwrap()) => {}
        _ => return Some(format!("{}: {link}: no such file", from.display())),
    }
    let is_heading = anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
    (!is_heading).then(|| format!("{}: {link}: no such heading", from.display()))
}

fn is_web(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

#[test]
fn links_between_documents_lead_to_files_and_headings() {
    let (mut checked, mut problems) = (0, Vec::new());
    for document in files("md") {
        for link in links(&fs::read_to_string(&document).unwrap()) {
            if is_web(&link) || link.starts_with("crate::") {
                continue;
            }
            checked += 1;
            problems.extend(broken(&document, &link));
        }
    }
    assert_eq!(problems, [""; 0]);
    assert!(checked >= 10, "only {checked} links were found");
}

#[test]
fn links_to_the_repository_on_the_web_lead_to_its_files() {
    let (mut checked, mut problems) = (0, Vec::new());
    for file in files("rs").into_iter().chain(files("md")) {
        let text = fs::read_to_string(&file).unwrap();
        for (start, _) in text.match_indices(ON_THE_WEB) {
            let link = &text[start + ON_THE_WEB.len()..];
            let end = link.find([')', '>', '"', ' ', '\n']).unwrap();
            checked += 1;
            problems.extend(broken(&root().join("README.md"), &link[..end]));
        }
    }
    assert_eq!(problems, [""; 0]);
    assert!(checked > 0, "no links were found");
}

/// The guide is shown where there are no other files of the repository. Those of its pages that are in `docs` are read on
/// the repository's own pages too, where there are no items of the code.
#[test]
fn the_guides_links_hold_wherever_it_is_read() {
    let guide = fs::read_to_string(root().join("src/guide.rs")).unwrap();
    let pages: Vec<&str> = guide
        .split("include_str!(\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert!(pages.len() >= 9);
    for page in pages {
        let text = fs::read_to_string(root().join("src").join(page)).unwrap();
        for link in links(&text) {
            let is_item = link.starts_with("crate::") && !page.starts_with("../");
            assert!(is_web(&link) || link.starts_with('#') || is_item, "{page}: {link}");
        }
    }
}

#[test]
fn anchors_are_made_as_github_makes_them() {
    let text = "# The ONNX file\n\n## `hf://` & co.: 2\u{a0}GiB\n\n## Ärger_mit-C++\n\n## Limits\n\n# Limits\n\n```\n# code\n```\n";
    let expected = ["the-onnx-file", "hf--co-2gib", "ärger_mit-c", "limits", "limits-1"];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let readme = root().join("README.md");
    for link in [
        "models/README.md#the-cache",
        "#licence",
        "docs",
        "tests/fixtures/speech.wav",
    ] {
        assert_eq!(broken(&readme, link), None);
    }
    for link in [
        "missing.md",
        "#missing",
        "models/README.md#missing",
        "../..",
        "/etc/hostname",
    ] {
        assert!(broken(&readme, link).is_some(), "{link}");
    }
}
