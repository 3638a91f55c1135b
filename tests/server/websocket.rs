//! A subscriber of the log stream: the handshake by hand, so that every header can be wrong, and tungstenite behind it.

use std::io::{Read, Write};

use serde_json::Value;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error, Message};

use crate::client::{Client, Response, TlsStream};
use crate::device::Device;

/// RFC 6455, section 1.3: its example's key …
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// … and the answer to it.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A stream that has had its `hello`.
pub struct Subscriber<S = TlsStream> {
    pub socket: WebSocket<S>,
    pub hello: Value,
}

/// The head of a good handshake, with more fields behind it.
pub fn handshake(target: &str, fields: &[(&str, &str)]) -> String {
    let mut head = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    );
    for (name, value) in fields {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head
}

/// Tries a handshake, on a connection of its own.
pub fn knock(device: &Device, target: &str, fields: &[(&str, &str)]) -> (Client, Response) {
    let mut client = device.connect();
    let response = client.raw(handshake(target, fields));
    (client, response)
}

impl Subscriber {
    /// Opens a stream with a bearer token; `query` is empty or begins with `?`.
    pub fn open(device: &Device, authorization: &str, query: &str) -> Self {
        Self::over(device.connect(), authorization, query)
    }

    /// The same, over a connection that is there already.
    pub fn over(mut client: Client, authorization: &str, query: &str) -> Self {
        let target = format!("/api/ws/logs{query}");
        let response = client.raw(handshake(&target, &[("Authorization", authorization)]));
        Self::after(client, &response)
    }
}

impl<S: Read + Write> Subscriber<S> {
    /// Behind a handshake.
    pub fn after(client: Client<S>, response: &Response) -> Self {
        assert_eq!(response.status, 101, "{}", response.text());
        assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
        let (stream, buffered) = client.into_parts();
        let mut socket = WebSocket::from_partially_read(stream, buffered, Role::Client, None);
        let hello = next(&mut socket);
        assert_eq!(hello["type"], "hello", "{hello}");
        Self { socket, hello }
    }

    /// The next message.
    pub fn next(&mut self) -> Value {
        next(&mut self.socket)
    }

    /// The next message, which must be an entry; its text.
    pub fn message(&mut self) -> String {
        let message = self.next();
        assert_eq!(message["type"], "log", "{message}");
        message["message"].as_str().expect("a text").to_owned()
    }

    /// Reads on to the close frame, answers it, and returns its code.
    pub fn close_code(&mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => {
                    let _ = self.socket.flush();
                    return frame.expect("a code").code.into();
                }
                Ok(_) => {}
                Err(error) => panic!("no close frame: {error}"),
            }
        }
    }

    /// Asserts that the stream is still served: the next entry of its filter is this one.
    pub fn is_served(&mut self, device: &Device) {
        let seq = device.log("still here");
        loop {
            let message = self.next();
            if message["seq"] == seq {
                return;
            }
        }
    }
}

fn next<S: Read + Write>(socket: &mut WebSocket<S>) -> Value {
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => return serde_json::from_str(&text).expect("JSON"),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(Error::Io(error)) => panic!("nothing came: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}
