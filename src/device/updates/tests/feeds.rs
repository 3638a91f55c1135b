//! Feeds, good and bad.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const OWN: &[u8] = br#"{"version":"0.2.0","url":"https://example.org/p"}"#;

#[test]
fn a_feed_of_either_shape_is_understood_and_asked_as_a_client_should() {
    for body in [
        OWN,
        br#"{"tag_name":"v0.2.0","html_url":"https://github.com/p/p/releases/tag/v0.2.0","draft":false}"#,
    ] {
        let feed = Feed::with(vec![("/u", "200 OK", body.to_vec())]);
        let board = Board::asking(&feed);
        assert_eq!(board.known(), (None, UpdateState::Unknown));
        board.ask().expect("news");
        assert_eq!(board.known(), available("0.2.0"));
        assert!(board.updates.known().expect("an update").url.is_some());
        assert_eq!(board.updates.report().checked, Some(TODAY));
        let head = &feed.heads()[0].to_ascii_lowercase();
        assert!(head.starts_with("get /u http/1.1\r\n"), "{head}");
        let agent = concat!("\r\nuser-agent: postern/", env!("CARGO_PKG_VERSION"), "\r\n");
        assert!(head.contains(agent), "{head}");
        assert!(!head.contains("cookie"), "{head}");
    }
}

#[test]
fn a_feed_without_anything_newer_is_current() {
    for body in [
        r#"{"version":"0.1.0"}"#,
        r#"{"version":"0.0.9"}"#,
        r#"{"version":"0.2.0-rc.1"}"#,
        r#"{"tag_name":"v0.2.0","prerelease":true}"#,
    ] {
        let feed = Feed::with(vec![("/u", "200 OK", body.into())]);
        let board = Board::asking(&feed);
        board.ask().expect("news");
        assert_eq!(board.known(), (None, UpdateState::Current), "{body}");
    }
}

#[test]
fn nothing_is_asked_without_a_url() {
    let board = Board::without_feed();
    board.ask().expect("nothing to do");
    assert_eq!(board.known(), (None, UpdateState::Off));
}

/// Asks a feed that was good once and then serves this; what was known must hold.
fn after_good_news(
    bad: impl Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static,
) -> UpdateError {
    let asked = AtomicUsize::new(0);
    let feed = Feed::serving(move |_, out| {
        if asked.fetch_add(1, Ordering::Relaxed) > 0 {
            return bad(out);
        }
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            OWN.len()
        )?;
        out.write_all(OWN)
    });
    let board = Board::asking(&feed);
    board.ask().expect("good news");
    let patience = Patience {
        whole: Duration::from_millis(500),
        ..PATIENT
    };
    let failure = board.updates.ask(patience).expect_err("bad news");
    assert_eq!(board.known(), available("0.2.0"));
    let error = board.updates.report().error.expect("what went wrong");
    assert_eq!(error, format!("UPDATE_URL: {failure}"));
    failure
}

type IsExpected = fn(&UpdateError) -> bool;

#[test]
fn a_bad_answer_leaves_what_was_known() {
    let answers: [(&'static [u8], IsExpected); 10] = [
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", |f| {
            matches!(f, UpdateError::Status(500))
        }),
        (b"HTTP/1.1 304 No\r\n\r\n", |f| {
            matches!(f, UpdateError::Status(304))
        }),
        (b"HTTP/1.1 204 No\r\n\r\n", |f| {
            matches!(f, UpdateError::Status(204))
        }),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", |f| {
            matches!(f, UpdateError::Manifest(_))
        }),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{\"version\":\"9.9.9\"}",
            |f| matches!(f, UpdateError::Http),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"ve\r\nzz\r\n",
            |f| matches!(f, UpdateError::Http),
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n{}",
            |f| matches!(f, UpdateError::Size),
        ),
        (b"SSH-2.0-x\r\n", |f| matches!(f, UpdateError::Http)),
        (b"", |f| matches!(f, UpdateError::Http)),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", |f| {
            matches!(f, UpdateError::Status(302) | UpdateError::Http)
        }),
    ];
    for (answer, expected) in answers {
        let failure = after_good_news(|out| out.write_all(answer));
        assert!(
            expected(&failure),
            "{failure:?} {}",
            String::from_utf8_lossy(answer)
        );
    }
}

#[test]
fn a_gigabyte_is_cut_off() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3B9ACA00\r\n",
    ] {
        let failure = after_good_news(|out| {
            out.write_all(head.as_bytes())?;
            // Until the other end has had enough.
            loop {
                out.write_all(&[b' '; 16 * 1024])?;
            }
        });
        assert!(matches!(failure, UpdateError::Size), "{failure:?}");
    }
    let failure = after_good_news(|out| {
        out.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            out.write_all(b"X: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n")?;
        }
    });
    assert!(matches!(failure, UpdateError::Http), "{failure:?}");
}

#[test]
fn a_feed_that_drips_or_is_silent_is_not_waited_for() {
    for start in [
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    ] {
        let failure = after_good_news(|out| {
            out.write_all(start.as_bytes())?;
            loop {
                out.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(matches!(failure, UpdateError::Time), "{failure:?}");
    }
    // It takes connections, and says nothing at all.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut settings = settings(&Feed::with(Vec::new()));
    let url = format!("https://{}/u", silent.local_addr().expect("an address"));
    settings.url = Some(HttpsUrl::parse(&url).expect("a URL"));
    let feed = Feed::with(Vec::new());
    settings.ca_file = Some(feed.ca_file());
    let patience = Patience {
        connect: Duration::from_millis(200),
        ..PATIENT
    };
    let failure = Board::with(settings).updates.ask(patience);
    assert!(matches!(failure, Err(UpdateError::Time)), "{failure:?}");
}

#[test]
fn a_redirect_is_followed_to_https_only_and_not_for_ever() {
    let found = |to: &str| -> &'static str {
        Box::leak(format!("302 Found\r\nLocation: {to}").into_boxed_str())
    };
    let feed = Feed::with(vec![
        ("/u", found("/a"), vec![]),
        ("/a", found("/b?x=y"), vec![]),
        ("/b?x=y", "200 OK", OWN.to_vec()),
    ]);
    Board::asking(&feed).ask().expect("news");

    let plain = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = plain.local_addr().expect("an address");
    plain.set_nonblocking(true).expect("non-blocking");
    for to in [
        &format!("http://{address}/u"),
        "/u",
        "ftp://localhost/u",
        "file:///etc/passwd",
    ] {
        let feed = Feed::with(vec![("/u", found(to), vec![])]);
        let board = Board::asking(&feed);
        let failure = board.ask().expect_err("nothing good");
        assert!(
            matches!(
                failure,
                UpdateError::Redirect | UpdateError::Http | UpdateError::Status(404)
            ),
            "{to}: {failure:?}"
        );
        assert_eq!(board.known(), (None, UpdateState::Failing));
        assert!(feed.heads().len() <= 4, "{to}");
    }
    assert!(plain.accept().is_err(), "it asked in the clear");
}

#[test]
fn a_certificate_is_held_against_the_trusted_ones_the_name_and_the_guarded_clock() {
    let feed = Feed::with(vec![("/u", "200 OK", OWN.to_vec())]);
    let other = Feed::with(Vec::new());
    let mut strange = settings(&feed);
    strange.ca_file = Some(other.ca_file());
    let mut misnamed = settings(&feed);
    let url = format!("https://127.0.0.1:{}/u", feed.address.port());
    misnamed.url = Some(HttpsUrl::parse(&url).expect("a URL"));
    for settings in [strange, misnamed] {
        let failure = Board::with(settings).ask();
        assert!(matches!(failure, Err(UpdateError::Tls(_))), "{failure:?}");
    }
    // Neither the test's own machine nor the board's system clock says so; the guarded one does.
    let then = Feed::valid_in(2090..2091, |_, out| {
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            OWN.len()
        )?;
        out.write_all(OWN)
    });
    let board = Board::asking(&then);
    assert!(matches!(board.ask(), Err(UpdateError::Tls(_))));
    let later = Board::at(
        Timestamp::from_secs(120 * 31_557_600 + 10_000_000),
        settings(&then),
    );
    later.time.set_system(TODAY);
    later.ask().expect("news");
    assert!(feed.heads().iter().all(|head| head.starts_with("GET /u ")));
}

#[test]
fn in_1970_nobody_is_asked() {
    let feed = Feed::with(vec![("/u", "200 OK", OWN.to_vec())]);
    let Board { updates, time, .. } = &Board::at(Timestamp::from_secs(1000), settings(&feed));
    assert!(matches!(updates.ask(PATIENT), Err(UpdateError::Clock)));
    let report = updates.report();
    assert_eq!((report.state, report.checked), (UpdateState::Failing, None));
    assert!(
        report
            .error
            .expect("why")
            .contains("clock has not been set")
    );
    assert!(feed.heads().is_empty());
    time.set_system(TODAY);
    updates.ask(PATIENT).expect("news");
    assert_eq!(updates.report().error, None);
}

#[test]
fn without_trusted_certificates_nobody_is_asked() {
    let feed = Feed::with(vec![("/u", "200 OK", OWN.to_vec())]);
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").expect("written");
    for file in [
        empty,
        folder.path().join("none.pem"),
        folder.path().to_owned(),
    ] {
        let mut settings = settings(&feed);
        settings.ca_file = Some(file.clone());
        let failure = Board::with(settings).ask().expect_err("nobody to trust");
        let words = failure.to_string();
        assert!(
            words.contains(file.to_str().expect("UTF-8")) && words.contains("UPDATE_CA_FILE"),
            "{words}"
        );
    }
    assert!(feed.heads().is_empty());
}

#[test]
fn a_network_that_is_dead_is_said_to_be() {
    let feed = Feed::with(Vec::new());
    let mut refused = settings(&feed);
    let gone = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    refused.url = Some(HttpsUrl::parse(&format!("https://{gone}/u?token=hush")).expect("a URL"));
    let board = Board::with(refused);
    assert!(matches!(board.ask(), Err(UpdateError::Network(_))));
    let error = board.updates.report().error.expect("what went wrong");
    assert!(
        error.contains("connection failed") && !error.contains("hush"),
        "{error}"
    );
}

#[test]
fn with_a_key_only_what_it_signed_is_believed() {
    let signer = Signer::new(1);
    let good = signer.sign(OWN).into_bytes();
    let wrong = Signer::new(2).sign(OWN).into_bytes();
    let of_another = signer.sign(b"{}").into_bytes();
    let long = [&good[..], &[b'\n'; 5000]].concat();
    for (signature, outcome) in [
        (Some(good), None),
        (Some(wrong), Some("not that of UPDATE_PUBLIC_KEY")),
        (Some(of_another), Some("not that of UPDATE_PUBLIC_KEY")),
        (Some(b"<html>".to_vec()), Some("none of minisign's")),
        (Some(long), Some("larger")),
        (None, Some("not signed")),
    ] {
        let mut answers = vec![("/u?k=v", "200 OK", OWN.to_vec())];
        answers.extend(signature.map(|s| ("/u.minisig?k=v", "200 OK", s)));
        let feed = Feed::with(answers);
        let mut settings = settings(&feed);
        settings.url = Some(HttpsUrl::parse(&feed.url("/u?k=v")).expect("a URL"));
        settings.public_key = Some(signer.key());
        let board = Board::with(settings);
        let asked = board.ask();
        match outcome {
            None => assert_eq!(board.known(), available("0.2.0"), "{asked:?}"),
            Some(words) => {
                let failure = asked.expect_err(words).to_string();
                assert!(failure.contains(words), "{failure}");
                assert_eq!(board.known(), (None, UpdateState::Failing));
            }
        }
    }
}

#[test]
fn an_old_manifest_with_a_good_signature_hides_no_newer_one() {
    let signer = Signer::new(1);
    let asked = AtomicUsize::new(0);
    let signing = Signer::new(1);
    let feed = Feed::serving(move |head, out| {
        let turn = asked.fetch_add(1, Ordering::Relaxed) / 2;
        let manifest = [
            r#"{"version":"0.3.0"}"#,
            r#"{"version":"0.2.0"}"#,
            r#"{"version":"0.0.1"}"#,
        ][turn];
        let body = if head.contains(".minisig") {
            signing.sign(manifest.as_bytes())
        } else {
            manifest.to_owned()
        };
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let mut settings = settings(&feed);
    settings.public_key = Some(signer.key());
    let board = Board::with(settings);
    for _ in 0..3 {
        board.ask().expect("well signed");
        assert_eq!(board.known(), available("0.3.0"));
    }
}

#[test]
fn an_unchanged_manifest_is_not_sent_again_and_a_bad_ones_tag_is_not_kept() {
    let feed = Feed::serving(|head, out| {
        if head
            .to_ascii_lowercase()
            .contains("if-none-match: \"a\"\r\n")
        {
            return out.write_all(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
        }
        write!(
            out,
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: {}\r\n\r\n",
            OWN.len()
        )?;
        out.write_all(OWN)
    });
    let board = Board::asking(&feed);
    for _ in 0..3 {
        board.ask().expect("news");
        assert_eq!(board.known(), available("0.2.0"));
    }
    let asked: Vec<_> = feed
        .heads()
        .iter()
        .map(|h| h.to_ascii_lowercase().contains("if-none-match"))
        .collect();
    assert_eq!(asked, [false, true, true]);

    let feed = Feed::with(vec![("/u", "200 OK\r\nETag: \"b\"", b"{}".to_vec())]);
    let board = Board::asking(&feed);
    for _ in 0..2 {
        board.ask().expect_err("no manifest");
    }
    assert!(
        feed.heads()
            .iter()
            .all(|h| !h.to_ascii_lowercase().contains("if-none-match"))
    );
}
