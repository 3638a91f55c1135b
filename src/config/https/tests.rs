use super::*;

#[test]
fn only_a_url_that_leads_where_it_says_is_taken() {
    for good in [
        "https://example.org",
        "HTTPS://example.org:8443/a/b?c=d#e",
        "https://[2001:db8::1]:1/a",
        "https://10.0.0.1/%20",
    ] {
        assert!(HttpsUrl::parse(good).is_ok(), "{good}");
    }
    let long = format!("https://example.org/{}", "a".repeat(2048));
    for bad in [
        "",
        "http://example.org",
        "javascript:alert(1)",
        "https:/example.org",
        "https://",
        "https:///a",
        "https://github.com@evil.example/",
        "https://user:secret@example.org/",
        "https://example.org/\n",
        "https://example.org/\0",
        "https://example.org/a b",
        "https://example.org/\"onclick=",
        "https://example.org/<b>",
        "https://exämple.org/",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org:/",
        "https://[::1/",
        "éhttps://example.org",
        &long,
    ] {
        let problem = HttpsUrl::parse(bad).expect_err(bad);
        assert!(!problem.contains("secret"), "{problem}");
    }
}

#[test]
fn a_suffix_goes_to_the_path_and_the_query_is_not_shown() {
    for (url, with, shown) in [
        (
            "https://a/u.json?t=1#x",
            "https://a/u.json.minisig?t=1#x",
            "https://a/u.json",
        ),
        ("https://a/u", "https://a/u.minisig", "https://a/u"),
        ("https://a", "https://a/.minisig", "https://a"),
        ("https://a?t=/", "https://a/.minisig?t=/", "https://a"),
    ] {
        let url = HttpsUrl::parse(url).expect(url);
        assert_eq!(url.with_suffix(".minisig").as_str(), with);
        assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
    }
}
