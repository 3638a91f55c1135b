"""Issue point 1: neighbours in the owner's own /64, who guess and flood; what they do costs the owner nothing."""

import collections
import http.client
import pathlib
import signal
import threading
import time

from board import NEWCOMER6, OWNER6, Board, neighbours
from server import PASSWORD, Client
from steps import tell

ATTEMPTS = 5  # MAX_LOGIN_ATTEMPTS
SETTINGS = {"BCRYPT_COST": "10"}


def answer(client: Client, method: str, path: str, body: dict | None = None, token: str | None = None) -> int:
    """A status; 0 if there was none."""
    try:
        return client.ask(method, path, body, token).status
    except (OSError, http.client.HTTPException, ValueError):
        client.close()
        return 0


def login(board: Board, source: str, password: str = PASSWORD) -> int:
    client = board.from_(source)
    try:
        return answer(client, "POST", "/api/auth/login", {"username": "admin", "password": password})
    finally:
        client.close()


def flood(board: Board, source: str, over: threading.Event, counts: collections.Counter) -> None:
    """Requests as fast as they are answered, every fifth with a wrong password, with a new connection for every 20."""
    number = 0
    while not over.is_set():
        client = board.from_(source)
        for _ in range(20):
            number += 1
            if number % 5:
                status = answer(client, "GET", "/health")
            else:
                status = answer(client, "POST", "/api/auth/login", {"username": "admin", "password": f"wrong-{number}"})
            counts[status] += 1
            if over.is_set() or not status:
                break
        client.close()


def served(board: Board, token: str, seconds: float) -> tuple[collections.Counter, int]:
    """What the owner is answered meanwhile: at a tenth of what his own account allows, on new connections and on one."""
    counts, asked = collections.Counter(), 0
    end = time.monotonic() + seconds
    kept = board.from_(OWNER6)
    while time.monotonic() < end:
        fresh = board.from_(OWNER6)
        for client in (kept, fresh):
            counts[answer(client, "GET", "/api/ws-token", token=token)] += 1
        counts[login(board, OWNER6)] += 1
        asked += 3
        fresh.close()
        time.sleep(0.5)
    kept.close()
    return counts, asked


def attack(binary: str, folder: pathlib.Path, long: bool) -> list[str]:
    """The attack; what broke the promise."""
    broken = []
    state = folder / "neighbour"
    first, *others = neighbours(20)
    board = Board(binary, state, **SETTINGS)
    try:
        token = board.sign_in(OWNER6)
        # One neighbour guesses: that locks him out, and nobody else, proven or not.
        guesses = [login(board, first, f"wrong-{number}") for number in range(ATTEMPTS + 1)]
        if guesses != [401] * ATTEMPTS + [429]:
            broken.append(f"one neighbour's guesses were answered {guesses}")
        alone = {"the owner": login(board, OWNER6), "a newcomer": login(board, NEWCOMER6)}
        broken += [f"{who} gets {status} for a neighbour's guesses" for who, status in alone.items() if status != 200]
        # All of them guess and flood.
        counts, over = collections.Counter(), threading.Event()
        threads = [threading.Thread(target=flood, args=[board, source, over, counts]) for source in others]
        for thread in threads:
            thread.start()
        time.sleep(1)
        got, asked = served(board, token, 20 if long else 4)
        over.set()
        for thread in threads:
            thread.join()
        tell(f"neighbour: {len(others)} in the owner's /64 were answered {dict(counts)}; the owner {got[200]} of {asked}")
        if got[200] < asked:
            broken.append(f"the owner was answered {dict(got)} among neighbours who flood")
        if not counts[429]:
            broken.append("no neighbour met a limit: this was no attack")
    finally:
        board.end(signal.SIGTERM)
    board = Board(binary, state, **SETTINGS)
    try:
        after = {"the owner": (login(board, OWNER6), 200), "the guesser": (login(board, first), 429)}
        tell(f"neighbour: after a restart {', '.join(f'{who} gets {status}' for who, (status, _) in after.items())}")
        broken += [f"after a restart {who} gets {status}" for who, (status, right) in after.items() if status != right]
    finally:
        board.end()
    return broken
