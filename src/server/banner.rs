//! What the server says when it is up: where it is, how to recognise it, and the very lines to try.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::tls::Certificate;

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
        let cert = shell_word(&self.certificate.cert_file().display().to_string());
        let user = shell_word(self.user);
        let login = format!(
            "{{\"username\":\"{}\",\"password\":\"PASSWORD\"}}",
            self.user.escape_default()
        );
        let mut text = format!(
            "\nTry it here (curl asks for the password; the last line wants it in place of PASSWORD):\n\
             \n  curl --cacert {cert} {here}/health\
             \n  curl --cacert {cert} -u {user} {here}/api/status\
             \n  curl --cacert {cert} -u {user} -N '{here}/api/logs?follow=true'\
             \n  curl --cacert {cert} -d {} {here}/api/auth/login\n",
            shell_word(&login)
        );
        if let (Some(pin), Some(from_outside)) = (self.certificate.public_key_pin(), from_outside) {
            let _ = write!(
                text,
                "\nFrom another machine, trusting this key and no other:\n\
                 \n  curl -k --pinnedpubkey '{pin}' -u {user} {from_outside}/api/status\n"
            );
        }
        text
    }
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
mod tests {
    use super::shell_word;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        assert_eq!(
            shell_word("/var/lib/postern/tls-cert.pem"),
            "/var/lib/postern/tls-cert.pem"
        );
        assert_eq!(shell_word("two words"), "'two words'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
