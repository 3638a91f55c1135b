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

#[test]
fn an_address_is_itself_and_a_link_local_one_is_another_on_each_interface() {
    let key = |text: &str| text.parse::<ClientKey>().unwrap();
    assert_ne!(key("2001:db8:1:2::7"), key("2001:db8:1:2::8"));
    assert_eq!(key("2001:db8:1:2::7"), ip("2001:db8:1:2::7").into());
    assert_ne!(key("fe80::1%eth0"), key("fe80::1%wlan0"));
    assert_ne!(key("fe80::1%eth0"), key("fe80::1"));
    let eth0 = Interface::named("eth0").unwrap();
    assert_eq!(ClientKey::on(ip("fe80::1"), eth0), key("fe80::1%eth0"));
    let global = ClientKey::on(ip("2001:db8::7"), eth0);
    assert_eq!(global, key("2001:db8::7"));
    let mapped = ClientKey::on(ip("::ffff:192.0.2.1"), eth0);
    assert_eq!(mapped, key("192.0.2.1"));
}

#[test]
fn ipv6_addresses_share_the_account_of_their_64() {
    let network = |text: &str| text.parse::<ClientKey>().unwrap().network();
    let shared = network("2001:db8:1:2:aaaa::1");
    assert_eq!(shared, network("2001:db8:1:2::ffff"));
    assert_ne!(shared, network("2001:db8:1:3::ffff"));
    assert_eq!(network("fe80::1%eth0"), network("fe80::2%eth0"));
    assert_ne!(network("fe80::1%eth0"), network("fe80::1%wlan0"));
    assert_eq!(network("192.0.2.1"), None);
    assert_eq!(network("2001:db8:1:2::/64"), None);
}

#[test]
fn a_client_is_shown_and_read_in_the_same_words() {
    for (text, shown) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:1:2:0::7", "2001:db8:1:2::7"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7/64", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::1", "fe80::1"),
        ("fe80::1%eth0/64", "fe80::%eth0/64"),
    ] {
        let client: ClientKey = text.parse().unwrap();
        assert_eq!(client.to_string(), shown);
        assert_eq!(shown.parse(), Ok(client));
    }
    for text in [
        "",
        "/64",
        "%eth0",
        "192.0.2.1/64",
        "192.0.2.1%eth0",
        "2001:db8::/48",
        "2001:db8::1%eth0",
        "fe80::1%",
        "fe80::1%eth0%eth1",
        "fe80::1%an-interface-too-long",
        "192.0.2.1:80",
    ] {
        assert_eq!(text.parse::<ClientKey>(), Err(NotAClient), "{text}");
    }
}
