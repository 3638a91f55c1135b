"""Clients at work, a thread each: they log in, refresh, log out, change the password, guess, until they are cut off."""

import random
import threading
from collections.abc import Callable

from board import ALLOWANCE
from record import LockOut, Login, Record, State
from server import CUT, Answer, Client, Server, fresh_address


class Work:
    """All clients of one run of the server. `failing`: 503 is to be expected, as it is once it is `crashing`."""

    def __init__(self, record: Record, server: Server, failing: bool = False) -> None:
        self.record = record
        self.server = server
        self.failing = failing
        self.done = 0  # requests answered
        self.crashing = False
        self.over = threading.Event()
        self.threads = []

    def start(self, users: int, changes: int, guessers: int) -> None:
        # Those who are in for certain go on; each belongs to one thread.
        before = [login for login in self.record.logins if login.is_certain()]
        random.shuffle(before)
        jobs = [User(self, before[: users * 4][number::users]).run for number in range(users)]
        if changes:
            jobs.append(lambda: self.change(changes))
        jobs += [self.guess] * guessers
        for job in jobs:
            thread = threading.Thread(target=self.until_cut, args=[job], daemon=True)
            self.threads.append(thread)
            thread.start()

    def until_cut(self, job: Callable[[], None]) -> None:
        try:
            job()
        except CUT as error:
            if not self.crashing:
                self.record.complain(f"cut off by a server that nobody had ended: {error!r}")
        except AssertionError as error:
            self.record.complain(str(error))

    def join(self) -> None:
        """Waits for all clients, whose server has ended or is about to."""
        self.over.set()
        for thread in self.threads:
            thread.join()

    def expected(self, answer: Answer, what: str, *statuses: int) -> None:
        self.done += 1
        if answer.status == 503 and (self.failing or self.crashing):
            return
        if answer.status not in statuses:
            self.record.complain(f"{what} was answered {answer}")

    def change(self, times: int) -> None:
        """One change after the other, so that it is known which passwords may be in force."""
        client = self.server.client()
        passwords = self.record.passwords
        for _ in range(times):
            if self.over.is_set():
                return
            current = passwords.sure
            answer = client.login(passwords.texts[current])
            # An unanswered change from before, that was refused with 503, cannot come true while the server is up.
            self.expected(answer, "the changer's login", 200)
            if answer.status != 200:
                return
            login = Login(current, answer.body)
            self.record.logins.append(login)
            login.changing_to = passwords.next()
            answer = client.change(login.access[0], passwords.texts[current], passwords.texts[login.changing_to])
            self.expected(answer, "a password change", 200)
            if answer.status == 200:
                passwords.answered(login.changing_to)
                login.changed()

    def guess(self) -> None:
        """Gets an address locked out, and perhaps has it cleared; then the next."""
        for _ in range(4):
            if self.over.is_set():
                return
            lock_out = LockOut(fresh_address())
            self.record.lock_outs.append(lock_out)
            client = self.server.client(lock_out.address)
            for guess in range(ALLOWANCE):
                if guess == ALLOWANCE - 1:
                    lock_out.state = State.UNKNOWN
                self.expected(client.login("not-the-password"), f"guess {guess}", 401)
            # That last failure is answered when the lock-out is durable, unless the journal fails.
            if not (self.failing or self.crashing):
                lock_out.state = State.ON
            answer = client.login("not-the-password")
            self.expected(answer, "a guess too many", 429)
            client.close()
            if random.random() < 0.5:
                lock_out.state = State.UNKNOWN
                local = self.server.local()
                answer = local.ask("DELETE", f"/api/security/rate-limits/{lock_out.address}")
                self.expected(answer, "clearing a lock-out", 200)
                lock_out.clearing = answer.status == 503
                if answer.status == 200:
                    lock_out.state = State.OFF
                local.close()


class User:
    """Somebody with some logins."""

    def __init__(self, work: Work, logins: list[Login]) -> None:
        self.work = work
        self.record = work.record
        self.logins = logins
        self.client: Client | None = None

    def run(self) -> None:
        self.client = self.work.server.client()
        while not self.work.over.is_set():
            if not self.logins or (len(self.logins) < 8 and random.random() < 0.4):
                self.login()
                continue
            login = random.choice(self.logins)
            random.choice([self.logout, self.logout, self.refresh, self.look])(login)
        self.client.close()

    def login(self) -> None:
        passwords = self.record.passwords
        number = passwords.sure
        answer = self.client.login(passwords.texts[number])
        if answer.status == 401 and passwords.refused_with(number):
            # The change is in force and its answer on the way. An address has only so many failures.
            self.client.close()
            self.client = self.work.server.client()
            return
        self.work.expected(answer, "a login", 200)
        if answer.status == 200:
            login = Login(number, answer.body)
            self.logins.append(login)
            self.record.logins.append(login)

    def logout(self, login: Login) -> None:
        self.logins.remove(login)
        login.state = State.UNKNOWN
        answer = self.client.logout(login.access[-1])
        if self.answered(login, answer, "a logout") and answer.status == 200:
            login.state = State.OFF

    def refresh(self, login: Login) -> None:
        login.trying = login.refresh
        answer = self.client.refresh(login.refresh)
        if self.answered(login, answer, "a refresh") and answer.status == 200:
            login.refreshed(answer.body)
            login.trying = None
        elif login in self.logins:
            self.logins.remove(login)

    def look(self, login: Login) -> None:
        if not self.client.lives(login.access[0]):
            self.answered(login, Answer(401), "a token")

    def answered(self, login: Login, answer: Answer, what: str) -> bool:
        """Whether it went as it should; a 401 may be due to a change of the password."""
        if answer.status == 401 and self.record.passwords.refused_with(login.password):
            if login in self.logins:
                self.logins.remove(login)
            if login.state is State.UNKNOWN:
                login.state = State.ON  # the password decides
            self.work.done += 1
            return False
        self.work.expected(answer, f"{what} of {login}", 200)
        return True
