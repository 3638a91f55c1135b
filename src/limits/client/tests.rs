use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn client(peer: &str, forwarded_for: &[&str], trusted: &[&str]) -> IpAddr {
    let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
    let client = client_address(ip(peer).into(), forwarded_for.iter().copied(), &trusted);
    client.address()
}

#[test]
fn a_peer_that_is_not_trusted_cannot_speak_for_others() {
    assert_eq!(client("192.0.2.9", &["10.1.1.1"], &[]), ip("192.0.2.9"));
    assert_eq!(
        client("192.0.2.9", &["10.1.1.1"], &["192.0.2.8/32"]),
        ip("192.0.2.9")
    );
}

#[test]
fn the_header_is_read_from_the_right_past_trusted_hops() {
    let trusted = &["10.0.0.0/8"];
    let spoofed = &["1.2.3.4, 203.0.113.5, 10.0.0.2"];
    assert_eq!(client("10.0.0.1", spoofed, trusted), ip("203.0.113.5"));
    let in_two_fields = &["1.2.3.4,203.0.113.5", "10.0.0.3 , 10.0.0.2"];
    assert_eq!(
        client("10.0.0.1", in_two_fields, trusted),
        ip("203.0.113.5")
    );
    assert_eq!(client("10.0.0.1", &["10.0.0.2"], trusted), ip("10.0.0.2"));
    assert_eq!(client("10.0.0.1", &[], trusted), ip("10.0.0.1"));
}

#[test]
fn garbage_ends_the_reading_at_the_last_good_hop() {
    let trusted = &["10.0.0.0/8"];
    assert_eq!(
        client("10.0.0.1", &["203.0.113.5, unknown, 10.0.0.2"], trusted),
        ip("10.0.0.2")
    );
    assert_eq!(client("10.0.0.1", &[""], trusted), ip("10.0.0.1"));
    assert_eq!(
        client("10.0.0.1", &["203.0.113.5,"], trusted),
        ip("10.0.0.1")
    );
    assert_eq!(client("10.0.0.1", &["[10.0.0.7]"], trusted), ip("10.0.0.1"));
}

#[test]
fn ports_and_brackets_are_tolerated() {
    let trusted = &["::1/128"];
    for (hop, expected) in [
        ("203.0.113.5:4711", "203.0.113.5"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(client("::1", &[hop], trusted), ip(expected));
    }
}

#[test]
fn an_ipv4_client_on_a_dual_stack_listener_is_the_same_client() {
    assert_eq!(client("::ffff:192.0.2.1", &[], &[]), ip("192.0.2.1"));
    assert_eq!(
        client("::ffff:10.0.0.1", &["::ffff:203.0.113.5"], &["10.0.0.0/8"]),
        ip("203.0.113.5")
    );
    assert_eq!(
        ClientKey::from(ip("::ffff:192.0.2.1")),
        ClientKey::from(ip("192.0.2.1"))
    );
}
