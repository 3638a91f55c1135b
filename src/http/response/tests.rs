use super::*;

#[test]
fn no_value_ends_its_field() {
    let response =
        Response::new(200, "Server: postern\r\n").with_field("Allow", "GET\r\nX: y\0\u{e9}");
    assert_eq!(
        Some(response.fields.as_ref()),
        Some("Server: postern\r\nAllow: GET??X: y??\r\n")
    );
}
