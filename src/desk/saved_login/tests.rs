use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_login_is_kept_privately_for_each_user_and_board() {
    let folder = tempfile::tempdir().unwrap();
    let keep = DeskFolder::at(folder.path().join("client"));
    let board = BoardAddress::parse("board").unwrap();
    let (admin, odd) = (
        SavedLogin::of(&keep, "admin", &board),
        SavedLogin::of(&keep, "../é x", &board),
    );
    assert!(!admin.exists() && admin.read().is_none());
    let fingerprint = CertificateFingerprint::of(b"1");
    for (saved, token) in [(&admin, "one"), (&odd, "two"), (&admin, "three")] {
        saved
            .write(fingerprint, &SecretString::new(token.into()))
            .unwrap();
    }
    let token = |saved: &SavedLogin| saved.read().map(|(_, token)| token.expose().to_owned());
    assert_eq!(token(&admin).as_deref(), Some("three"));
    assert_eq!(token(&odd).as_deref(), Some("two"));
    assert_eq!(odd.path().parent(), admin.path().parent());
    assert!(admin.path().ends_with("logins/admin@board:8443"));
    let mode = admin.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    admin.remove().unwrap();
    assert!(!admin.exists() && odd.exists());
    // Half a file is no login.
    std::fs::write(odd.path(), fingerprint.to_string()).unwrap();
    assert!(odd.read().is_none());
}
