//! What the server prints when it is up: its addresses, its fingerprint, and command lines to try. It is the last thing
//! that a start prints.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::tls::Certificate;
use crate::logs::NO_SOURCES;

/// What there is to say.
pub struct Banner<'a> {
    /// Where to reach the TLS listeners.
    pub addresses: &'a [SocketAddr],
    /// The certificate it serves with.
    pub certificate: &'a Certificate,
    /// The account.
    pub user: &'a str,
    /// The first password, if it was generated in this run. Shown once.
    pub first_password: Option<&'a str>,
    /// The file with the generated password, while it has not been changed.
    pub password_file: Option<&'a Path>,
    /// The local socket.
    pub local_socket: Option<&'a Path>,
    /// How this program was called.
    pub program: &'a str,
    /// Whether any log is followed.
    pub has_logs: bool,
}

impl Banner<'_> {
    /// The text, for standard output: not for the log, since it may hold the first password.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("postern {} is ready\n\n", env!("CARGO_PKG_VERSION"));
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {name:<12} {value}");
        };
        let mut urls = Vec::new();
        let mut from_outside = None;
        for address in self.addresses {
            let url = format!("https://{address}");
            if from_outside.is_none() && !address.ip().is_loopback() {
                from_outside = Some(url.clone());
            }
            urls.push(url);
        }
        for (index, url) in urls.iter().take(MAX_URLS).enumerate() {
            line(if index == 0 { "address" } else { "" }, url);
        }
        line(
            "fingerprint",
            &format!("SHA-256 {}", self.certificate.fingerprint()),
        );
        line("user", self.user);
        match (self.first_password, self.password_file) {
            (Some(password), Some(file)) => {
                line("password", password);
                line(
                    "",
                    &format!(
                        "(shown once; kept in {} until you change it)",
                        file.display()
                    ),
                );
            }
            (None, Some(file)) => line("password", &format!("in {}", file.display())),
            _ => {}
        }
        if let Some(socket) = self.local_socket {
            line("local socket", &socket.display().to_string());
        }
        if !self.has_logs {
            line("logs", NO_SOURCES);
        }
        let here = urls
            .iter()
            .find(|url| url.contains("127.0.0.1"))
            .or_else(|| urls.first())
            .map_or("https://localhost:8443", String::as_str);
        text.push_str(&self.examples(here, from_outside.as_deref()));
        text
    }

    /// `from_outside`: none, if nobody could come from there.
    fn examples(&self, here: &str, from_outside: Option<&str>) -> String {
        let pinned = self.certificate.public_key_pin();
        let pinned = pinned.map(|pin| format!("-k --pinnedpubkey '{pin}'"));
        // The names in one of the integrator's are his; its key is its key under any.
        let trust = self.certificate.own_file().map_or_else(
            || pinned.clone().unwrap_or_default(),
            |file| format!("--cacert {}", shell_word(&file.display().to_string())),
        );
        let user = shell_word(self.user);
        let login = format!(
            "{{\"username\":\"{}\",\"password\":\"PASSWORD\"}}",
            self.user.escape_default()
        );
        let mut text = String::new();
        #[cfg(feature = "console")]
        text.push_str(&browser_lines(from_outside.unwrap_or(here)));
        let _ = write!(
            text,
            "\nTry it here. curl asks for the password; in the last line put it in place of PASSWORD:\n\
             \n  curl {trust} {here}/health\
             \n  curl {trust} -u {user} {here}/api/status\
             \n  curl {trust} -u {user} -N '{here}/api/logs?follow=true'\
             \n  curl {trust} -d {} {here}/api/auth/login\n",
            shell_word(&login)
        );
        if let (Some(pinned), Some(from_outside)) = (pinned, from_outside) {
            let _ = write!(
                text,
                "\nFrom another machine, trusting this key and no other:\n\
                 \n  curl {pinned} -u {user} {from_outside}/api/status\n"
            );
        }
        if let (Some(socket), Some(_)) = (self.local_socket, self.password_file) {
            let program = shell_word(self.program);
            let socket = shell_word(&socket.display().to_string());
            let _ = write!(
                text,
                "\nChoose your own password, as the user that this runs as, or as root:\n\
                 \n  {program} passwd --socket {socket}\n"
            );
        }
        text
    }
}

#[cfg(feature = "console")]
fn browser_lines(url: &str) -> String {
    format!(
        "\nIn a browser:\n\
         \n  {url}/\n\
         \nIt warns, because only this device vouches for its certificate. If it shows the SHA-256 fingerprint above, go on.\n"
    )
}

/// Quotes what a shell would otherwise take apart.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A machine with many addresses need not list them all.
const MAX_URLS: usize = 6;

#[cfg(test)]
mod tests;
