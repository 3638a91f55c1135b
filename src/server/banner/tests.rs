use super::shell_word;

#[test]
fn a_shell_takes_a_word_as_it_is() {
    assert_eq!(
        shell_word("/var/lib/postern/tls-cert.pem"),
        "/var/lib/postern/tls-cert.pem"
    );
    assert_eq!(shell_word("two words"), "'two words'");
    assert_eq!(shell_word("it's"), "'it'\\''s'");
    assert_eq!(shell_word(""), "''");
}
