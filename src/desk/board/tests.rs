use super::*;

#[test]
fn a_board_is_known_by_url_name_and_address() {
    for (word, shown) in [
        ("https://board:8443", "board:8443"),
        ("https://Board:8443/", "board:8443"),
        ("HTTPS://board", "board:443"),
        ("board", "board:8443"),
        ("board.local:9000", "board.local:9000"),
        ("192.168.1.20", "192.168.1.20:8443"),
        ("https://[::1]:8443", "[::1]:8443"),
        ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
        ("https://[fe80::1%25eth0]:8443", "[fe80::1%eth0]:8443"),
        ("https://[FE80::1%25eth0.25]", "[fe80::1%eth0.25]:443"),
        ("[FE80::1%25wlP1]", "[fe80::1%wlP1]:8443"),
        ("[fe80::1%252]", "[fe80::1%2]:8443"),
        ("[fe80::1%25]", "[fe80::1%25]:8443"),
        ("[FD00::1]", "[fd00::1]:8443"),
    ] {
        let board = BoardAddress::parse(word).unwrap_or_else(|error| panic!("{word}: {error}"));
        assert_eq!(board.to_string(), shown, "{word}");
        assert!(board.server_name().is_some(), "{word}");
    }
}

#[test]
fn what_is_no_address_is_refused_in_words() {
    for (word, why) in [
        ("http://board:8443", "whole network"),
        ("ftp://board", "neither"),
        ("https://board:8443/api/logs", "follow the port"),
        ("https://board:8443?x", "follow the port"),
        ("", "neither a host's name"),
        ("https://", "neither a host's name"),
        ("two words", "neither a host's name"),
        ("board:", "the port"),
        ("board:0", "the port"),
        ("board:+1", "the port"),
        ("board:65536", "the port"),
        ("::1", "brackets"),
        ("[::1", "] is missing"),
        ("[::1]8443", "only a port"),
        ("[board]:8443", "not an IPv6"),
        ("[fe80::1%]:8443", "not an IPv6"),
        ("[fe80::1%25a%25b]:8443", "not an IPv6"),
        ("[fe80::1%25a/b]:8443", "follow the port"),
    ] {
        let error = BoardAddress::parse(word).unwrap_err();
        assert!(error.contains(why), "{word}: {error}");
    }
}

#[test]
fn a_password_in_the_address_is_refused_and_not_repeated() {
    for word in ["https://admin:hunter22@board:8443", "admin:hunter22@board"] {
        let error = BoardAddress::parse(word).unwrap_err();
        assert!(!error.contains("hunter22"), "{error}");
        assert!(error.contains("--user") && error.contains("POSTERN_PASSWORD"));
    }
}
