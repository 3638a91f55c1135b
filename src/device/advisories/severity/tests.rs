use proptest::prelude::*;

use super::*;

#[test]
fn a_vector_has_the_severity_of_its_score() {
    for (vector, wanted) in [
        (
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            Severity::Critical,
        ),
        (
            "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
            Severity::High,
        ),
        (
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
            Severity::Medium,
        ),
        (
            "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N",
            Severity::Low,
        ),
        (
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N",
            Severity::None,
        ),
        (
            "CVSS:3.1/A:H/I:N/C:N/S:U/UI:N/PR:N/AC:L/AV:N/E:P/MAV:X",
            Severity::High,
        ),
    ] {
        assert_eq!(Severity::of_vector(vector), Some(wanted), "{vector}");
    }
    for none in [
        "",
        "high",
        "CVSS:3.1",
        "CVSS:3.2/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X",
        "CVSS:3.1/AV:N/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    ] {
        assert_eq!(Severity::of_vector(none), None, "{none}");
    }
}

#[test]
fn a_vector_without_one_of_the_base_metrics_has_none() {
    let whole = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    for metric in whole.split('/').skip(1) {
        let vector = whole.replace(&format!("/{metric}"), "");
        assert_eq!(Severity::of_vector(&vector), None, "{vector}");
    }
}

#[test]
fn a_word_has_the_severity_that_whoever_uses_it_means() {
    for (wanted, words) in [
        (Severity::Critical, &["critical"][..]),
        (Severity::High, &["high", "important"]),
        (Severity::Medium, &["medium", "moderate"]),
        (Severity::Low, &["low", "negligible"]),
        (Severity::None, &["none"]),
        (Severity::Unknown, &["unknown", "end-of-life", ""]),
    ] {
        for word in words {
            assert_eq!(Severity::of_word(word), wanted, "{word}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_text_breaks_anything(
        text in "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H(/[A-Z]{0,3}:?[A-Z]?){0,4}", any in ".{0,80}",
    ) {
        let _ = Severity::of_vector(&text);
        let _ = Severity::of_vector(&any);
    }
}
