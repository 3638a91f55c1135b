"""The program as a child process, and clients that talk to it: kept-alive TLS, or the local socket. For every test in Python that
starts the server."""

import base64
import http.client
import itertools
import json
import os
import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE = 15  # seconds for a start, and for an answer
PASSWORD = "correct-horse-9"
# For tests that look for something else than limits, and want no wait for bcrypt.
UNLIMITED = {"BCRYPT_COST": "4", "RATE_LIMIT_RPS": "100000", "RATE_LIMIT_BURST": "1000000"}

# What a client sees of a server that is no longer there.
CUT = (OSError, http.client.HTTPException)

_addresses = itertools.count(2)
_addresses_lock = threading.Lock()


def fresh_address() -> str:
    """A loopback address that nobody has used, and so one without failed attempts."""
    with _addresses_lock:
        number = next(_addresses)
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{2 + number % 250}"


def program(given: str | pathlib.Path | None) -> str:
    """The program to be tried: the one that was named, or the release build. Ends this script if it is not there."""
    path = pathlib.Path(given or TOP / "target/release/postern").resolve()
    if not os.access(path, os.X_OK):
        print(f"{path} is not there; cargo build --release --locked", file=sys.stderr)
        sys.exit(2)
    return str(path)


def first_password(state: pathlib.Path) -> str:
    """The one that the first start generated."""
    return (state / "initial-password").read_text().strip()


def basic(password: str) -> str:
    """What `Authorization` holds for the administrator's password."""
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


def unverified() -> ssl.SSLContext:
    """TLS for a client that does not look at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def figure(pid: int, name: str) -> int:
    """A number out of /proc/PID/status: memory in KiB."""
    found = re.search(rf"^{name}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found[1]) if found else 0


class DidNotStart(Exception):
    """The server ended, or said nothing in time; holds what it wrote to standard error."""


class Server:
    """One run of the program over the folder `state`, on a port that the kernel chooses, with nothing else in its environment than
    `settings`. Its threads and pipes end with it; `end` is always to be called."""

    def __init__(
        self, binary: str, state: pathlib.Path, wrapper: list[str] | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.state = state
        self.unplugged = False  # answers are not heard any more
        self.port = None
        self.banner = ""
        own = {"LISTEN": "127.0.0.1:0", "STATE_DIR": str(state), "PATH": os.environ.get("PATH", "")}
        # The size limit that forces rewrites must fail a write, not kill: Python ignores SIGXFSZ, and so does a child
        # whose signals are not restored.
        self.process = subprocess.Popen(
            [*(wrapper or []), binary, "--env-file", "/dev/null"],
            env=own | (settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            restore_signals=False,
        )
        self.errors = bytearray()
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()

    def _read_errors(self) -> None:
        # A pipe that nobody reads would make the server wait once it is full.
        while chunk := os.read(self.process.stderr.fileno(), 65536):
            self.errors += chunk

    def ready(self, until: str = "/api/auth/login") -> "Server":
        """Waits for the banner, as far as this. It is printed when the server listens."""
        while until not in self.banner:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            chunk = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not chunk:
                self.end()
                raise DidNotStart(f"exit status {self.process.returncode}: {self.banner}{self.said()}")
            self.banner += chunk.decode()
        self.port = int(re.search(r"https://127\.0\.0\.1:(\d+)", self.banner)[1])
        self.tls = ssl.create_default_context(cafile=self.state / "tls-cert.pem")
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    def lives(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """What it wrote to standard error so far."""
        return self.errors.decode(errors="replace")

    def resident(self) -> int:
        """VmRSS, in KiB."""
        return figure(self.pid, "VmRSS")

    def end(self, number: int = signal.SIGKILL) -> None:
        """Sends the signal and waits for the end. Done twice, nothing happens."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._drain.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()

    def client(self, address: str | None = None, host: str = "127.0.0.1", timeout: float = PATIENCE) -> "Client":
        """A client with an address of its own, on a kept-alive connection that opens with its first request."""
        source = address or fresh_address()
        return Client(self, TlsConnection(host, self.port, self.tls, source, timeout), source)

    def local(self) -> "Client":
        """The administrator's client, on the local socket."""
        return Client(self, LocalConnection(str(self.state / "postern.sock")), "local")


class TlsConnection(http.client.HTTPSConnection):
    """HTTPS from one address to another; the certificate's name is localhost, whatever the server's address is."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, source: str, timeout: float) -> None:
        # Resolved here: what is bound would otherwise lose the interface of a link-local address.
        own = socket.getaddrinfo(source, 0, type=socket.SOCK_STREAM)[0][4]
        super().__init__(host, port, context=tls, source_address=own, timeout=timeout)
        self.tls = tls

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self.tls.wrap_socket(self.sock, server_hostname="localhost")


class LocalConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """A status, and the body: as text, of which kind, and its members if it is JSON."""

    def __init__(self, status: int, kind: str = "", text: str = "", retry_after: int = 0) -> None:
        self.status = status
        self.kind = kind
        self.text = text
        self.body = json.loads(text) if kind.startswith("application/json") else {}
        self.retry_after = retry_after  # seconds

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> "Answer":
        text = response.read().decode()
        return cls(response.status, response.getheader("Content-Type") or "", text, int(response.getheader("Retry-After") or 0))

    def __str__(self) -> str:
        # Never the body of a success: there are tokens in it.
        return f"{self.status} {self.body.get('detail', '')}".strip()


class Client:
    """One kept-alive connection. Each call raises one of `CUT` when the server is cut off."""

    def __init__(self, server: Server, connection: http.client.HTTPConnection, address: str) -> None:
        self.server = server
        self.connection = connection
        self.address = address

    def ask(self, method: str, path: str, body: dict | None = None, token: str | None = None, **headers: str) -> Answer:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.connection.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
        answer = Answer.of(self.connection.getresponse())
        if self.server.unplugged:
            raise ConnectionAbortedError("without power there is no answer")
        return answer

    def login(self, password: str) -> Answer:
        return self.ask("POST", "/api/auth/login", {"username": "admin", "password": password})

    def refresh(self, token: str) -> Answer:
        return self.ask("POST", "/api/auth/refresh", {"refresh_token": token})

    def logout(self, token: str) -> Answer:
        return self.ask("POST", "/api/logout", token=token)

    def change(self, token: str, current: str, new: str) -> Answer:
        return self.ask("POST", "/api/change-password", {"current_password": current, "new_password": new}, token)

    def lives(self, token: str) -> bool:
        """Whether an access token works. Unknown paths cost nothing: 404 for whoever is in, 401 for the others."""
        status = self.ask("GET", "/api/nowhere", token=token).status
        if status not in (401, 404):
            raise AssertionError(f"/api/nowhere answered {status}")
        return status == 404

    def ready(self) -> int:
        return self.ask("GET", "/readyz").status

    def close(self) -> None:
        self.connection.close()
