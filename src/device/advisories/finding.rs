//! An advisory that applies to a package of this device.

/// One known vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The advisory's: `RUSTSEC-2024-0001`, `CVE-2024-1`, `DSA-5000-1`. Letters, digits and `-_.:+`, 64 at most.
    pub id: String,
    /// Other names of the same vulnerability, spelt alike.
    pub aliases: Vec<String>,
    /// Whose package it is: `crates.io`, `Debian:12`, `Alpine:v3.19`.
    pub ecosystem: String,
    /// The package: for crates one of those this program is made of.
    pub package: String,
    /// Its version here.
    pub installed: String,
    /// The first version that is good again, if there is one.
    pub fixed_in: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Where to read on: an address that begins with `https://`.
    pub link: Option<String>,
}

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
}
