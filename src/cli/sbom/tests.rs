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
