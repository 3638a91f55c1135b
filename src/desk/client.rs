//! Sends requests to the board: one a connection, over TLS to a pinned certificate, with limits of time and size.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use super::board::BoardAddress;
use super::environment::Timing;
use super::error::DeskError;
use super::known_boards::{CertificateFingerprint, KnownBoard};
use super::pin::Pin;
use super::response::BoardResponse;
use super::socket::{BoardSocket, TlsStream};
use super::stop::StopSignal;
use crate::config::SecretString;
use crate::http::client_request::{ClientRequest, UnwritableRequest};

/// Which certificate is trusted, and why.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub fingerprint: CertificateFingerprint,
    /// Where that stands.
    source: String,
    /// What to do if the board really has another one.
    way_out: String,
}

impl Trust {
    /// From `known_boards`.
    pub(super) fn known(known: &KnownBoard) -> Self {
        let (file, line) = (known.file.display(), known.line);
        Self {
            fingerprint: known.fingerprint,
            source: format!("line {line} of {file}"),
            way_out: format!(
                "If they agree, remove line {line} of\n{file}, or give --fingerprint with the new one."
            ),
        }
    }

    /// `--fingerprint` names it.
    pub(super) fn given(fingerprint: CertificateFingerprint) -> Self {
        Self {
            fingerprint,
            source: "--fingerprint".to_owned(),
            way_out: "If they agree, --fingerprint is wrong.".to_owned(),
        }
    }

    /// The user has just confirmed it, or the kept login was made with it.
    pub(super) fn earlier(fingerprint: CertificateFingerprint, when: &str) -> Self {
        Self {
            fingerprint,
            source: when.to_owned(),
            way_out: "If they agree, try again.".to_owned(),
        }
    }
}

/// One board, with whatever is needed to ask it.
pub(super) struct BoardClient<'a> {
    pub board: &'a BoardAddress,
    pub trust: Trust,
    pub stop: &'a StopSignal,
    pub timing: Timing,
    connector: TlsConnector,
}

/// What a handshake needs.
#[derive(Clone)]
struct TlsConnector {
    pin: Arc<Pin>,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsConnector {
    fn new(
        board: &BoardAddress,
        expected: Option<CertificateFingerprint>,
    ) -> Result<Self, DeskError> {
        let pin = Pin::new(expected);
        let tls = pin
            .config()
            .map_err(|error| DeskError::Permanent(error.to_string()))?;
        let name = board.server_name().ok_or_else(|| {
            DeskError::Permanent(format!("{board} is not a name that TLS can check"))
        })?;
        Ok(Self { pin, tls, name })
    }

    fn open<'a>(
        &self,
        board: &BoardAddress,
        stop: &'a StopSignal,
        timing: Timing,
    ) -> Result<TlsStream<'a>, DeskError> {
        let mut socket =
            BoardSocket::connect(board, stop, timing.connect).map_err(|e| lost(board, &e))?;
        socket.deadline = Some(Instant::now() + timing.answer);
        let tls = ClientConnection::new(self.tls.clone(), self.name.clone());
        let mut tls = tls.map_err(|error| DeskError::Permanent(error.to_string()))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(|e| lost(board, &e))?;
        }
        Ok(StreamOwned::new(tls, socket))
    }
}

/// Only does the TLS handshake, to see the board's certificate.
pub(super) fn first_look(
    board: &BoardAddress,
    stop: &StopSignal,
    timing: Timing,
) -> Result<CertificateFingerprint, DeskError> {
    let connector = TlsConnector::new(board, None)?;
    connector.open(board, stop, timing)?;
    let shown = connector.pin.shown();
    shown.ok_or_else(|| DeskError::Permanent(format!("{board} showed no certificate")))
}

/// A request to the board.
pub(super) struct BoardRequest<'a> {
    pub method: &'static str,
    pub target: &'a str,
    pub token: Option<&'a SecretString>,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl<'a> BoardClient<'a> {
    pub(super) fn new(
        board: &'a BoardAddress,
        trust: Trust,
        stop: &'a StopSignal,
        timing: Timing,
    ) -> Result<Self, DeskError> {
        let connector = TlsConnector::new(board, Some(trust.fingerprint))?;
        Ok(Self {
            board,
            trust,
            stop,
            timing,
            connector,
        })
    }

    /// The same board, with other time limits and another stop signal.
    pub(super) fn with<'b>(&self, stop: &'b StopSignal, timing: Timing) -> BoardClient<'b>
    where
        'a: 'b,
    {
        BoardClient {
            board: self.board,
            trust: self.trust.clone(),
            stop,
            timing,
            connector: self.connector.clone(),
        }
    }

    pub(super) fn get(
        &self,
        target: &str,
        token: &SecretString,
    ) -> Result<BoardResponse<'a>, DeskError> {
        self.ask(&BoardRequest {
            method: "GET",
            target,
            token: Some(token),
            body: &[],
        })
    }

    /// Asks; the answer's head is there, and is a 200.
    pub(super) fn ask(&self, request: &BoardRequest<'_>) -> Result<BoardResponse<'a>, DeskError> {
        let opened = self.connector.open(self.board, self.stop, self.timing);
        let mut stream = opened.map_err(|failure| match self.connector.pin.stranger() {
            Some(shown) => DeskError::Permanent(self.stranger(shown)),
            None => failure,
        })?;
        let request = request.bytes(self.board);
        let request = request.map_err(|error| DeskError::Permanent(error.to_string()))?;
        stream
            .write_all(&request)
            .and_then(|()| stream.flush())
            .map_err(|error| lost(self.board, &error))?;
        BoardResponse::read(self.board, stream)?.accepted(self.timing)
    }

    /// The message about a certificate that is not the trusted one.
    fn stranger(&self, shown: CertificateFingerprint) -> String {
        let board = self.board;
        let Trust {
            fingerprint,
            source,
            way_out,
        } = &self.trust;
        format!(
            "{board} shows another certificate than expected. Nothing was sent to it.\n\
             \n  expected  SHA-256 {fingerprint}  ({source})\
             \n  shown     SHA-256 {shown}\n\
             \nEither the board has a new certificate, or somebody else answers in its place. Compare what is shown \
             with what the\nboard printed at its last start. {way_out}"
        )
    }
}

impl BoardRequest<'_> {
    fn bytes(&self, board: &BoardAddress) -> Result<Zeroizing<Vec<u8>>, UnwritableRequest> {
        let token = self.token.map_or("", SecretString::expose);
        let bearer = Zeroizing::new(["Bearer ", token].concat());
        let mut fields = Vec::new();
        if !token.is_empty() {
            fields.push(("Authorization", bearer.as_str()));
        }
        if self.method == "POST" {
            fields.push(("Content-Type", "application/json"));
        }
        ClientRequest {
            method: self.method,
            target: self.target,
            host: &board.authority(),
            fields: &fields,
            body: self.body,
        }
        .to_bytes()
    }
}

fn lost(board: &BoardAddress, error: &io::Error) -> DeskError {
    DeskError::temporary(match error.kind() {
        io::ErrorKind::InvalidData => format!("{board}: the TLS handshake failed: {error}"),
        _ => format!("{board}: {error}"),
    })
}
