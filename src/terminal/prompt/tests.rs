use super::*;

#[test]
fn a_line_without_end_is_not_read_to_it() {
    let error = read_line(&mut io::repeat(b'x')).unwrap_err();
    assert!(matches!(error, PromptError::TooLong));
}

#[test]
fn only_yes_is_yes() {
    for (typed, expected) in [
        ("yes\n", true),
        ("yes", true),
        (" yes \r\n", true),
        ("", false),
        ("\n", false),
        ("y\n", false),
        ("Yes\n", false),
        ("no\nyes\n", false),
        ("yes, of course\n", false),
        ("correct horse battery\n", false),
    ] {
        let mut terminal = Terminal {
            input: &mut typed.as_bytes(),
            input_is_terminal: true,
            out: &mut io::sink(),
            err: &mut io::sink(),
        };
        let answer = yes(&mut terminal, "?", || Ok(())).unwrap();
        assert_eq!(answer, expected, "{typed:?}");
    }
    let mut terminal = Terminal {
        input: &mut "yes\n".as_bytes(),
        input_is_terminal: true,
        out: &mut io::sink(),
        err: &mut io::sink(),
    };
    let stopped = || Err(io::ErrorKind::ConnectionAborted.into());
    assert!(!yes(&mut terminal, "?", stopped).unwrap());
}

#[test]
fn whoever_ends_the_waiting_ends_the_question() {
    let mut err = Vec::new();
    let mut terminal = Terminal {
        input: &mut io::repeat(b'x'),
        input_is_terminal: true,
        out: &mut io::sink(),
        err: &mut err,
    };
    let stopped = || Err(io::ErrorKind::ConnectionAborted.into());
    let line = secret_line(&mut terminal, "Password: ", stopped);
    assert!(matches!(line, Err(PromptError::Input(_))));
    assert_eq!(err, b"Password: ");
}
