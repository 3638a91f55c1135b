"""Issue point 7: what clients that have not signed in make the server hold, and whether it gives that back."""

import pathlib
import socket
import threading
import time

from board import OWNER, Board, door, strangers
from server import unverified
from steps import tell

PEAK = 32 * 1024  # KiB
LEFT = 2 * 1024  # KiB above what it was, after RECOVERY; of the boards' programs, which are musl's
INTERPRETER = b"/ld-linux"  # of a program for glibc, whose malloc keeps what lies between blocks in use
RECOVERY = 10  # seconds, at most
HELD = 1.5  # seconds for which all is held
SENDERS = 16  # threads of an address
BODY = 64 * 1024


def post(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: board\r\nContent-Length: {length}\r\n\r\n".encode()


def chunked(path: str, size: int) -> bytes:
    """A chunked body of so many bytes in chunks of 1 KiB, without its end."""
    head = f"POST {path} HTTP/1.1\r\nHost: board\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + (b"400\r\n" + b"x" * 1024 + b"\r\n") * (size // 1024)


def client_hello(size: int) -> bytes:
    """A ClientHello of so many bytes, in TLS records of 256, without the last of them."""
    # Random, no session, one cipher suite, no compression; then one extension that nobody knows and that fills the rest.
    message = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0"
    message += (size - len(message) - 6).to_bytes(2, "big") + b"\xfa\xfa" + (size - len(message) - 10).to_bytes(2, "big")
    message = b"\1" + (size - 4).to_bytes(3, "big") + message.ljust(size - 4, b"x")
    pieces = [message[at : at + 256] for at in range(0, size - 256, 256)]
    return b"".join(b"\x16\3\1" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


# What each connection sends, and whether over TLS. Each lacks its last byte or its end, so that the server must go on waiting.
HELLOS = [("ClientHellos of 64 KB in small records", client_hello(64_000), False)]
REQUESTS: list[tuple[str, bytes, bool]] = [
    ("bodies of 64 KiB without a credential", post("/api/change-password", BODY) + b"x" * (BODY - 1), True),
    ("bodies of 64 KiB for no path", post("/api/nowhere", BODY) + b"x" * (BODY - 1), True),
    ("bodies of 64 KiB for the page", post("/", BODY) + b"x" * (BODY - 1), True),
    ("chunked bodies of 64 KiB without a credential", chunked("/api/logout", BODY - 1024), True),
    ("chunked bodies of 64 KiB for a login", chunked("/api/auth/login", BODY - 1024), True),
    ("logins of 4 KiB and a byte", post("/api/auth/login", 4097) + b"x" * 4096, True),
    ("refreshes of 64 KiB", post("/api/auth/refresh", BODY) + b"x" * (BODY - 1), True),
]


class Sampled:
    """The most that the server had resident, looked at all the time."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.peak = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self) -> None:
        while not self.over.wait(0.02):
            try:
                self.peak = max(self.peak, self.board.resident())
            except OSError:
                return

    def end(self) -> int:
        self.over.set()
        self.thread.join()
        return self.peak


def burst(board: Board, each: int, sayings: list[tuple[str, bytes, bool]]) -> int:
    """All connections of four addresses say one of these, in turn, and are held; how many were made."""
    held: list[socket.socket] = []
    lock = threading.Lock()
    context = unverified()

    def send(source: str, count: int) -> None:
        for number in range(count):
            _, saying, tls = sayings[number % len(sayings)]
            link: socket.socket = socket.socket()
            link.settimeout(10)
            try:
                link.bind((source, 0))
                link.connect((door(source), board.port))
                if tls:
                    link = context.wrap_socket(link)
                with lock:
                    held.append(link)
                # Refused half-way is as good: then the server holds nothing.
                link.settimeout(2)
                link.sendall(saying)
            except OSError:
                pass

    threads = [
        threading.Thread(target=send, args=[source, each // SENDERS]) for source in strangers(4) for _ in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(HELD)
    for link in held:
        link.close()
    return len(held)


def settled(board: Board, wanted: int) -> int:
    """VmRSS once it is down to what is wanted, or after a few seconds."""
    end = time.monotonic() + RECOVERY
    while board.resident() > wanted and time.monotonic() < end:
        time.sleep(0.2)
    return board.resident()


def attack(binary: str, folder: pathlib.Path, long: bool) -> list[str]:
    """The bursts, one after the other; what broke the promise."""
    places = 256  # of an address
    board = Board(
        binary, folder / "memory", MAX_CONNECTIONS=str(4 * 256), MAX_CONNECTIONS_PER_IP="256", BCRYPT_COST="10"
    )
    with open(binary, "rb") as program:
        gives_back = INTERPRETER not in program.read(4096)
    if not gives_back:
        tell("memory: glibc keeps freed memory, so only the most is judged")
    broken = []
    try:
        # The server as it is once it has been used.
        token = board.sign_in(OWNER)
        client = board.from_(OWNER)
        for path in ("/health", "/", "/api/status", "/api/logs", "/api/openapi.json"):
            client.ask("GET", path, token=token)
        client.close()
        before = board.resident()
        bursts = [("requests of all these kinds", REQUESTS), ("ClientHellos", HELLOS)]
        if long:
            bursts += [(kind[0], [kind]) for kind in HELLOS + REQUESTS]
        for what, sayings in bursts:
            sampled = Sampled(board)
            made = burst(board, places, sayings)
            peak = sampled.end()
            if not board.lives():
                return [*broken, f"{what}: the server is dead: {board.last_words()}"]
            after = settled(board, before + LEFT)
            tell(
                f"memory: {what}, {made} connections: {before / 1024:.1f} MB before, {peak / 1024:.1f} at most, {after / 1024:.1f} after"
            )
            if peak >= PEAK:
                broken.append(f"{what}: {peak / 1024:.1f} MB were resident, and may be {PEAK // 1024}")
            if gives_back and after > before + LEFT:
                broken.append(f"{what}: {(after - before) / 1024:.1f} MB were not given back")
        if not board.health():
            broken.append(f"the server does not answer afterwards: {board.last_words()}")
    finally:
        board.end()
    return broken
