//! The known vulnerabilities that apply to this device, and what there is to say of all of them.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::health::Health;
use super::input::query_number;
use super::responses::json_lines_response;
use super::{Api, Caller, Outcome};
use crate::audit::raw_member;
use crate::device::advisories::{
    AdvisoryReport, AdvisoryState, EcosystemSummary, Finding, Severity,
};
use crate::http::request::Request;

/// `GET /api/security/cve`
pub(super) fn list(api: &Api, request: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    let limit = match query_number(&request.target, "limit")? {
        Some(0) => return Err(ApiError::BadRequest("'limit' must be at least 1".into())),
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let report = api.advisories.report();
    let rows = report.findings.iter().take(limit).map(row);
    Ok(Outcome::Response(json_lines_response(
        rows,
        &summary(&report),
    )))
}

/// Adds what `/health` says of them.
pub(super) fn add_to_health(api: &Api, health: &mut Health) {
    let report = api.advisories.report();
    if report.state == AdvisoryState::Failing {
        health.reasons.push("not all advisories can be read");
    }
    health.cves = report.findings.len();
}

/// What is the same here and in `/api/status`.
pub(super) fn summary(report: &AdvisoryReport) -> Value {
    let counts = Severity::ALL.iter().zip(counts(report));
    let severities = counts
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| (severity.name().to_owned(), count.into()));
    let mut summary = json!({
        "state": report.state.name(),
        "advisories": report.advisories,
        "packages": report.packages,
        "ecosystems": Value::Object(ecosystems(report, |one| Some(one.advisories.into()))),
        "cves": report.findings.len(),
        "severities": Value::Object(severities.collect()),
    });
    let newest = ecosystems(report, |one| Some(one.newest?.to_string().into()));
    if !newest.is_empty() {
        summary["newest"] = Value::Object(newest);
    }
    if report.ignored > 0 {
        summary["ignored"] = json!(report.ignored);
    }
    if let Some(checked) = report.checked {
        summary["checked_at"] = json!(checked.to_string());
    }
    if let Some(error) = &report.error {
        summary["error"] = json!(error);
    }
    summary
}

fn ecosystems(
    report: &AdvisoryReport,
    value: impl Fn(&EcosystemSummary) -> Option<Value>,
) -> Map<String, Value> {
    let all = report.ecosystems.iter();
    all.filter_map(|one| Some((one.name.clone(), value(one)?)))
        .collect()
}

/// How many there are of each severity, in the order of [`Severity::ALL`].
pub(super) fn counts(report: &AdvisoryReport) -> [usize; Severity::ALL.len()] {
    Severity::ALL.map(|severity| {
        let all = report.findings.iter();
        all.filter(|finding| finding.severity == severity).count()
    })
}

/// By hand and a row at a time: the values of ten thousand at once would be more than a small board has to spare.
fn row(finding: &Finding) -> String {
    let mut row = String::new();
    let mut text = |name, text: &str| raw_member(&mut row, name, &Value::from(text).to_string());
    text("id", &finding.id);
    text("ecosystem", &finding.ecosystem);
    text("package", &finding.package);
    text("installed", &finding.installed);
    text("severity", finding.severity.name());
    for (name, value) in [("fixed_in", &finding.fixed_in), ("link", &finding.link)] {
        if let Some(value) = value {
            text(name, value);
        }
    }
    if !finding.aliases.is_empty() {
        let aliases = json!(finding.aliases).to_string();
        raw_member(&mut row, "aliases", &aliases);
    }
    format!("{{{row}}}")
}

#[cfg(test)]
mod tests;
