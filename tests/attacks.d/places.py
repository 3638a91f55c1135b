"""Issue point 4: places for connections, when far more clients want one than there are."""

import http.client
import pathlib
import threading
import time

from board import OWNER, OWNER6, Board, door, neighbours, strangers
from crowd import Crowd
from steps import tell

PLACES = 64
REQUESTS = 60  # on the connection that is open
NEWCOMERS = 40  # connections of the proven address
LET_IN = 38  # of those


class Owner:
    """A proven address with an open, signed-in connection, which also makes new ones."""

    def __init__(self, board: Board, source: str) -> None:
        self.board = board
        self.source = source
        self.token = board.sign_in(source)
        self.answered = 0
        self.let_in = 0
        self.slowest = 0.0
        self.why: list[str] = []
        self.lock = threading.Lock()
        self.open = board.from_(source, timeout=10)
        self.open.ask("GET", "/api/ws-token", token=self.token)

    def ask_on(self, seconds: float) -> None:
        """Its requests on the open connection. One that is closed is gone: it is not opened again."""
        self.open.connection.auto_open = 0
        for _ in range(REQUESTS):
            try:
                if self.open.ask("GET", "/api/ws-token", token=self.token).status == 200:
                    self.answered += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.why.append(f"open: {error!r}")
            time.sleep(seconds / REQUESTS)

    def come_anew(self, seconds: float) -> None:
        """Its new connections, each in a thread, since one that hangs must not keep the next waiting."""
        threads = []
        for _ in range(NEWCOMERS):
            threads.append(threading.Thread(target=self.newcomer))
            threads[-1].start()
            time.sleep(seconds / NEWCOMERS)
        for thread in threads:
            thread.join()

    def newcomer(self) -> None:
        client = self.board.from_(self.source, timeout=10)
        begin = time.monotonic()
        try:
            status = client.ask("GET", "/api/ws-token", token=self.token).status
            with self.lock:
                self.let_in += status == 200
                self.slowest = max(self.slowest, time.monotonic() - begin)
                if status != 200:
                    self.why.append(f"new: {status}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            with self.lock:
                self.why.append(f"new: {error!r}")
        finally:
            client.close()


def flood(board: Board, what: str, owner: str, clients: list[str], rate: tuple[float, float], seconds: float) -> list[str]:
    """One flood of clients with these addresses, each of which connects so often a second; what broke the promise."""
    sitting = Owner(board, owner)
    crowds = [
        Crowd(
            "connect",
            clients=clients[part::2],
            doors={source: door(source) for source in clients},
            port=board.port,
            slowest=rate[0],
            fastest=rate[1],
        )
        for part in range(2)
    ]
    try:
        time.sleep(1.5)  # until all places are taken
        threads = [threading.Thread(target=each, args=[seconds]) for each in (sitting.ask_on, sitting.come_anew)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        speed = sum(crowd.leave().get("a second", 0) for crowd in crowds)
    finally:
        for crowd in crowds:
            if crowd.process.poll() is None:
                crowd.kill()
        sitting.open.close()
    tell(
        f"places: {what}, {speed} connections a second: the owner's open connection {sitting.answered} of {REQUESTS}, "
        f"new ones {sitting.let_in} of {NEWCOMERS}, the slowest {sitting.slowest:.2f} s"
        + (f" ({sitting.why[0]})" if sitting.why else "")
    )
    broken = []
    if sitting.answered < REQUESTS:
        broken.append(f"{what}: the owner's open connection was answered {sitting.answered} of {REQUESTS} times")
    if sitting.let_in < LET_IN:
        broken.append(f"{what}: of the owner's new connections {sitting.let_in} of {NEWCOMERS} were let in")
    return broken


def attack(binary: str, folder: pathlib.Path, seconds: float, long: bool) -> list[str]:
    """The floods; what broke the promise."""
    floods = [
        ("70 clients of 4 addresses", OWNER, (strangers(4) * 18)[:70], (10, 100)),
        ("16 addresses in the owner's /64, 120 clients each", OWNER6, neighbours(16) * 120, (0.5, 5)),
    ]
    if long:
        floods += [
            ("16 addresses, 120 clients each", OWNER, strangers(16) * 120, (0.5, 5)),
            ("70 clients of 4 addresses in the owner's /64", OWNER6, (neighbours(4) * 18)[:70], (10, 100)),
        ]
    broken = []
    for number, (what, owner, clients, rate) in enumerate(floods):
        # A server each: what one flood used up of an address's allowance is not the next one's.
        board = Board(binary, folder / f"places-{number}", MAX_CONNECTIONS=str(PLACES), BCRYPT_COST="10")
        try:
            broken += flood(board, what, owner, clients, rate, seconds)
            if not board.health():
                broken.append(f"{what}: the server does not answer afterwards: {board.last_words()}")
        finally:
            board.end()
    return broken
