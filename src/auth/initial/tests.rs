use super::*;
use crate::entropy::FakeEntropy;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn generated_passwords_differ_and_keep_the_rules() {
    let entropy = FakeEntropy::new(7);
    let one = GeneratedPassword::generate(&entropy);
    let other = GeneratedPassword::generate(&entropy);
    assert_ne!(one, other);
    assert_eq!(one.expose().len(), 27);
    assert!(super::super::password::check_rules("admin", one.expose()).is_ok());
    assert_eq!(format!("{one:?}"), "[secret]");
}

#[test]
fn the_file_is_private_and_survives_a_crash_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = InitialFile::new(directory.path().to_owned());
    assert_eq!(file.read().unwrap(), None);
    fs::write(directory.path().join("initial-password.new"), "half of i").unwrap();
    let password = GeneratedPassword::generate(&FakeEntropy::new(7));
    file.write(&password).unwrap();
    assert_eq!(file.read().unwrap(), Some(password));
    let mode = fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    file.remove().unwrap();
    file.remove().unwrap();
    assert_eq!(file.read().unwrap(), None);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
