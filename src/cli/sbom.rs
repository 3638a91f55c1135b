//! `postern sbom`: what the program is made of, in the JSON of <https://cyclonedx.org>, version 1.5. One program always says the
//! same: there is neither a date in it nor a serial number.

use serde_json::{Value, json};

use crate::device::inventory::{Crate, crates};

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
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_a_component_with_its_url_and_hash() {
        let document: Value = serde_json::from_str(&text()).unwrap();
        let rows = document["components"].as_array().unwrap();
        assert_eq!(rows.len(), crates().len() - 1);
        for (row, linked) in rows.iter().zip(crates().iter().filter(|one| !one.is_own())) {
            assert_eq!(row["name"], linked.name);
            assert_eq!(row["version"], linked.version);
            assert_eq!(row["hashes"][0]["content"], linked.checksum);
            assert_eq!(row["bom-ref"], row["purl"]);
        }
        let own = &document["metadata"]["component"];
        assert_eq!(
            own["purl"],
            concat!("pkg:generic/postern@", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(text(), text());
    }

    #[test]
    fn a_url_is_escaped_and_a_hash_left_out_where_there_is_none() {
        let patched = Crate {
            name: "zstd-sys",
            version: "2.0.13+zstd.1.5.6",
            checksum: "",
        };
        let row = library(&patched);
        assert_eq!(row["purl"], "pkg:cargo/zstd-sys@2.0.13%2Bzstd.1.5.6");
        assert_eq!(row["version"], patched.version);
        assert_eq!(row.get("hashes"), None);
    }
}
