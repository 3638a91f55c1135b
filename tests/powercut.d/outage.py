"""A journal that cannot be written: how a server gets there, what it must say and do meanwhile, and how it comes back."""

import time
from collections.abc import Callable

from board import ALLOWANCE
from record import Login, Record, State
from server import Client, Server, fresh_address
from work import Work

TO_NOTICE = 10  # seconds in which clients who log out must have met the failure
TO_HEAL = 10  # seconds after which /readyz must be 200 again, without anybody asking for a commit

Break = Callable[[], object]


def run_into(record: Record, server: Server, fault: Break, lies: bool = False) -> None:
    """Clients at work, `fault` under them, until the server has noticed. `lies`: a sync that is under way meanwhile may be
    reported as done and is not, so that what is answered in that moment is in doubt. What comes after it is not."""
    work = Work(record, server, failing=True)
    work.start(users=4, changes=2, guessers=1)
    time.sleep(0.1)
    work.crashing = server.unplugged = lies
    fault()
    if lies:
        work.join()
        server.unplugged = False
        work = Work(record, server, failing=True)
        work.start(users=4, changes=0, guessers=0)
    client = server.client()
    until = time.monotonic() + TO_NOTICE
    # A full disk is said to be full before a write has failed: only the latter is what is waited for.
    while not failed(client) and time.monotonic() < until:
        time.sleep(0.005)
    work.join()
    record.expect(client.ready() == 503, f"/readyz is not 503, {TO_NOTICE} s after the journal could not be written any more")
    client.close()


def failed(client: Client) -> bool:
    return "the journal cannot be written" in client.ask("GET", "/health").body.get("reasons", [])


def examine(record: Record, server: Server) -> None:
    """What goes on, what is refused, and what is in force all the same, while nothing can be kept."""
    client, expect = server.client(), record.expect
    passwords = record.passwords
    # A change that was answered in the very moment of the failure may be in force or not.
    number = next((maybe for maybe in passwords.maybe if client.login(passwords.texts[maybe]).status == 200), passwords.sure)
    password = passwords.texts[number]

    def asked(what: str, answer, status: int) -> None:
        expect(answer.status == status, f"with a journal that cannot be written, {what} was answered {answer}, not {status}")

    def login() -> Login:
        answer = client.login(password)
        asked("a login", answer, 200)
        record.logins.append(Login(number, answer.body))
        return record.logins[-1]

    asked("/readyz", client.ask("GET", "/readyz"), 503)
    health = client.ask("GET", "/health")
    asked("/health", health, 200)
    degraded = health.body.get("status") == "degraded" and health.body.get("reasons")
    expect(bool(degraded), f"/health says {health.body}")

    reader = login()
    status = client.ask("GET", "/api/status", token=reader.access[0])
    asked("/api/status", status, 200)
    expect(status.body.get("journal", {}).get("writable") is False, f"/api/status says {status.body.get('journal')}")

    ended = login()
    ended.state = State.UNKNOWN
    asked("a logout", client.logout(ended.access[0]), 503)
    expect(not client.lives(ended.access[0]), "a logout that was answered 503 is not in force")
    asked("the refresh token of that login", client.refresh(ended.refresh), 401)

    kept = login()
    kept.trying = kept.refresh
    asked("a refresh", client.refresh(kept.refresh), 503)
    expect(client.lives(kept.access[0]), "a refresh that was answered 503 ended its login")

    changer = login()
    changer.changing_to = passwords.next()
    asked("a password change", client.change(changer.access[0], password, passwords.texts[changer.changing_to]), 503)
    asked("the password before it", server.client().login(password), 200)
    asked("the new password", server.client().login(passwords.texts[changer.changing_to]), 401)

    guesser = server.client(fresh_address())
    for _ in range(ALLOWANCE):
        asked("a guess", guesser.login("not-the-password"), 401)
    asked("a guess too many", guesser.login("not-the-password"), 429)
    client.close()


def seconds_to_heal(record: Record, server: Server, patience: float = TO_HEAL) -> float | None:
    """How long until /readyz is 200, with no other request. None: longer than that."""
    client = server.client()
    begin = time.monotonic()
    while time.monotonic() < begin + patience:
        if client.ready() == 200:
            health = client.ask("GET", "/health")
            record.expect(health.body.get("status") == "healthy", f"/readyz is 200 and /health says {health.body}")
            return time.monotonic() - begin
        time.sleep(0.05)
    return None


def heals(record: Record, server: Server) -> float:
    """It must, by itself; in how many seconds."""
    seconds = seconds_to_heal(record, server)
    record.expect(seconds is not None, f"/readyz is still 503, {TO_HEAL} s after the journal could be written again")
    if seconds is not None:
        record.healed()
    return seconds or TO_HEAL


def check_ended(record: Record, server: Server) -> None:
    """That nothing works which was answered as ended, where the journal cannot be written and so not all can be asked."""
    client = server.client()
    dead = [login for login in [*record.ended, *record.logins] if login.state is State.OFF]
    for login in dead:
        for token in login.access:
            record.expect(not client.lives(token), f"{login} works again")
    record.expect(bool(dead), "nobody had logged out")
    client.close()
