"""What the clients were answered, and what a server that was started again must therefore know.

An answer of 200 is a promise. What was asked without an answer, or with a 503, may be there after a crash or not, but
whole, and from then on for good.
"""

import enum
import itertools
import pathlib
import random
import threading
import time

from board import WINDOW
from server import Client, Server


class State(enum.Enum):
    """Of a login or a lock-out, as far as its client knows."""

    ON = 1
    OFF = 2
    UNKNOWN = 3


class Login:
    """One login, with all tokens that descend from it. Owned by one thread at a time."""

    numbers = itertools.count(1)

    def __init__(self, password: int, body: dict) -> None:
        self.number = next(self.numbers)
        self.password = password  # which one it was made with; a change ends it
        self.state = State.ON
        self.access = [body["access_token"]]
        self.refresh = body["refresh_token"]  # the one that is good; None if there is none
        self.trying = None  # one that was shown for a pair which never came
        self.used = []  # those that must be refused
        self.changing_to = None  # the password that it asked for

    def refreshed(self, body: dict) -> None:
        """The refresh token was answered with a pair."""
        self.used.append(self.refresh)
        self.access.append(body["access_token"])
        self.refresh = body["refresh_token"]

    def changed(self) -> None:
        """The password it asked for is in force: of its tokens only the one that asked goes on."""
        self.password, self.changing_to = self.changing_to, None
        if self.refresh is not None:
            self.used.append(self.refresh)
        self.refresh = None

    def is_certain(self) -> bool:
        """Whether it is live, with all that it has."""
        return self.state is State.ON and self.refresh is not None and self.trying is None and self.changing_to is None

    def __str__(self) -> str:
        return f"login {self.number} (password {self.password}, {len(self.used)} refreshes, {self.state.name})"


class Passwords:
    """All passwords there ever were, numbered. One at a time is being changed to."""

    def __init__(self, first: str) -> None:
        self.texts = [first]
        self.sure = 0  # the last one that was answered for
        self.maybe = []  # asked for after that, without an answer or with 503
        self.seen = None  # one of those that was seen in force: it must stay
        self.lock = threading.Lock()

    def next(self) -> int:
        self.texts.append(f"powercut-{len(self.texts)}-{random.getrandbits(32):08x}")
        self.maybe.append(len(self.texts) - 1)
        return self.maybe[-1]

    def answered(self, number: int) -> None:
        with self.lock:
            self.sure, self.maybe, self.seen = number, [], None

    def refused_with(self, number: int) -> bool:
        """A password, or a token of it, was refused. Whether a change explains that; then the change is in force."""
        with self.lock:
            if number == self.sure and len(self.maybe) == 1:
                self.seen = self.maybe[0]
            return number != self.sure or bool(self.maybe)


class LockOut:
    """One address that guesses."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.state = State.OFF
        self.clearing = False  # it was answered with 503
        self.since = time.monotonic()


class Record:
    """All that one state folder's clients know, and their complaints."""

    def __init__(self, first_password: str) -> None:
        self.passwords = Passwords(first_password)
        self.logins = []  # those that may be live
        self.ended = []
        self.lock_outs = []
        self.complaints = []
        self.checked = 0

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    def expect(self, holds: bool, text: str) -> None:
        self.checked += 1
        if not holds:
            self.complain(text)

    def check(self, server: Server, thorough: bool) -> None:
        """Asks a server that has just been started again. `thorough`: about everything, not a sample of what is old."""
        client = server.client()
        readiness = client.ask("GET", "/readyz")
        self.expect(readiness.status == 200, f"/readyz after the restart: {readiness}")
        self.expect("damage" not in server.said(), f"damage was reported: {server.said()}")
        self.expect(not list(server.state.glob("journal.damaged*")), "there is a journal.damaged")
        self.check_passwords(server, thorough)
        for login in self.logins:
            self.check_login(client, login)
        sample = self.ended if thorough else random.sample(self.ended, min(len(self.ended), SAMPLE))
        for login in sample:
            self.check_login(client, login)
        self.ended += [login for login in self.logins if login.state is State.OFF]
        self.logins = [login for login in self.logins if login.state is State.ON]
        sample = self.lock_outs if thorough else random.sample(self.lock_outs, min(len(self.lock_outs), SAMPLE))
        for lock_out in {*sample, *self.lock_outs[-SAMPLE:]}:
            self.check_lock_out(server, lock_out)
        client.close()

    def healed(self) -> None:
        """What had been answered 503 was in force in memory, or was not done at all; and so it is on the disk now."""
        for login in self.logins:
            login.trying = login.changing_to = None
            if login.state is State.UNKNOWN:
                login.state = State.OFF
        for lock_out in self.lock_outs:
            if lock_out.state is State.UNKNOWN:
                lock_out.state = State.OFF if lock_out.clearing else State.ON
        self.passwords.answered(self.passwords.sure)

    def set_aside(self) -> tuple[list[Login], list[LockOut]]:
        """Takes out all logins and lock-outs, for a while."""
        taken, self.logins, self.lock_outs = (self.logins, self.lock_outs), [], []
        return taken

    def put_back(self, taken: tuple[list[Login], list[LockOut]]) -> None:
        self.logins += taken[0]
        self.lock_outs += taken[1]

    def check_passwords(self, server: Server, thorough: bool) -> None:
        """Exactly one of the last one answered for and those asked for since works."""
        passwords = self.passwords
        candidates = [passwords.sure, *passwords.maybe]
        working = [number for number in candidates if self.password_works(server, number)]
        self.expect(len(working) == 1, f"of the passwords {candidates}, where {passwords.sure} was answered for: {working} work")
        if passwords.seen is not None:
            self.expect(working == [passwords.seen], f"password {passwords.seen} had been seen in force; now {working} works")
        if working:
            passwords.answered(working[0])
        old = [number for number in range(len(passwords.texts)) if number not in candidates]
        for number in old if thorough else random.sample(old, min(len(old), 2)):
            self.expect(not self.password_works(server, number), f"the old password {number} works again")
        if passwords.sure != 0:
            # The first one, if it was generated, is in a file that a crash may have left behind.
            self.expect(not (server.state / "initial-password").exists(), "initial-password is there after a change")

    def password_works(self, server: Server, number: int) -> bool:
        client = server.client()
        answer = client.login(self.passwords.texts[number])
        client.close()
        self.expect(answer.status in (200, 401), f"login with password {number}: {answer}")
        if answer.status == 200:
            self.logins.append(Login(number, answer.body))
        return answer.status == 200

    def check_login(self, client: Client, login: Login) -> None:
        """All tokens of it are good, or none is."""
        if login.changing_to is not None and login.changing_to == self.passwords.sure:
            login.changed()
        alive = [client.lives(token) for token in login.access]
        if login.password != self.passwords.sure:
            login.state = State.OFF
        elif login.state is State.UNKNOWN:
            self.expect(len(set(alive)) == 1, f"{login} ended by half: access tokens live {alive}")
            login.state = State.ON if alive[0] else State.OFF
        live = login.state is State.ON
        self.expect(all(a == live for a in alive), f"{login}: access tokens live {alive}")
        for token in login.used:
            answer = client.refresh(token)
            self.expect(answer.status == 401, f"{login}: a used refresh token was answered {answer}")
        token, trying = login.refresh, login.trying is not None
        # A good one can only be tried by using it up.
        if token is None or (live and not trying and random.random() < 0.6):
            return
        answer = client.refresh(token)
        if live and (not trying or answer.status == 200):
            self.expect(answer.status == 200, f"{login}: its refresh token was answered {answer}")
        else:
            self.expect(answer.status == 401, f"{login}: its refresh token was answered {answer}")
        login.trying = None
        if answer.status == 200:
            login.refreshed(answer.body)
        else:
            login.used.append(token)
            login.refresh = None

    def check_lock_out(self, server: Server, lock_out: LockOut) -> None:
        client = server.client(lock_out.address)
        answer = client.login(self.passwords.texts[self.passwords.sure])
        client.close()
        where = f"{lock_out.address}, whose lock-out is {lock_out.state.name}, was answered {answer}"
        if lock_out.state is State.UNKNOWN:
            lock_out.state = State.ON if answer.status == 429 else State.OFF
        if lock_out.state is State.OFF:
            self.expect(answer.status == 200, where)
            return
        # At least as long as is left of it by our clock, and no longer than a lock-out lasts.
        left = WINDOW - (time.monotonic() - lock_out.since)
        self.expect(answer.status == 429 and left - 2 <= answer.retry_after <= WINDOW, f"{where}, Retry-After {answer.retry_after}")

    def summary(self) -> str:
        return f"{len(self.ended)} logins ended, {len(self.passwords.texts) - 1} passwords asked for, {len(self.lock_outs)} lock-outs"


SAMPLE = 20
