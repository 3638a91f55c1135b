//! How bad a vulnerability is, out of a CVSS vector (version 3.1, section 7.1) or a word.

/// How bad a vulnerability is: the words of CVSS (3.1, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Severity {
    /// Nobody said.
    #[default]
    Unknown,
    /// A score of 0.
    None,
    /// 0.1 to 3.9.
    Low,
    /// 4.0 to 6.9.
    Medium,
    /// 7.0 to 8.9.
    High,
    /// 9.0 to 10.
    Critical,
}

impl Severity {
    /// All names, in order.
    pub const ALL: [Self; 6] = [
        Self::Unknown,
        Self::None,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The word, in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Where it stands among others: what nobody has judged before what somebody has called low.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Low => 1,
            Self::Unknown => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }

    /// That of a CVSS vector of version 3.0 or 3.1, by its base score; none if it is no such vector. What it says beside the
    /// base metrics is left aside: that is for whoever knows the place.
    #[must_use]
    pub fn of_vector(text: &str) -> Option<Self> {
        let metrics = text
            .strip_prefix("CVSS:3.")
            .filter(|_| text.len() <= MAX_VECTOR)?;
        let metrics = metrics.strip_prefix(['0', '1'])?;
        // Each once: of two one would be a lie.
        let metric = |name: &str| {
            let mut values = metrics
                .split('/')
                .filter_map(|metric| metric.strip_prefix(name)?.strip_prefix(':'));
            let value = values.next()?;
            values.next().is_none().then_some(value)
        };
        let of = |name: &str, weights: &[(&str, f64)]| {
            let value = metric(name)?;
            let (_, weight) = weights.iter().find(|(known, _)| *known == value)?;
            Some(*weight)
        };
        let changed = of("S", &[("U", 0.0), ("C", 1.0)])? > 0.0;
        let privileges = if changed { [0.68, 0.5] } else { [0.62, 0.27] };
        let exploitability = 8.22
            * of("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?
            * of("AC", &[("L", 0.77), ("H", 0.44)])?
            * of(
                "PR",
                &[("N", 0.85), ("L", privileges[0]), ("H", privileges[1])],
            )?
            * of("UI", &[("N", 0.85), ("R", 0.62)])?;
        let loss = |name| Some(1.0 - of(name, &[("H", 0.56), ("L", 0.22), ("N", 0.0)])?);
        let loss = 1.0 - loss("C")? * loss("I")? * loss("A")?;
        let impact = if changed {
            7.52 * (loss - 0.029) - 3.25 * (loss - 0.02).powi(15)
        } else {
            6.42 * loss
        };
        let factor = if changed { 1.08 } else { 1.0 };
        let score = if impact > 0.0 {
            (factor * (impact + exploitability)).min(10.0)
        } else {
            0.0
        };
        // "Roundup" (appendix A): to the next tenth, whatever the last bits say.
        let tenths = ((score * 100_000.0).round() / 10_000.0).ceil();
        Some(match tenths {
            ..1.0 => Self::None,
            ..40.0 => Self::Low,
            ..70.0 => Self::Medium,
            ..90.0 => Self::High,
            _ => Self::Critical,
        })
    }

    /// That of a word as GitHub, Debian or Ubuntu use it.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" | "negligible" => Self::Low,
            "none" => Self::None,
            _ => Self::Unknown,
        }
    }
}

/// With all optional metrics a vector has 150 bytes.
const MAX_VECTOR: usize = 512;

#[cfg(test)]
mod tests {
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

        /// All there are, against the library of those who keep `RustSec`.
        #[test]
        fn a_vector_is_what_others_take_it_for(vector in "CVSS:3\\.[01]/AV:[NALP]/AC:[LH]/PR:[NLH]/UI:[NR]/S:[UC]/C:[HLN]/I:[HLN]/A:[HLN]") {
            let theirs: cvss::Cvss = vector.parse().expect("a vector");
            let ours = Severity::of_vector(&vector).expect("a vector");
            prop_assert_eq!(ours.name(), theirs.severity().as_str());
        }

        #[test]
        fn no_text_breaks_anything(text in "CVSS:3.1(/[A-Z]{0,3}:?[A-Z]?){0,12}", any in ".{0,80}") {
            let _ = Severity::of_vector(&text);
            let _ = Severity::of_vector(&any);
        }
    }
}
