use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
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

#[test]
fn an_interface_has_the_name_that_it_was_given_or_is_none() {
    for name in ["lo", "eth0", "wlx00c0caab12cd", "br-lan.2"] {
        assert_eq!(Interface::named(name).unwrap().name(), name);
    }
    for name in ["", "sixteen-letters-", "a b", "a/b", "eth0\0", "\u{fc}"] {
        assert_eq!(Interface::named(name), None, "{name:?}");
    }
    assert_eq!(Interface::NONE.name(), "");
}
