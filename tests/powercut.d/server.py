"""The release binary as a child process, and clients that talk to it: kept-alive TLS, or the local socket."""

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
import threading

PATIENCE = 15  # seconds for a start, and for an answer
WINDOW = 86400  # seconds for which a lock-out lasts: longer than any run
ALLOWANCE = 3  # wrong passwords

ENVIRONMENT = {
    "LISTEN": "127.0.0.1:0",
    "BCRYPT_COST": "4",
    "RATE_LIMIT_RPS": "100000",
    "RATE_LIMIT_BURST": "1000000",
    "MAX_LOGIN_ATTEMPTS": str(ALLOWANCE),
    "RATE_LIMIT_WINDOW_SECONDS": str(WINDOW),
    # A used refresh token that is shown again is only refused: otherwise each check would end a login.
    "REFRESH_REUSE_GRACE_SECONDS": "3600",
}

# What a client sees of a server that is no longer there.
CUT = (OSError, http.client.HTTPException)

_addresses = itertools.count(2)
_addresses_lock = threading.Lock()


def fresh_address() -> str:
    """A loopback address that nobody has used, and so one without failed attempts."""
    with _addresses_lock:
        number = next(_addresses)
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{2 + number % 250}"


class DidNotStart(Exception):
    """The server ended, or said nothing in time; holds what it wrote to standard error."""


class Server:
    """One run of the binary over the folder `state`. Its threads and pipes end with it; `end` is always to be called."""

    def __init__(
        self, binary: str, state: pathlib.Path, wrapper: list[str] | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.state = state
        self.unplugged = False  # answers are not heard any more
        self.port = None
        self.address = None
        # The size limit that forces rewrites must fail a write, not kill: Python ignores SIGXFSZ, and so does a child
        # whose signals are not restored.
        self.process = subprocess.Popen(
            [*(wrapper or []), binary, "--env-file", "/dev/null"],
            env=ENVIRONMENT | {"STATE_DIR": str(state), "PATH": os.environ.get("PATH", "")} | (settings or {}),
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

    def ready(self) -> "Server":
        """Waits for the banner."""
        said = b""
        while self.port is None:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            chunk = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not chunk:
                self.end()
                raise DidNotStart(f"exit status {self.process.returncode}: {self.said()}")
            said += chunk
            if found := re.search(rb"https://127\.0\.0\.1:(\d+)", said):
                self.port = int(found[1])
        self.tls = ssl.create_default_context(cafile=self.state / "tls-cert.pem")
        return self

    def said(self) -> str:
        """What it wrote to standard error so far."""
        return self.errors.decode(errors="replace")

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

    def client(self, address: str | None = None) -> "Client":
        """A client with an address of its own."""
        source = address or fresh_address()
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self.tls, source_address=(source, 0), timeout=PATIENCE
        )
        return Client(self, connection, source)

    def local(self) -> "Client":
        """The administrator's client, on the local socket."""
        return Client(self, LocalConnection(str(self.state / "postern.sock")), "local")


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
    """A status, the body's members, Retry-After in seconds."""

    def __init__(self, status: int, body: dict, retry_after: int) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after

    def __str__(self) -> str:
        # Never the body of a success: there are tokens in it.
        return f"{self.status} {self.body.get('detail', '')}".strip()


class Client:
    """One kept-alive connection. Each call raises one of `CUT` when the server is cut off."""

    def __init__(self, server: Server, connection: http.client.HTTPConnection, address: str) -> None:
        self.server = server
        self.connection = connection
        self.address = address

    def ask(self, method: str, path: str, body: dict | None = None, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.connection.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
        response = self.connection.getresponse()
        content = response.read()
        if self.server.unplugged:
            raise ConnectionAbortedError("without power there is no answer")
        return Answer(response.status, json.loads(content), int(response.getheader("Retry-After") or 0))

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
