"""Issue point 8: floods of the local socket, and the same ones of the TLS port, which held them before."""

import concurrent.futures
import contextlib
import os
import pathlib
import socket
import time
from collections.abc import Callable, Iterator

from board import OWNER, Board, door, strangers
from namespace import NotPermitted
from server import figure, unverified
from steps import not_checked, tell

DESCRIPTORS = (64, 65, 128, 129, 256)
MORE_DESCRIPTORS = (72, 80, 96, 100, 160, 192, 224)
IDLE = 150  # clients that connect and say nothing
TASKS = 160  # TasksMax of board/common/postern.service
MEMORY = 512 * 1024 * 1024  # bytes of address space
LITTLE = ["prlimit", f"--as={MEMORY}", "--"]
SETTINGS = {"BCRYPT_COST": "4"}
HEALTH = b"GET /health HTTP/1.1\r\nHost: board\r\nConnection: close\r\n\r\n"
UNVERIFIED = unverified()

Door = Callable[[Board], socket.socket]


def local(board: Board) -> socket.socket:
    return board.local_socket()


def tls(board: Board) -> socket.socket:
    return UNVERIFIED.wrap_socket(bare(board))


def bare(board: Board, source: str = OWNER) -> socket.socket:
    """The TLS port, without a handshake."""
    return socket.create_connection((door(source), board.port), timeout=3, source_address=(source, 0))


DOORS: list[tuple[str, Door]] = [("the local socket", local), ("the TLS port", tls)]


def say(opened: socket.socket, saying: bytes) -> bytes:
    """What is answered to that at once, as far as it comes; a reset is none."""
    try:
        opened.sendall(saying)
        return opened.recv(4096)
    except OSError:
        return b""
    finally:
        opened.close()


def answers(board: Board, patience: float = 8) -> str | None:
    """Whether both doors answer again within so many seconds; which does not."""
    for name, opened in DOORS:
        end = time.monotonic() + patience
        while True:
            with contextlib.suppress(OSError):
                if say(opened(board), HEALTH).startswith(b"HTTP/1.1 200"):
                    break
            if not board.lives():
                return f"the server is dead, status {board.process.returncode}: {board.last_words()}"
            if time.monotonic() > end:
                return f"{name} does not answer any more"
            time.sleep(0.2)
    return None


@contextlib.contextmanager
def started(binary: str, state: pathlib.Path, wrapper: list[str] | None = None) -> Iterator[Board]:
    board = Board(binary, state, wrapper, **SETTINGS)
    try:
        yield board
    finally:
        board.end()


def crowded(board: Board, name: str, count: int) -> int:
    """So many clients connect to a door and say nothing; how many got in. They leave after a second."""
    held = []
    for number in range(count):
        try:
            held.append(local(board) if name == "the local socket" else bare(board, strangers(8)[number % 8]))
        except OSError:
            break
        time.sleep(0.002)
    time.sleep(1)
    for link in held:
        link.close()
    return len(held)


def descriptors(binary: str, folder: pathlib.Path, limit: int, name: str) -> str | None:
    """Idle clients under a limit of descriptors; what broke."""
    state = folder / f"descriptors-{limit}-{len(name)}"
    with started(binary, state, ["prlimit", f"--nofile={limit}:{limit}", "--"]) as board:
        crowded(board, name, max(IDLE, limit + 30))
        return answers(board)


@contextlib.contextmanager
def tasks() -> Iterator[list[str]]:
    """A wrapper that gives a program at most TASKS threads, by the pids cgroup."""
    root = pathlib.Path("/sys/fs/cgroup")
    unified = (root / "cgroup.controllers").exists()
    base = root if unified else root / "pids"
    group = base / f"postern-attacks-{os.getpid()}"
    try:
        if unified and "pids" not in (base / "cgroup.subtree_control").read_text():
            (base / "cgroup.subtree_control").write_text("+pids")
        group.mkdir()
    except OSError as error:
        raise NotPermitted(f"TasksMax={TASKS}: no pids cgroup: {error}") from error
    try:
        (group / "pids.max").write_text(str(TASKS))
        yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "-"]
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def threads(binary: str, folder: pathlib.Path, name: str) -> str | None:
    """Idle clients under the unit's limit of threads; what broke."""
    with tasks() as wrapper, started(binary, folder / f"threads-{len(name)}", wrapper) as board:
        before = figure(board.pid, "Threads")
        inside = crowded(board, name, TASKS)
        broken = answers(board)
        tell(f"local: TasksMax={TASKS}, {inside} idle clients of {name}: {before} threads before, {broken or 'well'}")
        return broken


def endless(opened: Door, board: Board) -> None:
    """600 MB of a head without an end, or as much of it as is taken."""
    with contextlib.suppress(OSError), opened(board) as link:
        link.sendall(b"GET /health HTTP/1.1\r\nX: ")
        for _ in range(600):
            link.sendall(b"y" * 1_000_000)


# Requests with what they are called; each needs an answer, and leaves the server as it was.
SAYINGS: list[tuple[str, bytes]] = [
    ("a Content-Length of 2^64-1", b"POST /api/logout HTTP/1.1\r\nHost: l\r\nContent-Length: 18446744073709551615\r\n\r\nx"),
    ("a Content-Length of 2^64", b"POST /api/logout HTTP/1.1\r\nHost: l\r\nContent-Length: 18446744073709551616\r\n\r\nx"),
    ("a Content-Length of 500 GB", b"POST /api/logout HTTP/1.1\r\nHost: l\r\nContent-Length: 500000000000\r\n\r\nx"),
    ("a Content-Length of 8 GB", b"PUT /api/x HTTP/1.1\r\nHost: l\r\nContent-Length: 8000000000\r\n\r\nx"),
    ("a chunk of 2^60 bytes", b"POST /api/logout HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\nx"),
    ("HTTP/2.0", b"GET /health HTTP/2.0\r\nHost: l\r\n\r\n"),
    ("HTTP/0.9", b"GET /health\r\n\r\n"),
    ("lines that end in LF", b"GET /health HTTP/1.1\nHost: l\n\n"),
    ("TE: gzip", b"GET /health HTTP/1.1\r\nHost: l\r\nTE: gzip\r\n\r\n"),
    ("Transfer-Encoding: gzip", b"POST /api/logout HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ("no HTTP at all", b"\x16\x03\x01\x00\x05hello\r\n\r\n"),
    ("Expect: 100-continue and no body", b"POST /api/nowhere HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
]


def spoken(binary: str, folder: pathlib.Path, name: str, opened: Door) -> list[str]:
    """Odd requests, each answered, under little memory; what broke."""
    broken = []
    with started(binary, folder / f"spoken-{len(name)}", LITTLE) as board:
        for what, saying in SAYINGS:
            answer = b""
            with contextlib.suppress(OSError):
                answer = say(opened(board), saying)
            if not answer.startswith(b"HTTP/1.1 "):
                broken.append(f"{what} on {name} gets no answer: {answer[:40]!r}")
                time.sleep(0.5)  # for the end of a process that aborts
            if not board.lives():
                broken.append(f"{what} on {name}: the server is dead, status {board.process.returncode}: {board.last_words()}")
                return broken
        endless(opened, board)
        if gone := answers(board):
            broken.append(f"a head of 600 MB on {name}: {gone}")
    tell(f"local: {len(SAYINGS)} odd requests and an endless head on {name}: {len(broken)} complaints")
    return broken


def attack(binary: str, folder: pathlib.Path, long: bool) -> list[str]:
    """All floods; what broke the promise."""
    broken = []
    limits = DESCRIPTORS + (MORE_DESCRIPTORS if long else ())
    cases = [(limit, name) for limit in limits for name, _ in DOORS]
    # They wait more than they compute.
    with concurrent.futures.ThreadPoolExecutor(5) as several:
        for (limit, name), what in zip(
            cases, several.map(lambda case: descriptors(binary, folder, *case), cases), strict=True
        ):
            tell(f"local: {limit} descriptors, {max(IDLE, limit + 30)} idle clients of {name}: {what or 'well again'}")
            if what:
                broken.append(f"{limit} descriptors, {name}: {what}")
    for name, opened in DOORS:
        broken += spoken(binary, folder, name, opened)
        try:
            if what := threads(binary, folder, name):
                broken.append(f"TasksMax={TASKS}, {name}: {what}")
        except NotPermitted as refused:
            not_checked("local", refused)
    return broken
