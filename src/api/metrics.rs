//! `GET /metrics`: what a monitor keeps an eye on, of postern and of the board.
//!
//! What is counted per request or connection is counted in [`super::counts`]; everything else is asked of its owner when
//! the page is.

mod requests;
mod text;

use std::sync::atomic::Ordering;

use super::error::ApiError;
use super::responses::text_response;
use super::{Api, Caller, Outcome};
use crate::clock::ClockState;
use crate::device::board::{CPU_TICKS, disk};
use crate::http::request::Request;
use crate::journal::Room;
use text::{Form, Page};

/// `GET /metrics`
#[allow(clippy::unnecessary_wraps)] // A handler's signature.
pub(super) fn metrics(api: &Api, request: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    let form = Form::accepted(request.header_values("Accept"));
    let mut page = Page::new(form);
    about_postern(api, &mut page);
    api.counts.requests.show(&mut page);
    about_clients(api, &mut page);
    about_logs(api, &mut page);
    about_journal(api, &mut page);
    about_clock(api, &mut page);
    #[cfg(feature = "advisories")]
    about_vulnerabilities(api, &mut page);
    about_board(api, &mut page);
    let answer = text_response(200, form.content_type(), page.finish());
    Ok(Outcome::Response(answer))
}

fn about_postern(api: &Api, page: &mut Page) {
    page.gauge("postern_build_info", "1, with the version of this postern.");
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], &1);
    page.gauge(
        "postern_uptime_seconds",
        "Time since this postern was started.",
    );
    let uptime = api.clock.monotonic().saturating_since(api.started);
    page.sample(&[], &uptime.as_secs());
    #[cfg(feature = "updates")]
    about_updates(api, page);
    page.gauge(
        "postern_ready",
        "Whether what has to be durable can be made so, as /readyz says.",
    );
    page.sample(&[], &u8::from(super::health::reasons(api).is_empty()));
    if let Some(process) = api.board.process() {
        page.counter(
            "process_cpu_seconds",
            "Processor time used, user and system.",
        );
        #[allow(clippy::cast_precision_loss)] // Whole until a hundred million years.
        let seconds = process.cpu_ticks as f64 / CPU_TICKS as f64;
        page.sample(&[], &seconds);
        page.gauge("process_resident_memory_bytes", "Memory in use.");
        page.sample(&[], &process.resident);
        page.gauge("process_open_fds", "Open descriptors.");
        page.sample(&[], &process.descriptors);
        page.gauge("process_threads", "Threads.");
        page.sample(&[], &process.threads);
    }
    page.gauge(
        "postern_certificate_usable",
        "Whether the certificate that should be served is served, and has not expired.",
    );
    let certificate = api.certificate.lock();
    page.sample(&[], &u8::from(certificate.trouble.is_none()));
    if let Some(expires) = certificate.expires {
        page.gauge(
            "postern_certificate_expiry_timestamp_seconds",
            "Until when the certificate in use is good, since 1970.",
        );
        page.sample(&[], &expires.as_secs());
    }
}

fn about_clients(api: &Api, page: &mut Page) {
    page.gauge(
        "postern_connections",
        "Connections to the TLS listener, log streams among them.",
    );
    page.sample(&[], &api.connection_count());
    let counts = &api.counts.connections;
    page.counter(
        "postern_connections_offered",
        "Newcomers at the TLS listener, by what became of them.",
    );
    for (outcome, count) in [("accepted", &counts.accepted), ("refused", &counts.refused)] {
        page.sample(&[("outcome", outcome)], &count.load(Ordering::Relaxed));
    }
    page.counter(
        "postern_connections_shed",
        "Connections closed to make room for another.",
    );
    page.sample(&[], &counts.shed.load(Ordering::Relaxed));
    page.counter(
        "postern_audit_events",
        "Logins, failures, lock-outs and whatever else the audit log is about.",
    );
    for (kind, count) in api.audit.counts() {
        page.sample(&[("event", kind.name())], &count);
    }
    page.gauge(
        "postern_audit_writable",
        "Whether all that the audit log had to keep is on the disk.",
    );
    page.sample(&[], &u8::from(api.audit.healthy()));
    page.gauge(
        "postern_audit_intact",
        "Whether the audit log's files were found as they were written.",
    );
    page.sample(&[], &u8::from(api.audit.intact()));
    page.gauge(
        "postern_locked_out_addresses",
        "Addresses locked out of every password check.",
    );
    let locked_out = api.auth.lockouts().iter().filter(|row| row.blocked).count();
    page.sample(&[], &locked_out);
    page.gauge(
        "postern_revocations",
        "Revoked tokens and logins, and used refresh tokens, that have not expired yet.",
    );
    page.sample(&[], &api.auth.revocations());
    page.counter(
        "postern_bcrypt_runs",
        "Passwords checked or hashed with bcrypt.",
    );
    page.sample(&[], &api.auth.bcrypt_runs());
}

fn about_logs(api: &Api, page: &mut Page) {
    page.gauge("postern_log_subscribers", "Log streams.");
    page.sample(&[], &api.hub.subscribers());
    page.counter(
        "postern_log_missed",
        "Entries that log streams were told by a gap to have missed.",
    );
    page.sample(&[], &api.ring.missed());
    page.gauge("postern_log_buffer_bytes", "Size of the entries kept.");
    page.sample(&[], &api.ring.bytes());
    let (oldest, newest) = api.ring.bounds();
    page.gauge("postern_log_buffer_entries", "Entries kept.");
    page.sample(&[], &(newest + 1 - oldest));
    let states = api.sources.lock().states();
    page.counter("postern_log_source_entries", "Entries out of a log source.");
    for source in &states {
        let labels = [("source", &*source.name), ("kind", source.kind)];
        page.sample(&labels, &source.entries);
    }
    page.gauge(
        "postern_log_source_failing",
        "Whether a log source cannot be read at present.",
    );
    for source in &states {
        let labels = [("source", &*source.name), ("kind", source.kind)];
        page.sample(&labels, &u8::from(source.last_error.is_some()));
    }
}

fn about_journal(api: &Api, page: &mut Page) {
    let stats = api.journal.stats();
    page.gauge("postern_journal_bytes", "Size of the journal.");
    page.sample(&[], &stats.bytes);
    page.gauge("postern_journal_records", "Records in the journal.");
    page.sample(&[], &stats.records);
    page.counter("postern_journal_writes", "Appends to the journal.");
    page.sample(&[], &stats.writes);
    page.counter(
        "postern_journal_rewrites",
        "Times the journal was written anew: compactions, and after a failure.",
    );
    page.sample(&[], &stats.rewrites);
    page.histogram(
        "postern_journal_sync_duration_seconds",
        "Time until an append was on stable storage.",
    );
    page.distribution(&[], &api.journal.sync_times());
    page.gauge(
        "postern_journal_writable",
        "Whether the journal could be written the last time it was tried.",
    );
    page.sample(&[], &u8::from(api.journal.healthy()));
    page.gauge(
        "postern_state_file_system",
        "1 for the state that STATE_DIR's file system is in.",
    );
    let room = match api.journal.room() {
        Room::Enough => "writable",
        Room::Full => "full",
        Room::ReadOnly => "read_only",
    };
    for state in ["writable", "full", "read_only"] {
        page.sample(&[("state", state)], &u8::from(state == room));
    }
}

fn about_clock(api: &Api, page: &mut Page) {
    page.gauge(
        "postern_clock_state",
        "1 for the state that the guarded clock is in.",
    );
    let state = api.clock.state();
    for name in ClockState::NAMES {
        page.sample(&[("state", name)], &u8::from(name == state.name()));
    }
    page.gauge(
        "postern_clock_timestamp_seconds",
        "The guarded clock's time, since 1970.",
    );
    page.sample(&[], &api.clock.wall().as_secs());
}

#[cfg(feature = "updates")]
fn about_updates(api: &Api, page: &mut Page) {
    page.gauge(
        "postern_update_available",
        "Whether a newer postern is known of.",
    );
    page.sample(&[], &u8::from(api.updates.known().is_some()));
    page.gauge(
        "postern_update_failing",
        "Whether the last attempt to hear of a newer postern went wrong.",
    );
    page.sample(&[], &u8::from(api.updates.report().error.is_some()));
}

#[cfg(feature = "advisories")]
fn about_vulnerabilities(api: &Api, page: &mut Page) {
    use crate::device::advisories::{AdvisoryState, Severity};

    let report = api.advisories.report();
    page.gauge(
        "postern_cves",
        "Known vulnerabilities that apply to this device, by severity.",
    );
    for (severity, count) in Severity::ALL.iter().zip(super::cve::counts(&report)) {
        page.sample(&[("severity", severity.name())], &count);
    }
    page.gauge(
        "postern_advisories",
        "Advisories that the device was held against.",
    );
    page.sample(&[], &report.advisories);
    page.gauge(
        "postern_advisories_state",
        "1 for the state that the advisories are in.",
    );
    for state in AdvisoryState::ALL {
        page.sample(&[("state", state.name())], &u8::from(state == report.state));
    }
    page.gauge(
        "postern_advisories_newest_timestamp_seconds",
        "When the youngest advisory was written or changed, since 1970.",
    );
    for one in &report.ecosystems {
        if let Some(newest) = one.newest {
            page.sample(&[("ecosystem", &one.name)], &newest.as_secs());
        }
    }
}

fn about_board(api: &Api, page: &mut Page) {
    let board = &api.board;
    if let Some(celsius) = board.temperature() {
        page.gauge("postern_board_temperature_celsius", "The processor's.");
        page.sample(&[], &celsius);
    }
    if let Some(load) = board.load_average() {
        page.gauge("postern_board_load", "Load average, by minutes.");
        for (minutes, load) in ["1", "5", "15"].iter().zip(load) {
            page.sample(&[("minutes", minutes)], &load);
        }
    }
    if let Some(memory) = board.memory() {
        page.gauge("postern_board_memory_bytes", "The board's memory.");
        page.sample(&[], &memory.total);
        page.gauge(
            "postern_board_memory_available_bytes",
            "What could be had of it without swapping.",
        );
        page.sample(&[], &memory.available);
    }
    if let Some(disk) = disk(&api.state_dir) {
        page.gauge(
            "postern_state_disk_bytes",
            "Size of STATE_DIR's file system.",
        );
        page.sample(&[], &disk.total);
        page.gauge(
            "postern_state_disk_available_bytes",
            "Free space on it for ordinary users.",
        );
        page.sample(&[], &disk.available);
    }
    if let Some(throttling) = board.throttling() {
        page.gauge(
            "postern_board_power_flag",
            "A Raspberry Pi's complaints about power and heat, now.",
        );
        for (flag, holds) in throttling.now() {
            page.sample(&[("flag", flag)], &u8::from(holds));
        }
    }
}
