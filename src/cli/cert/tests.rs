use super::*;

fn shown(facts: &Facts, now: Timestamp) -> CertificateReport<'_> {
    CertificateReport {
        facts,
        now,
        given: false,
        file: "/s/tls-cert.pem",
        problem: None,
    }
}

fn facts() -> Facts {
    Facts {
        fingerprint: "AB:CD".to_owned(),
        public_key_pin: "sha256//x=".to_owned(),
        subject: "CN=board, O=E\u{1b}[2Jvil".to_owned(),
        self_issued: true,
        names: vec!["board".to_owned(), "::1".to_owned()],
        not_before: Timestamp::from_secs(1_700_000_000),
        not_after: Timestamp::from_secs(1_800_000_000),
    }
}

#[test]
fn a_certificate_is_a_line_a_matter_and_cannot_drive_a_terminal() {
    let facts = facts();
    assert_eq!(
        shown(&facts, Timestamp::from_secs(1_790_000_000)).table(),
        "fingerprint  SHA-256 AB:CD\n\
             key          sha256//x=\n\
             subject      CN=board, O=E [2Jvil\n\
             names        board, ::1\n\
             valid from   2023-11-14 22:13:20 UTC\n\
             valid until  2027-01-15 08:00:00 UTC, in 115 days\n\
             origin       made by postern, signed by itself\n\
             file         /s/tls-cert.pem\n"
    );
    let json = shown(&facts, Timestamp::from_secs(1_790_000_000)).json();
    assert_eq!(json["not_after"], "2027-01-15T08:00:00Z");
    assert_eq!(json["days_left"], 115);
    assert_eq!(json["expired"], false);
}

#[test]
fn the_days_that_are_left_are_never_more_than_there_are() {
    let facts = facts();
    let last = facts.not_after;
    for (before, left) in [
        (2 * DAY, "in 2 days"),
        (2 * DAY - 1, "in 1 day"),
        (DAY - 1, "in less than a day"),
        (0, "in less than a day"),
    ] {
        let now = last.saturating_sub(std::time::Duration::from_secs(before));
        assert_eq!(shown(&facts, now).left(), left);
        assert!(!shown(&facts, now).expired());
    }
    let late = shown(&facts, last + std::time::Duration::from_secs(1));
    assert_eq!((late.left().as_str(), late.expired()), ("expired", true));
    let early = facts
        .not_before
        .saturating_sub(std::time::Duration::from_secs(1));
    assert_eq!(shown(&facts, early).begun(), ", not yet");
}
