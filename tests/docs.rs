//! What the documents say there is, there is, and nothing is missing: variables, commands, routes, alarms.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use postern::api::query::parameters;
use postern::api::route::{Access, ROUTES};
use postern::cli::table::COMMANDS;
use postern::config::VARIABLES;

/// What is written like a setting and is none: variables of tools, of the desk's client, and of others.
const OTHER_NAMES: &[&str] = &[
    "ADVISORY_DB",
    "CAP_SYSLOG",
    "CROSS_CONFIG",
    "DATA_MIB",
    "NO_COLOR",
    "O_NOFOLLOW",
    "POSTERN_HOST",
    "POSTERN_MAINTAINER",
    "POSTERN_PASSWORD",
    "RUST_BACKTRACE",
    "SO_RXQ_OVFL",
    "STATE_DIRECTORY",
    "STA_UNSYNC",
    "XDG_STATE_HOME",
];

#[test]
fn every_variable_has_its_row_with_its_default() {
    let rows = rows("configuration.md", "Variables");
    let named: Vec<_> = rows.iter().map(|row| code(&row[0])).collect();
    let table: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(
        named.iter().collect::<BTreeSet<_>>(),
        table.iter().collect::<BTreeSet<_>>()
    );
    assert_eq!(named.len(), table.len(), "one stands twice");
    for variable in VARIABLES {
        if let postern::config::Preset::Value(default) = variable.default {
            let row = rows.iter().find(|row| code(&row[0]) == variable.name);
            let told = &row.expect("it was found before")[1];
            assert!(
                told.contains(&format!("`{default}`")),
                "{}: {told}",
                variable.name
            );
        }
    }
}

#[test]
fn every_command_has_its_row() {
    let rows = rows("operations.md", "Commands");
    let named: BTreeSet<_> = rows.iter().map(|row| code(&row[0])).collect();
    let table: BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
    assert_eq!(named, table);
}

#[test]
fn every_route_has_its_row_and_each_of_its_parameters_a_word() {
    let rows = rows("api.md", "Endpoints");
    let named: BTreeSet<_> = rows
        .iter()
        .map(|row| (code(&row[0]).to_owned(), row[1].as_str()))
        .collect();
    let table: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| {
            let who = match route.access {
                Access::Open => "anybody",
                Access::User => "user",
                Access::Ticket => "user or ticket",
            };
            (format!("{} {}", route.method, route.path), who)
        })
        .collect();
    assert_eq!(named, table);
    let text = text("docs/api.md");
    for route in ROUTES {
        for parameter in parameters(route.path) {
            assert!(
                text.contains(&format!("`{parameter}`")),
                "{}: {parameter}",
                route.path
            );
        }
    }
}

#[test]
fn every_alarm_has_its_row() {
    let rules = text("board/common/monitoring/alerts.yml");
    let alerts: BTreeSet<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let rows = rows("operations.md", "Alarms");
    let named: BTreeSet<_> = rows
        .iter()
        .map(|row| code(&row[0]))
        .filter(|name| name.starts_with("Postern"))
        .collect();
    assert_eq!(named, alerts);
}

#[test]
fn no_document_names_a_variable_that_does_not_exist() {
    let part = |c: char| c.is_ascii_uppercase() || c == '_';
    for file in documents() {
        let text = fs::read_to_string(&file).expect("it was listed");
        for word in text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.contains('_') && word.chars().all(part))
        {
            let known = VARIABLES.iter().any(|variable| variable.name == word);
            assert!(
                known || OTHER_NAMES.contains(&word),
                "{}: {word}",
                file.display()
            );
        }
    }
}

#[test]
fn no_document_names_a_command_that_does_not_exist() {
    let first: BTreeSet<_> = COMMANDS
        .iter()
        .filter_map(|command| command.name.split(' ').next())
        .collect();
    for file in documents() {
        let text = fs::read_to_string(&file).expect("it was listed");
        for span in commands(&text) {
            // `postern --user NAME …` and the like name no command.
            let Some(word) = span.split([' ', '…']).next() else {
                continue;
            };
            if word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            {
                assert!(first.contains(word), "{}: postern {word}", file.display());
            }
        }
    }
}

#[test]
fn no_document_names_a_path_that_does_not_exist() {
    for file in documents() {
        let text = fs::read_to_string(&file).expect("it was listed");
        let end = |c: char| !(c.is_ascii_alphanumeric() || "/-.{}".contains(c));
        // Not `src/api/`, nor another server's.
        for (at, _) in text.match_indices("/api/") {
            let before = text[..at].chars().next_back();
            let here = text[..at].ends_with("localhost")
                || text[..at].ends_with(":8443")
                || before.is_none_or(|c| " `(".contains(c));
            let path = text[at..].split(end).next().unwrap_or_default();
            let path = path.trim_end_matches('.');
            if here && path != "/api/" {
                assert!(
                    ROUTES.iter().any(|route| route.path == path
                        || path.starts_with("/api/security/rate-limits/")),
                    "{}: {path}",
                    file.display()
                );
            }
        }
    }
}

/// What stands behind `postern ` at the beginning of code: of a span, or of a line in a block.
fn commands(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = line.trim_end().ends_with("```sh");
        } else if inside {
            let command = line.trim_start().trim_start_matches("sudo ");
            found.extend(command.strip_prefix("postern "));
        } else {
            for span in line.split('`').skip(1).step_by(2) {
                found.extend(span.trim_start_matches("sudo ").strip_prefix("postern "));
            }
        }
    }
    found
}

/// The rows of all tables in a section of a document, as cells, without heads.
fn rows(document: &str, section: &str) -> Vec<Vec<String>> {
    let text = text(&format!("docs/{document}"));
    let heading = format!("\n## {section}\n");
    let (_, section) = text.split_once(&heading).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut rows = Vec::new();
    let mut lines = section.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("|--") {
            while let Some(row) = lines.next_if(|row| row.starts_with('|')) {
                let cells = row.trim_matches('|').split(" | ");
                rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
            }
        }
    }
    assert!(!rows.is_empty(), "docs/{document} has no table there");
    rows
}

/// What stands in a cell's first backticks.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or(cell)
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    fs::read_to_string(top().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All documents for people, but for the changelog, which names what there was.
fn documents() -> Vec<PathBuf> {
    let mut files: Vec<_> = ["README.md", "ARCHITECTURE.md", "SECURITY.md"]
        .iter()
        .map(|file| top().join(file))
        .collect();
    let docs = fs::read_dir(top().join("docs")).expect("there are documents");
    files.extend(docs.map(|entry| entry.expect("it can be read").path()));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files
}
