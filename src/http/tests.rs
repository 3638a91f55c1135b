//! The parser against the table of cases in `tests/rfc9112.txt`: each whole, byte by byte, and between other requests.

use super::body::{BodyReader, BodyWanted, MAX_BODY};
use super::request::Peer;
use super::request_head::HeadReader;

/// A line of the table: `section | bytes | outcome`.
struct Case {
    line: usize,
    bytes: Vec<u8>,
    outcome: String,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("../../tests/rfc9112.txt").lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let mut parts = line.split(" | ");
            let (Some(section), Some(bytes), Some(outcome), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                panic!("line {}: not `section | bytes | outcome`", index + 1);
            };
            assert!(!section.is_empty(), "line {}", index + 1);
            Case {
                line: index + 1,
                bytes: unescaped(bytes),
                outcome: match outcome.split_once("@{") {
                    None => outcome.to_owned(),
                    Some((before, rest)) => {
                        let (times, after) = rest.split_once('}').expect("a closing brace");
                        let (text, count) = times.rsplit_once('*').expect("a count");
                        let text = text.repeat(count.parse().expect("a count"));
                        format!("{before}{text}{after}")
                    }
                },
            }
        })
        .collect()
}

/// `\r`, `\n`, `\t`, `\\`, `\p` for `|`, `\xHH`, and `\{TEXT*COUNT}` for a text many times over.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = rest[at + 1..].chars().next().expect("an escape");
        rest = &rest[at + 2..];
        match escape {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'p' => bytes.push(b'|'),
            '\\' => bytes.push(b'\\'),
            'x' => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).expect("two digits"));
                rest = &rest[2..];
            }
            '{' => {
                let (times, after) = rest.split_once('}').expect("a closing brace");
                let (text, count) = times.rsplit_once('*').expect("a count");
                let count = count.parse().expect("a count");
                bytes.extend(unescaped(text).repeat(count));
                rest = after;
            }
            other => panic!("no such escape: {other}"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// What the parser makes of a connection's bytes, given in pieces of this size: a line for each request, a status where it
/// refuses, `more` where it wants more.
fn read(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut told = Vec::new();
    let mut buffer = Vec::new();
    let mut head = HeadReader::default();
    let mut body: Option<(String, BodyReader)> = None;
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            if let Some((request, mut reader)) = body.take() {
                match reader.feed(&buffer) {
                    Ok(used) => drop(buffer.drain(..used)),
                    Err(error) => {
                        told.push(error.status().to_string());
                        return told;
                    }
                }
                if !reader.is_done() {
                    body = Some((request, reader));
                    break;
                }
                let text = reader.into_bytes().escape_ascii().to_string();
                told.push(format!("{request} {text}").trim_end().to_owned());
            }
            match head.read(&buffer, Peer::Local) {
                Ok(None) => break,
                Ok(Some((read, length))) => {
                    buffer.drain(..length);
                    head = HeadReader::default();
                    let request = &read.request;
                    let shown = format!(
                        "{} {} {}{}{}",
                        request.method,
                        request.target.spelling(),
                        request.host.as_deref().unwrap_or("-"),
                        if read.keep_alive { "" } else { " close" },
                        if read.expects_continue { " waits" } else { "" },
                    );
                    match BodyReader::new(read.body, BodyWanted::UpTo(MAX_BODY)) {
                        Ok(reader) => body = Some((shown, reader)),
                        Err(error) => {
                            told.push(error.status().to_string());
                            return told;
                        }
                    }
                }
                Err(error) => {
                    told.push(error.status().to_string());
                    return told;
                }
            }
        }
    }
    if body.is_some() || !buffer.is_empty() {
        told.push("more".into());
    }
    told
}

#[test]
fn every_case_of_rfc_9112_comes_out_as_the_table_says() {
    const OTHER: &str = "GET /other HTTP/1.1\r\nHost: other\r\n\r\n";
    const OTHER_TOLD: &str = "GET /other other";
    let cases = cases();
    let mut wrong = Vec::new();
    for Case {
        line,
        bytes,
        outcome,
    } in &cases
    {
        let between = [OTHER.as_bytes(), bytes, OTHER.as_bytes()].concat();
        let whole_and_ended = !(outcome == "more" || outcome.parse::<u16>().is_ok());
        let mut told_between = vec![OTHER_TOLD, outcome];
        if whole_and_ended {
            told_between.push(OTHER_TOLD);
        }
        for (how, bytes, told) in [
            ("whole", bytes, vec![outcome.as_str()]),
            ("between others", &between, told_between),
        ] {
            if how == "between others" && outcome == "more" {
                continue;
            }
            for piece in [bytes.len(), 1] {
                let read = read(bytes, piece);
                if read != told {
                    wrong.push(format!(
                        "line {line}, {how}, pieces of {piece}: {read:?}, not {told:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let distinct: std::collections::BTreeSet<_> = cases.iter().map(|case| &case.bytes).collect();
    assert_eq!(distinct.len(), cases.len(), "the same case twice");
    assert!(cases.len() >= 250, "{} cases", cases.len());
}
