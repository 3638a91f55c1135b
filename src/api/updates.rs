//! What there is to say of updates, in `/health` and `/api/status`.

use serde_json::{Value, json};

use super::Api;
use super::health::Health;

/// Adds what `/health` says of one that is known.
pub(super) fn add_to_health(api: &Api, health: &mut Health) {
    if let Some(update) = api.updates.known() {
        health.update_available = true;
        health.update_version = Some(update.version.to_string());
        health.update_url = update.url.map(|url| url.as_str().to_owned());
    }
}

/// What `/api/status` says of the last check.
pub(super) fn summary(api: &Api) -> Value {
    let report = api.updates.report();
    let mut summary = json!({"state": report.state.name()});
    if let Some(checked) = report.checked {
        summary["checked_at"] = json!(checked.to_string());
    }
    if let Some(error) = &report.error {
        summary["error"] = json!(error);
    }
    summary
}
