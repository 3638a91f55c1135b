"""`kill -9` in the middle of a real compaction: the housekeeper's, of a journal that has come to be mostly waste.

It takes a minute of waiting, so it goes on beside the rounds.
"""

import pathlib
import random
import threading
import time

from board import started
from record import Login, Record
from rounds import Disk
from server import CUT, DidNotStart, Server, first_password
from work import Work

WASTE = 96 * 1024  # bytes; from 64 KiB on a journal is worth compacting
SWEEP = 60  # seconds from the start to the housekeeper's first look
LATEST = 80  # seconds


class Compactions(threading.Thread):
    """One after the other until there are enough, but one at least."""

    def __init__(self, binary: str, folder: pathlib.Path) -> None:
        super().__init__(daemon=True)
        self.binary = binary
        self.disk = Disk(folder)
        self.complaints = []
        self.counts = {"under way": 0, "over": 0}  # compactions, when the crash came
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.complaints and not (self.enough.is_set() and any(self.counts.values())):
            server = started(self.binary, self.disk.state)
            try:
                self.once(server)
            except (*CUT, DidNotStart, AssertionError) as error:
                self.complaints.append(f"compaction: {error!r}")
            finally:
                server.end()
                self.disk.blank()

    def waste(self, server: Server, record: Record) -> None:
        """Changes the password again and again: of all those records only the last one counts."""
        client, passwords = server.client(), record.passwords
        login = Login(0, client.login(passwords.texts[0]).body)
        record.logins.append(login)
        while (server.state / "journal").stat().st_size < WASTE:
            current, login.changing_to = passwords.texts[passwords.sure], passwords.next()
            answer = client.change(login.access[0], current, passwords.texts[login.changing_to])
            if answer.status != 200:
                raise AssertionError(f"a password change was answered {answer}")
            passwords.answered(login.changing_to)
            login.changed()
        client.close()

    def once(self, server: Server) -> None:
        since = time.monotonic()
        record = Record(first_password(server.ready().state))
        journal = self.disk.state / "journal"
        inode = journal.stat().st_ino
        self.waste(server, record)
        time.sleep(max(0, since + SWEEP - 0.5 - time.monotonic()))
        # Somebody comes and goes while it is compacted.
        work = Work(record, server)
        work.start(users=2, changes=0, guessers=1)
        replacement = self.disk.state / "journal.new"
        while not replacement.exists() and journal.stat().st_ino == inode and time.monotonic() < since + LATEST:
            pass
        time.sleep(random.uniform(0, 0.003))
        work.crashing = True
        self.disk.crash(server)
        server.end()
        work.join()
        compacted = journal.stat().st_ino != inode
        if not compacted and not replacement.exists():
            record.complain(f"no compaction within {LATEST} s")
        self.counts["over" if compacted else "under way"] += 1
        again = started(self.binary, self.disk.state)
        try:
            record.check(again.ready(), thorough=True)
        finally:
            again.end()
        self.complaints += [f"compaction: {complaint}" for complaint in record.complaints]
