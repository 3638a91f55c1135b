use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn tree(paths: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn found(folder: &Path, pattern: &str) -> Vec<String> {
    let pattern = format!("{}/{pattern}", folder.display());
    let found = FilePattern::new(&pattern).find();
    assert_eq!(found.trouble, None);
    let relative = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
    let mut files: Vec<_> = found.files.iter().map(|(path, _)| relative(path)).collect();
    files.sort();
    files
}

#[test]
fn a_pattern_fits_files_as_a_shell_would_and_no_packed_ones() {
    let tree = tree(&[
        "a.log",
        "b.log",
        "b.log.1",
        "b.log.2.gz",
        "c.xz",
        "d.bz2",
        "e.zst",
        ".h.log",
        "x.txt",
        "one/a.log",
        "two/a.log",
        "two/deep/er/a.log",
        "dir.log/file",
    ]);
    let folder = tree.path();
    assert_eq!(found(folder, "*.log"), ["a.log", "b.log"]);
    assert_eq!(found(folder, "[!b].log"), ["a.log"]);
    assert_eq!(found(folder, "b.log*"), ["b.log", "b.log.1"]);
    assert_eq!(found(folder, "?.*"), ["a.log", "b.log", "b.log.1", "x.txt"]);
    assert_eq!(found(folder, "*/a.log"), ["one/a.log", "two/a.log"]);
    assert_eq!(
        found(folder, "**/a.log"),
        ["a.log", "one/a.log", "two/a.log", "two/deep/er/a.log"]
    );
    assert_eq!(found(folder, "two/**"), ["two/a.log", "two/deep/er/a.log"]);
    assert_eq!(found(folder, "t*/deep/../?.log"), ["two/deep/../a.log"]);
    assert_eq!(found(folder, "no/*/such"), [""; 0]);
}

#[test]
fn links_are_followed_but_not_in_circles() {
    let tree = tree(&["real/a.log"]);
    let folder = tree.path();
    symlink("..", folder.join("real/up")).unwrap();
    symlink("real/a.log", folder.join("link.log")).unwrap();
    symlink("nowhere", folder.join("dead.log")).unwrap();
    assert_eq!(found(folder, "*.log"), ["link.log"]);
    assert_eq!(found(folder, "**/a.log"), ["real/a.log"]);
    let found = FilePattern::new(&format!("{}/*.log", folder.display())).find();
    let target = WatchedFolder {
        folder: folder.canonicalize().unwrap().join("real"),
        name: Some(WatchedName::Exactly("a.log".into())),
    };
    assert!(found.watched.contains(&target), "{:?}", found.watched);
}

#[test]
fn a_walk_has_an_end_and_says_so() {
    let tree = tempfile::tempdir().unwrap();
    for n in 0..200 {
        fs::create_dir(tree.path().join(n.to_string())).unwrap();
    }
    let found = FilePattern::new(&format!("{}/**/x", tree.path().display())).find();
    assert!(found.watched.len() <= MAX_FOLDERS);
    assert!(found.trouble.unwrap().contains("128 folders"));
    let deep = "d/".repeat(20);
    fs::create_dir_all(tree.path().join("0").join(&deep)).unwrap();
    fs::write(tree.path().join("0").join(deep).join("x"), "").unwrap();
    let found = FilePattern::new(&format!("{}/0/**/x", tree.path().display())).find();
    assert_eq!((found.files.len(), found.trouble), (0, None));
}
