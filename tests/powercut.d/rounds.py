"""Rounds: clients at work, a crash at a random moment, perhaps more while it starts again, and then the questions."""

import pathlib
import random
import resource
import shutil
import time
from collections.abc import Callable

from board import started
from record import Record
from server import CUT, DidNotStart, Server, first_password
from work import Work


class Disk:
    """Where the state folder is, and what a crash is there: this one is a folder, and `kill -9`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.state = folder / "state"

    def crash(self, server: Server) -> None:
        """Stops the server from keeping anything more. It may live a few moments longer."""
        server.process.kill()

    def back(self) -> None:
        """Makes the folder usable again after a crash."""

    def blank(self) -> None:
        """Begins with an empty folder."""
        shutil.rmtree(self.state, ignore_errors=True)


class Rounds:
    """Round after round on one disk, with an empty folder each `epoch` rounds."""

    def __init__(self, binary: str, disk: Disk, epoch: int) -> None:
        self.binary = binary
        self.disk = disk
        self.epoch = epoch
        self.record = Record("")
        self.counts = {"crashes in a rewrite": 0}

    def run(self, rounds: int, progress: Callable[[str], None]) -> list[str]:
        """Gives the complaints of the first round that had any."""
        server = None
        try:
            for number in range(1, rounds + 1):
                if server is None:
                    server = self.first_start()
                last = number == rounds or number % self.epoch == 0
                server = self.round(server, last)
                if self.record.complaints:
                    return [f"round {number}: {complaint}" for complaint in self.record.complaints]
                if last:
                    server = server.end()
                if number % 25 == 0 or number == rounds:
                    progress(f"{number} rounds: {self.told()}")
        except DidNotStart as error:
            return [f"round {number}: the server did not start: {error}"]
        except (*CUT, AssertionError) as error:
            return [f"round {number}: the questions were cut off: {error!r}", *self.record.complaints]
        finally:
            if server:
                server.end()
        return []

    def first_start(self) -> Server:
        self.disk.blank()
        self.crashes_at_start(longest=0.08)
        server = started(self.binary, self.disk.state).ready()
        self.record = Record(first_password(self.disk.state))
        return server

    def crashes_at_start(self, longest: float) -> None:
        """Crashes not at all, once, twice …, each time within so many seconds after exec."""
        while random.random() < 0.25:
            server = started(self.binary, self.disk.state)
            time.sleep(random.uniform(0, longest))
            self.disk.crash(server)
            server.end()
            self.disk.back()
            self.count("crashes in start-up")

    def round(self, server: Server, last: bool) -> Server:
        """From a running server to the next one."""
        rewriting = random.random() < 0.3
        work = Work(self.record, server, failing=rewriting)
        work.start(users=4, changes=random.choice([0, 0, 1, 1, 2, 8]), guessers=random.choice([0, 1]))
        time.sleep(random.choice([0, 0.02, 0.1, 0.3]) * random.random())
        if rewriting:
            self.force_rewrite(server)
        work.crashing = True
        self.disk.crash(server)
        server.end()
        work.join()
        self.disk.back()
        self.count("crashes in a rewrite", (self.disk.state / "journal.new").exists())
        self.crashes_at_start(longest=0.02)
        server = started(self.binary, self.disk.state).ready()
        record = self.record
        ended, checked = len(record.ended), record.checked
        record.check(server, thorough=last)
        self.count("answers", work.done)
        self.count("logins ended", len(record.ended) - ended)
        self.count("torn tails cut", "that tail was, as far as can be told, never answered" in server.said())
        self.count("checks", record.checked - checked)
        return server

    def force_rewrite(self, server: Server) -> None:
        """Makes an append fail in its middle: the journal is then rewritten whole, if that fits."""
        size = (self.disk.state / "journal").stat().st_size
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + random.randrange(200), unlimited))
        replacement = self.disk.state / "journal.new"
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            if replacement.exists():
                time.sleep(random.uniform(0, 0.002))
                break
        if random.random() < 0.3:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
            time.sleep(random.uniform(0, 0.1))

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    def told(self) -> str:
        return ", ".join(f"{number:,} {what}" for what, number in self.counts.items())
