use proptest::prelude::*;

use super::*;
use crate::device::packages::Packages;

fn read_all(text: &[u8]) -> Result<Vec<Match>, AdvisoryError> {
    let packages = Packages::default().with_crates(&[("ring", "0.17.8"), ("early", "2.0.0-rc.3")]);
    let mut found = Vec::new();
    read(text, &packages, &mut |one| {
        found.push(one);
        Ok(())
    })
    .map(|_| found)
}

/// About a crate, with these lines under `[advisory]` and behind it.
fn about(package: &str, more: &str, versions: &str) -> String {
    format!(
        "```toml\n[advisory]\nid = \"RUSTSEC-2025-0009\"\npackage = \"{package}\"\n{more}\n[versions]\n{versions}\n```\n\n# It panics\n\n```\ncode\n```\n"
    )
}

fn found(text: &str) -> Vec<Match> {
    read_all(text.as_bytes()).expect("an advisory")
}

#[test]
fn a_version_is_affected_unless_it_is_patched_or_never_was() {
    let cases = [
        ("patched = []", Some(None)),
        ("", Some(None)),
        (r#"patched = [">= 0.17.12"]"#, Some(Some("0.17.12"))),
        (r#"patched = [">=0.17.8"]"#, None),
        (r#"patched = ["> 0.17.8"]"#, Some(Some("> 0.17.8"))),
        (
            r#"patched = ["^0.16.5", ">= 0.17.9"]"#,
            Some(Some("0.17.9")),
        ),
        (
            r#"patched = [">= 0.17.1, >= 0.17.10"]"#,
            Some(Some("0.17.10")),
        ),
        (r#"patched = ["^0.17.5"]"#, None),
        (r#"patched = ["~0.17.5"]"#, None),
        (r#"patched = ["0.17"]"#, None),
        (r#"patched = ["=0.17.8"]"#, None),
        (r#"patched = ["0.17.*"]"#, None),
        (
            r#"patched = [">= 0.16.1, < 0.17.0", ">= 0.17.10"]"#,
            Some(Some("0.17.10")),
        ),
        (
            "patched = [\n  \">= 0.18.1\", # later\n  \">= 0.17.20, < 0.18.0\",\n]",
            Some(Some("0.17.20")),
        ),
        ("patched = []\nunaffected = [\"< 0.17.0\"]", Some(None)),
        ("patched = []\nunaffected = [\"<= 0.17.8\"]", None),
        ("patched = []\nunaffected = ['< 0.17.9']", None),
        ("patched = []\nunaffected = ['> 0.17']", Some(None)),
        ("patched = []\nunaffected = ['> 0.16']", None),
    ];
    for (versions, wanted) in cases {
        let found = found(&about("ring", "", versions));
        let fixed_in = found.first().map(|one| one.fixed_in.as_deref());
        assert_eq!(fixed_in, wanted, "{versions}");
    }
}

#[test]
fn a_pre_release_has_its_place_in_the_order() {
    let affected = |versions: &str| !found(&about("early", "", versions)).is_empty();
    assert!(!affected(r#"patched = [">= 1.2.0"]"#));
    assert!(!affected(r#"patched = [">= 2.0.0-rc.2"]"#));
    assert!(affected(r#"patched = [">= 2.0.0"]"#));
    assert!(affected(r#"patched = ["^1.2.0"]"#));
    assert!(!affected("patched = []\nunaffected = [\"< 2.0.0\"]"));
}

#[test]
fn all_that_is_told_of_a_finding_is_in_the_front() {
    let more = r#"
aliases = ["CVE-2025-4432", "not a name"]
cvss = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
url = "https://example.org"
keywords = ["a"]
[affected]
os = ["linux"]
functions = { "ring::a" = ["< 1"] }
[affected.functions]
"ring::aead::x" = ["< 0.17.12"]"#;
    let found = found(&about("ring", more, "patched = [\">= 0.17.12\"]"));
    assert_eq!(found.len(), 1);
    let one = &found[0];
    assert_eq!(one.id, "RUSTSEC-2025-0009");
    assert_eq!(one.aliases, ["CVE-2025-4432"]);
    assert_eq!(
        (&*one.ecosystem, &*one.package, &*one.installed),
        ("crates.io", "ring", "0.17.8")
    );
    assert_eq!(one.severity, Severity::High);
    assert_eq!(
        one.link.as_deref(),
        Some("https://rustsec.org/advisories/RUSTSEC-2025-0009.html")
    );
}

#[test]
fn what_was_withdrawn_is_only_told_or_is_about_other_machines_does_not_count() {
    for more in [
        "withdrawn = \"2025-01-01\"",
        "informational = \"unmaintained\"",
        "[affected]\nos = [\"windows\"]",
        "[affected]\narch = [\"sparc64\"]",
        "\"informational\" = 'unsound'",
        "informational = 'unsound'\naliases = ['GHSA-a-b']",
    ] {
        assert_eq!(found(&about("ring", more, "patched = []")), [], "{more}");
    }
    for more in [
        "url = \"informational\"",
        "informational = 'unsound'\naliases = ['CVE-2025-1']",
        "informational = 'unsound'\ncvss = 'CVSS:4.0/AV:L'",
        "[affected]\nos = []",
        "[affected]\nos = ['windows', 'linux']",
        "[other]\nwithdrawn = 1",
        "x.withdrawn = 1",
        "x = {withdrawn = 1}",
        "[affected]\nos = {x = 'windows'}",
    ] {
        assert_eq!(
            found(&about("ring", more, "patched = []")).len(),
            1,
            "{more}"
        );
    }
    assert_eq!(found(&about("rings", "", "patched = []")), []);
    // Keys with points, as they may be written too.
    let dotted = "```toml\nadvisory.id = \"RUSTSEC-1\"\nadvisory.package = \"ring\"\nversions.patched = [\"> 1\"]\n```\n";
    assert_eq!(found(dotted)[0].fixed_in.as_deref(), Some("2.0.0"));
}

#[test]
fn what_is_no_advisory_or_cannot_be_judged_is_told() {
    let deep = about(
        "ring",
        &format!("x = {}{}", "[".repeat(30_000), "]".repeat(30_000)),
        "",
    );
    let tables = about("ring", &format!("x = {}", "{a=".repeat(20_000)), "");
    let keys = about(
        "ring",
        &format!("x{} = [{}]", ".x".repeat(10_000), "1,".repeat(10_000)),
        "",
    );
    assert!(read_all(keys.as_bytes()).is_ok());
    let long = about("ring", &format!("x = '{}'", "x".repeat(MAX_FRONT)), "");
    assert!(matches!(
        read_all(long.as_bytes()),
        Err(AdvisoryError::TooLarge)
    ));
    for (text, wanted) in [
        (about("", "", ""), "no name"),
        (
            about("ring", "", "patched = [\"nonsense\"]"),
            "ecosystem does not allow",
        ),
        (about("ring", "x = ", ""), "no advisory"),
        (about("ring", "id = 'RUSTSEC 1'", ""), "no name"),
        (deep, "no advisory"),
        (tables, "no advisory"),
        ("# Only words".into(), "no advisory"),
        ("```toml\n[advisory]\nid = \"A\"\n".into(), "no advisory"),
    ] {
        let said = read_all(text.as_bytes()).expect_err("refused").to_string();
        let start: String = text.chars().take(90).collect();
        assert!(said.contains(wanted), "{start}: {said}");
    }
    let whole = about("ring", "", "patched = []");
    let fence = whole.find("\n```\n").expect("there") + 4;
    for end in 0..fence {
        assert!(read_all(&whole.as_bytes()[..end]).is_err(), "{end}");
    }
    assert!(is_one(whole.as_bytes()) && !is_one(b"# Read me"));
}

proptest! {
    /// Of versions that are no pre-releases Cargo has the same to say.
    #[test]
    fn a_range_is_what_cargo_takes_it_for(range in "(|=|>|>=|<|<=|~|\\^)[0-3](\\.[0-3](\\.[0-3])?)?(, (>=|<|<=|>)[0-3]\\.[0-3])?", version in "[0-4]\\.[0-4]\\.[0-4]") {
        let version = Version::parse(&version).expect("a version");
        let range = VersionReq::parse(&range).expect("a range");
        prop_assert_eq!(holds(&range, &version), range.matches(&version));
    }

    #[test]
    fn nothing_in_the_front_breaks_anything(front in "([a-z.\\[\\]{}='\"# \n,0-9é]|\"\"\"|'''){0,80}") {
        let _ = read_all(format!("```toml\n{front}\n```\n").as_bytes());
    }
}
