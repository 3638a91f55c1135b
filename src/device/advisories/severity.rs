//! How bad a vulnerability is, out of a CVSS vector or a word.

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
        if text.len() > MAX_VECTOR || BASE_METRICS.iter().any(|metric| !text.contains(metric)) {
            return None;
        }
        let vector: cvss::v3::Vector = text.parse().ok()?;
        Some(Self::of_word(vector.severity().as_str()))
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

/// The library takes a metric that is missing for one that does no harm.
const BASE_METRICS: [&str; 8] = ["/AV:", "/AC:", "/PR:", "/UI:", "/S:", "/C:", "/I:", "/A:"];

/// With all optional metrics a vector has 150 bytes.
const MAX_VECTOR: usize = 512;

#[cfg(test)]
mod tests;
