use std::os::unix::fs::symlink;

use super::*;

/// The folders, relative to `root`, in which a name matters.
fn named(root: &Path, path: &str) -> Vec<(String, String)> {
    let watched = watched(&root.join(path), false);
    let named = watched.iter().filter_map(|folder| match &folder.name {
        Some(WatchedName::Exactly(name)) => Some((
            folder
                .folder
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            name.to_str().unwrap().to_owned(),
        )),
        _ => None,
    });
    named.collect()
}

#[test]
fn the_last_part_the_first_missing_one_and_every_link_matter() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("real/deep")).unwrap();
    std::fs::write(root.join("real/deep/log"), "").unwrap();
    std::fs::write(root.join("file"), "").unwrap();
    symlink("real/deep", root.join("short")).unwrap();
    symlink(root.join("short/log"), root.join("real/link")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let pair = |folder: &str, name: &str| (folder.to_owned(), name.to_owned());
    assert_eq!(named(&root, "real/deep/log"), [pair("real/deep", "log")]);
    assert_eq!(named(&root, "real/no/log"), [pair("real", "no")]);
    assert_eq!(named(&root, "file/log"), [pair("", "file")]);
    assert_eq!(named(&root, "real"), [pair("", "real")]);
    assert_eq!(
        named(&root, "real/../real/link"),
        [
            pair("real", "link"),
            pair("", "short"),
            pair("real/deep", "log")
        ]
    );
    assert_eq!(named(&root, "loop").len(), 41);
}
