//! The console: the files of the page, embedded gzipped, for that is how browsers want them.

use std::borrow::Cow;

use super::error::ApiError;
use super::{Api, Caller, Outcome};
use crate::gunzip::gunzip;
use crate::http::request::Request;
use crate::http::response::Response;

/// `GET /`
pub(super) fn page(_: &Api, request: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    serve("index.html", request)
}

/// `GET /console/{file}`
pub(super) fn file(_: &Api, request: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    serve(&caller.parameter, request)
}

fn serve(name: &str, request: &Request) -> Result<Outcome, ApiError> {
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or(ApiError::NotFound("there is nothing at this path"))?;
    let gzip = takes_gzip(request);
    // Strong, and so another one for each encoding (RFC 9110, section 8.8.3.3).
    let tag = format!("\"{}{}\"", file.tag, if gzip { "-gzip" } else { "" });
    let body = if gzip {
        Cow::Borrowed(file.gzip)
    } else {
        Cow::Owned(gunzip(file.gzip))
    };
    let fresh = request
        .header_values("If-None-Match")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    // A 304 has the head of the answer that it saves; the writer leaves the body out.
    let mut answer = Response::new(if fresh { 304 } else { 200 }, GUARDS)
        .with_body(body)
        .with_field("Content-Type", file.media_type)
        .with_field("ETag", &tag)
        .with_field("Vary", "Accept-Encoding");
    if gzip {
        answer = answer.with_field("Content-Encoding", "gzip");
    }
    Ok(Outcome::Response(answer))
}

/// RFC 9110, section 12.5.3. Whoever says nothing gets the plain file: that is what somebody with curl can read.
fn takes_gzip(request: &Request) -> bool {
    request
        .header_values("Accept-Encoding")
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
            name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
        })
}

/// What a browser must not do with the page, whatever a log line should get into it. Nothing inline, nothing from
/// elsewhere, no text taken for HTML (`trusted-types`), no frame around it. It is asked for anew each time, so that a
/// new release is seen at once; mostly the answer is 304.
const GUARDS: &str = concat!(
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n",
    "Cache-Control: no-cache\r\n",
    "Cross-Origin-Opener-Policy: same-origin\r\n",
    "Cross-Origin-Resource-Policy: same-origin\r\n",
    "Referrer-Policy: no-referrer\r\n",
    "Server: postern\r\n",
    "X-Content-Type-Options: nosniff\r\n",
    "X-Frame-Options: DENY\r\n",
);

/// One file of the page.
struct File {
    name: &'static str,
    media_type: &'static str,
    tag: &'static str,
    gzip: &'static [u8],
}

macro_rules! file {
    ($name:literal, $media_type:expr) => {
        File {
            name: $name,
            media_type: $media_type,
            tag: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".tag")),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        }
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All of the page.
static FILES: &[File] = &[
    file!("index.html", "text/html; charset=utf-8"),
    file!("style.css", "text/css; charset=utf-8"),
    file!("app.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("feed.js", SCRIPT),
    file!("log.js", SCRIPT),
    file!("overview.js", SCRIPT),
    file!("security.js", SCRIPT),
    file!("session.js", SCRIPT),
];

#[cfg(test)]
mod tests;
