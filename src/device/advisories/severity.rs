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
mod tests;
