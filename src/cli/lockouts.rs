//! `postern lockouts`: the addresses with failed logins, and `postern lockouts clear IP`.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::arguments::{Arguments, UsageError};
use super::command::{CommandRow, NO_SERVER, Operand, REFUSED, SUCCESS, USELESS, WorksOn};
use super::flags::SOCKET;
use super::local;
use crate::config::{Config, ConfigError};
use crate::ids::ClientKey;
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "lockouts",
    summary: "list the addresses with failed logins",
    details: "\
Asks the running server over its Unix socket. The limits count each address by itself, a link-local one with its \
interface (fe80::1%eth0). Addresses of an IPv6 /64 that have not signed in lately also share one account. It is \
listed, and cleared, as 2001:db8:1:2::/64.",
    flags: &[SOCKET],
    operand: Operand::None,
    statuses: &[(0, "listed"), REFUSED, NO_SERVER],
    works_on: WorksOn::Socket,
    run: |arguments, mut context| {
        let socket = arguments.path("socket");
        Ok(run(socket, None, context.load, &mut context.terminal)?)
    },
};

/// Its row in the table.
pub(in crate::cli) const CLEAR_ROW: CommandRow = CommandRow {
    name: "lockouts clear",
    summary: "let an address with failed logins try again",
    details: "\
Asks the running server over its Unix socket. Give IP as `postern lockouts` lists it.",
    flags: &[SOCKET],
    operand: Operand::Required("IP", "an address"),
    statuses: &[
        (0, "cleared"),
        (1, "refused, or there is nothing to clear"),
        NO_SERVER,
    ],
    works_on: WorksOn::Socket,
    run: |arguments, mut context| {
        let (socket, address) = (arguments.path("socket"), address(arguments)?);
        Ok(run(
            socket,
            Some(address),
            context.load,
            &mut context.terminal,
        )?)
    },
};

/// Lists them, or clears one.
fn run(
    socket: Option<PathBuf>,
    clear: Option<ClientKey>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, terminal)? else {
        return Ok(USELESS);
    };
    let path = "/api/security/rate-limits".to_owned();
    let (method, path) = match clear {
        None => ("GET", path),
        Some(address) => {
            // A path holds `%` and `/` of an address only in escapes (RFC 3986, section 2.4).
            let segment = address.to_string().replace('%', "%25").replace('/', "%2F");
            ("DELETE", format!("{path}/{segment}"))
        }
    };
    let request = local::request(method, &path);
    let body = match local::ask_or_explain(&socket, &request, terminal)? {
        Ok(body) => body,
        Err(status) => return Ok(status),
    };
    match clear {
        Some(address) => writeln!(terminal.out, "{address} may try again")?,
        None => terminal.out.write_all(table(&body).as_bytes())?,
    }
    Ok(SUCCESS)
}

/// The address that is typed.
fn address(arguments: &Arguments) -> Result<ClientKey, UsageError> {
    let word = arguments.operand().unwrap_or_default();
    let word = word.to_string_lossy();
    let wrong = |_| UsageError(format!("{word:?} is not an IP address"));
    word.parse().map_err(wrong)
}

fn table(body: &Value) -> String {
    let rows = body.get("data").and_then(Value::as_array);
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "no failed logins\n".to_owned();
    }
    let mut text = format!("{:40} {:>8}  {}\n", "address", "failures", "state");
    for row in rows {
        let address = row.get("ip").and_then(Value::as_str).unwrap_or_default();
        let failures = row.get("attempts").and_then(Value::as_u64).unwrap_or(0);
        let wait = row.get("retry_after").and_then(Value::as_u64).unwrap_or(0);
        let state = if row.get("blocked") == Some(&Value::Bool(true)) {
            format!("locked out for {wait} s")
        } else {
            "counted".to_owned()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:40} {failures:>8}  {state}", local::shown(address));
    }
    text
}

#[cfg(test)]
mod tests;
