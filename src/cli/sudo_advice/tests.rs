use super::*;
use crate::cli::parse;

/// The advice for these words of a user whose state folder is `own`, where there is a service's in `service`.
fn advice(words: &str, own: &Path, service: &Path) -> Option<String> {
    let looked = SeenConfig::default();
    let state = own.display().to_string();
    let env = [("STATE_DIR", state.as_str())];
    let none = Path::new("/nonexistent/postern.env");
    looked
        .note(Some(none), Config::load(env, Some(Path::new("/dev/null"))))
        .ok()?;
    let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
    let invocation = parse(words.clone()).ok()?;
    looked.advice(&invocation, &words, service)
}

#[test]
fn who_looks_in_his_own_folder_is_sent_to_the_services_as_root() {
    let (home, var) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let none = home.path().join("none");
    for words in [
        "status",
        "status --json",
        "health",
        "cve",
        "lockouts",
        "lockouts clear 192.168.1.7",
        "passwd",
        "cert",
        "cert renew",
        "audit",
        "audit verify",
        "journal stat",
        "journal repair --yes",
    ] {
        let said = advice(words, &none, var.path()).unwrap_or_default();
        assert!(said.ends_with(&format!(": sudo postern {words}")), "{said}");
        // There is no service either: it was never started.
        assert_eq!(advice(words, &none, &home.path().join("var")), None);
    }
    // Those who need no server.
    for words in ["sbom", "check", "hash-password", "logs board"] {
        assert_eq!(advice(words, &none, var.path()), None, "{words}");
    }
    // His own is there, and something else is wrong with it.
    for words in ["cert", "journal stat", "audit"] {
        assert_eq!(advice(words, home.path(), var.path()), None, "{words}");
    }
}

#[test]
fn where_nothing_was_looked_for_nothing_is_advised() {
    let invocation = parse(["cert"]).unwrap();
    let advice = SeenConfig::default().advice(&invocation, &[], Path::new("/"));
    assert_eq!(advice, None);
}
