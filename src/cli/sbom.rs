//! `postern sbom`: what the program is made of, in the JSON of <https://cyclonedx.org>, version 1.5. One program always
//! says the same: there is neither a date in it nor a serial number.

use serde_json::{Value, json};

use super::command::{CommandRow, Operand, WRONG_USAGE, WorksOn};
use crate::device::inventory::{Crate, crates};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "sbom",
    summary: "list the crates that this program is made of, as CycloneDX JSON",
    details: "\
For tools that compare such a list with known vulnerabilities. Names, versions and SHA-256 are from the Cargo.lock of \
the build. Rust's standard library is not in the list. The command asks no server and reads no file.",
    flags: &[],
    operand: Operand::None,
    statuses: &[(0, "printed"), WRONG_USAGE],
    works_on: WorksOn::Nothing,
    run: |_, context| Ok(context.print(&text())?),
};

/// All of it, on one line.
pub(super) fn text() -> String {
    let (own, linked): (Vec<_>, Vec<_>) = crates().into_iter().partition(Crate::is_own);
    let linked: Vec<_> = linked.iter().map(library).collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": own.first().map(application)},
        "components": linked,
    });
    format!("{document}\n")
}

fn application(own: &Crate) -> Value {
    // Not of the registry: `cargo` would be somebody else's crate.
    component("application", "generic", own)
}

fn library(linked: &Crate) -> Value {
    let mut row = component("library", "cargo", linked);
    if !linked.checksum.is_empty() {
        row["hashes"] = json!([{"alg": "SHA-256", "content": linked.checksum}]);
    }
    row
}

fn component(kind: &str, registry: &str, named: &Crate) -> Value {
    let Crate { name, version, .. } = named;
    // A package URL's version is percent-encoded, and of what a version may have only + has to be.
    let url = format!("pkg:{registry}/{name}@{}", version.replace('+', "%2B"));
    json!({"type": kind, "bom-ref": url, "name": name, "version": version, "purl": url})
}

#[cfg(test)]
mod tests;
