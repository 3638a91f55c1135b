//! `postern lockouts`: the addresses with failed logins, and `postern lockouts clear IP`.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::{SUCCESS, USELESS, local};
use crate::config::{Config, ConfigError};
use crate::ids::ClientKey;
use crate::terminal::Terminal;

/// Lists them, or clears one.
pub(super) fn run(
    socket: Option<PathBuf>,
    clear: Option<ClientKey>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, terminal)? else {
        return Ok(USELESS);
    };
    let path = "/api/security/rate-limits";
    let request = match clear {
        None => local::request("GET", path),
        Some(address) => {
            // A zone and a length are no part of a path (RFC 3986, section 2.4).
            let segment = address.to_string().replace('%', "%25").replace('/', "%2F");
            local::request("DELETE", &format!("{path}/{segment}"))
        }
    };
    let body = match local::asked(&socket, &request, terminal)? {
        Ok(body) => body,
        Err(status) => return Ok(status),
    };
    match clear {
        Some(address) => writeln!(terminal.out, "{address} may try again")?,
        None => terminal.out.write_all(table(&body).as_bytes())?,
    }
    Ok(SUCCESS)
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
