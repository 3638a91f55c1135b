use std::iter;

use super::*;

#[test]
fn a_mark_changes_with_what_it_is_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let put = |name: &str, contents: &str| {
        let path = path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, contents).expect("written");
    };
    put("list", "a");
    let marks = || fingerprint(&path("advisories"), iter::once(path("list")));
    let mut seen = vec![marks()];
    let mut changed = |what: &str| {
        let now = marks();
        assert_eq!(now, marks(), "{what}");
        assert!(!seen.contains(&now), "{what}");
        seen.push(now);
    };
    fs::create_dir(path("advisories")).expect("made");
    changed("a folder");
    put("advisories/db/crates/A-1.json", "one");
    changed("a folder in it");
    put("advisories/A-1.json", "one");
    changed("a file");
    put("advisories/A-1.json", "other");
    changed("its size");
    put("advisories/db/A-2.json", "one");
    changed("a file in a folder in it");
    put("list", "ab");
    changed("the list of packages");
}
