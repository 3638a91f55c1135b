use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

impl Packages {
    /// The same, with these crates in the program.
    #[must_use]
    pub fn with_crates(mut self, crates: &[(&str, &str)]) -> Self {
        self.crates.clear();
        for (name, version) in crates {
            let versions = self.crates.entry((*name).into()).or_default();
            versions.push((*version).into());
        }
        self
    }
}

fn root(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    root
}

/// How many crates there are, whichever versions, and postern itself.
fn inventory_names() -> usize {
    let mut names: Vec<_> = inventory::crates().iter().map(|one| one.name).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

const DEBIAN: (&str, &str) = (
    "etc/os-release",
    "NAME=Debian\nVERSION_ID=\"12\"\nID=debian\n",
);
const ONE: &str = "Package: a\nStatus: install ok installed\nVersion: 1\n";
const DPKG: &str = "var/lib/dpkg/status";

fn look(files: &[(&str, &str)]) -> Packages {
    let (packages, problem) = Packages::look(root(files).path(), None);
    assert_eq!(problem, None);
    packages
}

fn versions(packages: &Packages, ecosystem: &str, name: &str) -> Vec<String> {
    let there = packages.of(ecosystem).expect("of this system");
    there
        .versions(name)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn dpkg_s_packages_are_known_by_what_they_were_built_from() {
    let list = "\
Package: libssl3
Status: install ok installed
Source: openssl
Version: 3.0.11-1
Description: a library
 Version: 9
 .
 more

Package: openssl
Status: hold ok installed
Version: 3.0.11-1

Package: libc6
Status: install ok half-configured
Source: glibc (2.36-9)
Version: 2.36-9+b1

Package: gone
Status: deinstall ok config-files
Version: 1

Package: never
Status: unknown ok not-installed

Package: going
Status: deinstall ok installed
Version: 1-1

Package: partly
Status: install reinstreq half-installed
Version: 1-1

Package: other
Status: install ok installed
Version: 1:2.0-1
";
    let packages = look(&[DEBIAN, (DPKG, list)]);
    assert_eq!(versions(&packages, "Debian:12", "openssl"), ["3.0.11-1"]);
    assert_eq!(versions(&packages, "Debian:12", "glibc"), ["2.36-9"]);
    assert_eq!(versions(&packages, "Debian:12", "other"), ["1:2.0-1"]);
    assert_eq!(versions(&packages, "Debian:12", "going"), ["1-1"]);
    assert_eq!(versions(&packages, "Debian:12", "partly"), ["1-1"]);
    for nobody in ["gone", "never", "libssl3", "libc6"] {
        assert!(
            versions(&packages, "Debian:12", nobody).is_empty(),
            "{nobody}"
        );
    }
    let crates = packages.of("crates.io").expect("always");
    assert_eq!(crates.versions("rustls").len(), 1);
    assert!(crates.versions("postern").is_empty());
    assert_eq!(crates.name(), "crates.io");
    assert_eq!(packages.count(), 4 + inventory_names());
}

#[test]
fn apk_s_and_opkg_s_packages_are_known_too() {
    let alpine = ("usr/lib/os-release", "ID=alpine\nVERSION_ID=3.19.1\n");
    let list = "C:Q1abc=\nP:libcrypto3\nV:3.1.4-r2\no:openssl\nF:lib\nR:libcrypto.so.3\n\nP:busybox\nV:1.36.1-r15\no:busybox\n\n";
    let packages = look(&[alpine, ("lib/apk/db/installed", list)]);
    assert_eq!(versions(&packages, "Alpine:v3.19", "openssl"), ["3.1.4-r2"]);
    assert_eq!(
        versions(&packages, "Alpine:v3.19", "busybox"),
        ["1.36.1-r15"]
    );
    let there = packages.of("Alpine:v3.19").expect("it");
    assert_eq!(
        (there.order, there.name()),
        (VersionOrder::Alpine, "Alpine:v3.19".into())
    );

    let openwrt = ("etc/os-release", "ID=\"openwrt\"\nVERSION_ID=\"23.05.3\"\n");
    let list = "Package: dropbear\nVersion: 2022.83-1\nStatus: install user installed\nSource: package/network/dropbear\nArchitecture: arm\n\n";
    let packages = look(&[openwrt, ("usr/lib/opkg/status", list)]);
    assert_eq!(
        versions(&packages, "OpenWrt:23.05", "dropbear"),
        ["2022.83-1"]
    );
    assert_eq!(
        packages.of("OpenWrt").expect("it").order,
        VersionOrder::Debian
    );
}

#[test]
fn an_ecosystem_is_the_systems_only_with_its_release() {
    let cases = [
        ("ID=debian\nVERSION_ID=12", "Debian:12", "Debian:13"),
        ("ID=raspbian\nVERSION_ID=\"12\"", "Debian:12", "Raspbian:12"),
        ("ID=debian", "Debian", "Debian:12"),
        // Of two the later counts, as in a shell.
        (
            "ID=debian\nVERSION_ID=12\nVERSION_ID=13",
            "Debian:13",
            "Debian:12",
        ),
        (
            "ID=ubuntu\nVERSION_ID=22.04",
            "Ubuntu:22.04:LTS",
            "Ubuntu:Pro:22.04:LTS",
        ),
        (
            "ID=alpine\nVERSION_ID=3.19.0",
            "Alpine:v3.19",
            "Alpine:v3.1",
        ),
        (
            "ID=openwrt\nVERSION_ID='24.10.1'",
            "OpenWrt:24.10",
            "OpenWrt:24.10.1",
        ),
    ];
    for (os_release, own, other) in cases {
        let lists = [("etc/os-release", os_release), (DPKG, ONE)];
        let packages = look(&lists);
        assert!(packages.of(own).is_some(), "{os_release}");
        assert!(packages.of(other).is_none(), "{os_release}");
        assert!(packages.of("npm").is_none());
    }
    // The first file hides the other.
    let other = ("usr/lib/os-release", "ID=alpine\nVERSION_ID=3.19.1\n");
    let packages = look(&[DEBIAN, other, (DPKG, ONE)]);
    assert_eq!(packages.system().as_deref(), Some("Debian:12"));
    for nobody in ["ID=poky\nVERSION_ID=1", "", "\u{0}"] {
        let packages = look(&[("etc/os-release", nobody), (DPKG, ONE)]);
        assert!(packages.of("Debian:12").is_none());
        assert_eq!(packages.system(), None);
    }
    assert_eq!(
        look(&[DEBIAN, (DPKG, ONE)]).system().as_deref(),
        Some("Debian:12")
    );
}

#[test]
fn a_system_that_is_gone_leaves_what_was_known_and_is_told() {
    let root = root(&[DEBIAN, (DPKG, ONE)]);
    let (known, _) = Packages::look(root.path(), None);
    let path = |name: &str| root.path().join(name);
    let is_told = |known| {
        let (packages, problem) = Packages::look(root.path(), known);
        assert!(problem.is_some());
        packages
    };
    for name in ["etc/os-release", DPKG] {
        fs::rename(path(name), path("away")).expect("moved");
        assert_eq!(
            versions(&is_told(Some(&known)), "Debian:12", "a"),
            ["1"],
            "{name}"
        );
        fs::write(path(name), "").expect("written");
        assert_eq!(
            versions(&is_told(Some(&known)), "Debian:12", "a"),
            ["1"],
            "{name}"
        );
        fs::rename(path("away"), path(name)).expect("moved");
    }
    // Nor does it come up without a word.
    fs::write(path(DPKG), "").expect("written");
    is_told(None);
    fs::remove_file(path(DPKG)).expect("removed");
    is_told(None);
    fs::remove_file(path("etc/os-release")).expect("removed");
    fs::create_dir(path("etc/os-release")).expect("made");
    is_told(None);
}

#[test]
fn a_signed_kernel_is_known_by_what_was_signed() {
    let list = "Package: linux-image-6.1.0-47-amd64\nStatus: install ok installed\nSource: linux-signed-amd64 (6.1.170+3)\nBuilt-Using: linux (= 6.1.170-3), other (= 1-1)\nVersion: 6.1.170-3\n\nPackage: linux-image-6.1.0-46-amd64\nStatus: install ok installed\nSource: linux-signed-amd64 (6.1.164+1)\nBuilt-Using: linux (= 6.1.164-1)\nVersion: 6.1.164-1\n\nPackage: static\nStatus: install ok installed\nBuilt-Using: golang (= 1-1)\nVersion: 1-1\n";
    let packages = look(&[DEBIAN, (DPKG, list)]);
    // The one before is mostly there still.
    assert_eq!(
        versions(&packages, "Debian:12", "linux"),
        ["6.1.170-3", "6.1.164-1"]
    );
    assert_eq!(
        versions(&packages, "Debian:12", "linux-signed-amd64"),
        ["6.1.170+3", "6.1.164+1"]
    );
    assert_eq!(versions(&packages, "Debian:12", "other"), ["1-1"]);
    assert!(versions(&packages, "Debian:12", "golang").is_empty());
}

#[test]
fn a_list_that_cannot_be_read_leaves_what_was_known_and_is_told() {
    let good = "Package: a\nStatus: install ok installed\nVersion: 1\n";
    let root = root(&[DEBIAN, (DPKG, good)]);
    let (known, _) = Packages::look(root.path(), None);
    let list = root.path().join(DPKG);
    for bad in [
        "Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStat",
        "Package: a\nStatus: install ok installed\nVersion: 1",
        "Package: a\nStatus: install ok installed\n\n",
        "Package: a\nVersion: 1 2\n",
        "Package: a\nVersion: é\n",
        "Package: \u{202e}a\nVersion: 1\n",
    ] {
        fs::write(&list, bad).expect("written");
        let (packages, problem) = Packages::look(root.path(), Some(&known));
        assert!(problem.is_some_and(|said| said.contains(DPKG)), "{bad}");
        assert_eq!(versions(&packages, "Debian:12", "a"), ["1"], "{bad}");
        let (packages, problem) = Packages::look(root.path(), None);
        assert!(
            problem.is_some() && packages.of("Debian:12").is_none(),
            "{bad}"
        );
    }
    let many = |names: usize, versions: usize| -> String {
        let all = (0..names).flat_map(|name| (0..versions).map(move |version| (name, version)));
        let stanzas =
            all.map(|(name, version)| format!("Package: a{name}\nVersion: {version}\n\n"));
        stanzas.collect::<Vec<_>>().concat()
    };
    for (names, versions, is_fine) in [
        (1, MAX_VERSIONS, true),
        (1, MAX_VERSIONS + 1, false),
        (MAX_PACKAGES, 1, true),
        (MAX_PACKAGES + 1, 1, false),
    ] {
        fs::write(&list, many(names, versions)).expect("written");
        let (_, problem) = Packages::look(root.path(), Some(&known));
        assert_eq!(problem.is_none(), is_fine, "{names} {versions}");
    }
    fs::remove_file(&list).expect("removed");
    fs::create_dir(&list).expect("made");
    let (_, problem) = Packages::look(root.path(), Some(&known));
    assert!(problem.is_some());
}

#[test]
fn long_lines_and_foreign_bytes_in_a_list_hurt_nobody() {
    let root = root(&[DEBIAN]);
    let list = root.path().join(DPKG);
    fs::create_dir_all(list.parent().expect("a folder")).expect("made");
    let mut text =
        b"Package: a\nStatus: install ok installed\nDescription: \xff\xfe\nDepends: ".to_vec();
    // What stands where a piece of a long line begins is no field.
    let piece = usize::try_from(MAX_LINE).expect("small");
    text.extend(vec![b'x'; piece - "Depends: ".len()]);
    text.extend(b"Version: 9");
    text.extend(vec![b'x'; 3 * piece]);
    text.extend(b"\nVersion: 1\n");
    fs::write(&list, text).expect("written");
    let (packages, problem) = Packages::look(root.path(), None);
    assert_eq!(problem, None);
    assert_eq!(versions(&packages, "Debian:12", "a"), ["1"]);

    let file = fs::File::create(&list).expect("made");
    file.set_len(MAX_LIST + 1).expect("sparse");
    let (_, problem) = Packages::look(root.path(), None);
    assert!(problem.is_some());
}

#[test]
fn a_list_that_one_may_not_read_is_told() {
    let root = root(&[DEBIAN, (DPKG, "Package: a\nVersion: 1\n")]);
    let list = root.path().join(DPKG);
    fs::set_permissions(&list, fs::Permissions::from_mode(0o0)).expect("closed");
    if fs::read(&list).is_ok() {
        return; // Root reads everything.
    }
    assert!(Packages::look(root.path(), None).1.is_some());
}
