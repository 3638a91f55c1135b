"""The contestants of benches/versus: postern and nginx, each started alone on a core, and what /proc says of them."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator

from server import PASSWORD, TOP, basic, figure

SERVER_CORE = 0
LOAD_CORE = 1
ONE_CORE = frozenset({SERVER_CORE})
BOTH_CORES = frozenset({SERVER_CORE, LOAD_CORE})
PATIENCE = 20  # seconds for a start, an answer, and an end
COST = 10  # of bcrypt, in all runs
SETTLE = 0.5  # seconds before memory is read, or a load begins
CONNECTIONS = 16384  # that each server is set up for, where thousands are idle
FEW_CONNECTIONS = 1024  # … everywhere else: nginx lays out a table of them at its start
RPS = 1_000_000  # requests a second that the limit of each server lets one address make: the most that postern takes
BURST = 1_000_000  # and at once
BASIC = basic(PASSWORD)

HEALTH = "/health"
# The smallest protected answer that changes nothing: the list of addresses with wrong passwords, here an empty one.
PROTECTED = "/api/security/rate-limits"

_spawned: list[subprocess.Popen] = []


class Failed(Exception):
    """A run that does not count. Holds why."""


class Site:
    """The certificate that all servers show, and a client's view of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost"
        names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        files = ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
        # It trusts this one certificate: a server that shows another one fails the run.
        self.tls = ssl.create_default_context(cafile=self.certificate)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3


class Link:
    """A kept-alive TLS connection that speaks just enough HTTP: http.client takes longer than the servers do."""

    def __init__(self, site: Site, port: int, session: ssl.SSLSession | None = None, source: str = "") -> None:
        # One that is bound to 127.0.0.1 may get the server's port, while that has not opened it, and connect to itself.
        own = (source, 0) if source else None
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=own)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = site.tls.wrap_socket(plain, server_hostname="localhost", session=session)
        except BaseException:
            plain.close()
            raise

    def send(self, method: str, path: str, authorization: str = "", body: str = "") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
        if authorization:
            head += f"Authorization: {authorization}\r\n"
        if method == "POST":
            head += f"Content-Length: {len(body)}\r\n"
        self.socket.sendall(f"{head}\r\n{body}".encode())

    def receive(self, status: int = 200) -> bytes:
        """The body of the next answer, which must have that status."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        while len(body) < int(length[1] if length else 0):
            body += self._more()
        if not head.startswith(f"HTTP/1.1 {status} ".encode()):
            raise Failed(f"refused: {head.split(bytes([13]))[0].decode()} {body[:200].decode(errors='replace')}")
        return body

    def _more(self) -> bytes:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise Failed("refused: the server closed a connection without an answer")
        return chunk

    def ask(self, method: str, path: str, authorization: str = "", body: str = "", status: int = 200) -> bytes:
        self.send(method, path, authorization, body)
        return self.receive(status)

    def login(self) -> str:
        """Logs in; the access token, as it stands in `Authorization`."""
        answer = self.ask("POST", "/api/auth/login", body=json.dumps({"username": "admin", "password": PASSWORD}))
        return f"Bearer {json.loads(answer)['access_token']}"

    def metric(self, name: str, authorization: str) -> float:
        """What `/metrics` says of a postern."""
        page = self.ask("GET", "/metrics", authorization).decode()
        found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
        if not found:
            raise Failed(f"/metrics has no {name}")
        return float(found[1])

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def linked(site: Site, port: int, session: ssl.SSLSession | None = None, source: str = "") -> Iterator[Link]:
    link = Link(site, port, session, source)
    try:
        yield link
    finally:
        link.close()


class Parked:
    """Connections to a server that have asked once, and say nothing any more."""

    def __init__(self, site: Site, server: "Running") -> None:
        self.site = site
        self.server = server
        self.before = server.descriptors()
        self.sockets: list[int] = []

    def __enter__(self) -> "Parked":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self.sockets:
            os.close(descriptor)

    def fill(self, count: int) -> None:
        """Until there are so many, and the server has come to rest."""
        # While one handshake waits for the server, the client works on the next.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self._one, range(count - len(self.sockets))))
        over = time.monotonic() + PATIENCE
        while self._there() < count and time.monotonic() < over:
            time.sleep(0.01)
        time.sleep(SETTLE)
        self.check()

    def check(self) -> None:
        if (there := self._there()) < len(self.sockets):
            raise Failed(f"the server has {there} of {len(self.sockets)} idle connections. postern closes them after 75 s")

    def _one(self, _: int) -> None:
        link = Link(self.site, self.server.port)
        link.ask("GET", HEALTH)
        # Without its TLS half a connection costs the client a descriptor. Nothing tells the server.
        self.sockets.append(link.socket.detach())

    def _there(self) -> int:
        return self.server.descriptors() - self.before


class Running:
    """A server that has answered. `begun` and `answered`: seconds on the monotonic clock, of exec and of the first 200."""

    def __init__(
        self,
        site: Site,
        command: list[str],
        environment: dict[str, str],
        port: int,
        errors: pathlib.Path,
        cores: frozenset[int],
    ) -> None:
        self.port = port
        with errors.open("ab") as log, on_cores(cores):
            self.begun = time.monotonic()
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        _spawned.append(self.process)
        self.answered = self._first_answer(site, errors)

    def _first_answer(self, site: Site, errors: pathlib.Path) -> float:
        while time.monotonic() < self.begun + PATIENCE:
            try:
                with linked(site, self.port) as link:
                    link.ask("GET", HEALTH)
                    return time.monotonic()
            except ConnectionRefusedError:
                # No pause: it would be part of what is measured. This has a core of its own.
                pass
            if self.process.poll() is not None:
                break
        said = errors.read_text(errors="replace").strip().splitlines()[-3:]
        raise Failed(f"{self.process.args[0]} did not start: {' / '.join(said)}")

    @property
    def worker(self) -> int:
        """The process that answers: nginx's one worker, or postern itself."""
        children = children_of(self.process.pid)
        return children[0] if children else self.process.pid

    def processor_seconds(self) -> float:
        """Processor time of the worker so far, of threads that have ended too."""
        # This is clock_getcpuclockid(3), which Python lacks. /proc/PID/stat has the same, in ticks of 10 ms: a login takes few.
        return time.clock_gettime(~self.worker << 3 | 2)

    def resident_kib(self) -> int:
        """VmRSS of the worker. nginx's master comes on top of that."""
        return figure(self.worker, "VmRSS")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def end(self) -> None:
        end(self.process)


class Postern:
    """One binary of postern with a state folder of its own, which the first start fills."""

    def __init__(self, name: str, binary: pathlib.Path, site: Site, key: str = "postern") -> None:
        self.name = name
        self.key = key
        self.site = site
        self.folder = site.folder / name
        self.folder.mkdir()
        # A copy: a build that runs meanwhile must not swap what is measured.
        self.binary = str(shutil.copy2(binary, self.folder / "postern"))
        self.identity = identity(pathlib.Path(self.binary), built_from(binary))
        self.state = self.folder / "state"
        said = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True)
        self.version = said.stdout.strip()
        with started(self, BASIC_AUTH_PASSWORD=PASSWORD) as server, linked(site, server.port) as link:
            self.token = link.login()
            self.bodies = {HEALTH: link.ask("GET", HEALTH), PROTECTED: link.ask("GET", PROTECTED, self.token)}
            self.cipher = link.socket.cipher()[0]

    def start(
        self,
        state: pathlib.Path | None = None,
        cores: frozenset[int] = ONE_CORE,
        connections: int = FEW_CONNECTIONS,
        **more: str,
    ) -> Running:
        """`more`: settings besides. Only the very first start needs a password: later ones would run bcrypt on it."""
        port = free_port()
        settings = {
            "LISTEN": f"127.0.0.1:{port}",
            "STATE_DIR": str(state or self.state),
            "LOCAL_SOCKET": "",
            "LOG_SOURCES": "",
            "TLS_CERT_FILE": str(self.site.certificate),
            "TLS_KEY_FILE": str(self.site.key),
            "BCRYPT_COST": str(COST),
            "JWT_EXPIRE_DURATION": "7d",
            "WORKERS": str(len(cores)),
            "MAX_CONNECTIONS": str(connections),
            "MAX_CONNECTIONS_PER_IP": str(connections),
            "RATE_LIMIT_RPS": str(RPS),
            "RATE_LIMIT_BURST": str(BURST),
        } | more
        return Running(self.site, [self.binary, "--env-file", "/dev/null"], settings, port, self.folder / "errors", cores)


class Nginx:
    """Debian's nginx with one worker, and the answers of a postern."""

    name = "nginx"
    key = "reference"

    def __init__(self, binary: str, site: Site, bodies: dict[str, bytes]) -> None:
        self.binary = binary
        self.site = site
        self.bodies = bodies
        self.folder = site.folder / "nginx"
        self.folder.mkdir()
        self.identity = identity(pathlib.Path(binary), None)
        said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
        self.version = said.stderr.strip().removeprefix("nginx version: ")
        with started(self) as server, linked(site, server.port) as link:
            self.cipher = link.socket.cipher()[0]
            for path, body in bodies.items():
                if link.ask("GET", path) != body:
                    raise Failed(f"nginx answers {path} otherwise than postern")

    def start(self, connections: int = FEW_CONNECTIONS) -> Running:
        port = free_port()
        configuration = self.folder / "nginx.conf"
        configuration.write_text(self.configuration(port, connections))
        errors = self.folder / "errors"
        command = [self.binary, "-p", str(self.folder), "-c", str(configuration), "-e", str(errors)]
        return Running(self.site, command, {}, port, errors, ONE_CORE)

    def configuration(self, port: int, connections: int) -> str:
        # `return` answers before limit_req has looked, so that it would never limit: the request has to get past
        # limit_req first, to `try_files`, whose cached miss leads on to the `return`.
        locations = ""
        for number, (path, body) in enumerate(self.bodies.items()):
            text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
            locations += f"""
        location = {path} {{ limit_req zone=clients burst={BURST} nodelay; try_files /none @answer{number}; }}
        location @answer{number} {{ return 200 '{text}'; }}"""
        temporary = " ".join(
            f"{what}_temp_path {self.folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""
worker_processes 1;
worker_rlimit_nofile {descriptor_limit()};
daemon off;
pid {self.folder}/pid;
error_log {self.folder}/errors;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    {temporary}
    limit_req_zone $binary_remote_addr zone=clients:1m rate={RPS}r/s;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_header_timeout 3600s;
    open_file_cache max=16 inactive=1h;
    open_file_cache_valid 1h;
    open_file_cache_errors on;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {self.site.certificate};
        ssl_certificate_key {self.site.key};
        ssl_protocols TLSv1.3;
        ssl_session_tickets on;
        root /nonexistent;
        default_type "application/json; charset=utf-8";{locations}
    }}
}}
"""


Contestant = Postern | Nginx


def identity(binary: pathlib.Path, commit: str | None) -> dict:
    """What tells this program from any other."""
    content = binary.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "commit": commit}


def built_from(binary: pathlib.Path) -> str | None:
    """
    The commit that a program was built from: what a file beside it says, named as it is and `.commit`; of the release build
    this tree's own.
    """
    note = binary.with_name(f"{binary.name}.commit")
    if note.is_file():
        return note.read_text().strip()
    if binary.parent.name != "release" or binary.name != "postern":
        return None
    git = lambda *words: subprocess.run(["git", *words], cwd=TOP, capture_output=True, text=True, check=True).stdout  # noqa: E731
    sources = ("--", "src", "Cargo.toml", "Cargo.lock")
    try:
        changed = git("status", "--porcelain", *sources).strip()
        # A program that is older than the last change was built from something else.
        is_older = binary.stat().st_mtime < int(git("log", "-1", "--format=%ct", *sources))
        return git("rev-parse", "HEAD").strip() + (", or older" if is_older else "") + (", and changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@contextlib.contextmanager
def started(contestant: Contestant, *how: pathlib.Path, **more: frozenset[int] | int | str) -> Iterator[Running]:
    server = contestant.start(*how, **more)
    try:
        yield server
    finally:
        server.end()


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """What is started meanwhile runs on those cores alone, without the exec that `taskset` would add to what is timed."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """nginx takes no 0 for a port. postern is told one alike, so that both are asked in the same way until they answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descriptor_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def children_of(pid: int) -> list[int]:
    listed = []
    for folder in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            listed += (folder / "children").read_text().split()
    return [int(child) for child in listed]


def end(process: subprocess.Popen) -> None:
    """Asks it to end, makes it end, and leaves no worker behind. Done twice, nothing happens."""
    if process.poll() is None:
        children = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
            # A worker outlives a master that was killed.
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
    if process in _spawned:
        _spawned.remove(process)


def end_all() -> None:
    """Ends what an interruption has left."""
    for process in list(_spawned):
        end(process)
