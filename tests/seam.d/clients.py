"""Those who watch the stream: each comes back after every cut with the last number it has seen, and keeps a record."""

import http.client
import json
import pathlib
import random
import re
import signal
import ssl
import subprocess
import threading
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from writer import MARK

TIMEOUT = 10  # seconds without a byte: nothing is silent that long while lines flow
CUT = (OSError, http.client.HTTPException, WebSocketException, EOFError, ssl.SSLError)
LINE = re.compile(r"^line (\d+) (\w+)")


class Client(threading.Thread):
    """What all kinds have in common: where they are, and what they have been told."""

    query = ""

    def __init__(self, name: str, board, direct: bool = False) -> None:
        super().__init__(name=name, daemon=True)
        self.board = board
        self.direct = direct
        self.boot = None
        self.hello = None  # the last one, as a dictionary
        self.seq = None  # the last entry, or the last one of a gap
        self.last_line = 0
        self.lines = []
        self.gaps = 0
        self.missed = set()  # numbers in gaps, by (boot, seq)
        self.connections = 0
        self.wrong = []
        self._seen = threading.Event()
        self._over = threading.Event()
        self._away = threading.Event()

    def port(self) -> int:
        return self.board.server.port if self.direct else self.board.relay.port

    def run(self) -> None:
        while not self._over.is_set():
            try:
                if not self._away.is_set():
                    self.watch()
            except CUT:
                pass
            time.sleep(random.random() * 0.1)

    def watch(self) -> None:
        """One connection, to its end."""
        raise NotImplementedError

    def place(self) -> str:
        """Where to go on: the end of the query."""
        if self.seq is None:
            return "since=0" + self.query
        return f"since={self.seq}&boot={self.boot}{self.query}"

    def take(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "hello":
            self.connections += 1
            if message["boot"] != self.boot:
                # It gets all of a run that it does not know, from 1 on, behind a gap for what the ring has lost of it.
                self.boot, self.seq = message["boot"], 0
            self.hello = message
            self._seen.set()
        elif message["type"] == "gap":
            self.gap(message["from"], message["to"], message["missed"])
        else:
            self.entry(message)

    def gap(self, first: int, last: int, missed: int) -> None:
        self.gaps += 1
        if first != self.seq + 1 or last < first or missed != last - first + 1:
            self.wrong.append(f"a gap from {first} to {last} ({missed}) behind {self.seq}")
        self.missed.update((self.boot, seq) for seq in range(first, last + 1))
        self.seq = last

    def entry(self, message: dict) -> None:
        if not self.follows(message["seq"]):
            self.wrong.append(f"entry {message['seq']} behind {self.seq}")
        self.seq = message["seq"]
        if message["source"] == "app":
            found = LINE.match(message["message"])
            self.last_line = int(found[1])
            self.lines.append((self.boot, self.seq, self.last_line, found[2]))

    def follows(self, seq: int) -> bool:
        return seq == self.seq + 1

    def wait_for_hello(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.hello and self.hello["boot"] == self.running_boot():
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} has no hello of this run")

    def running_boot(self) -> str:
        client = self.board.server.client()
        try:
            return client.ask("GET", "/api/status", token=self.board.token()).body["logs"]["boot"]
        finally:
            client.close()

    def lagging(self, count: int) -> None:
        if self.last_line != count:
            self.wrong.append(f"is at line {self.last_line} of {count} and does not catch up")

    def stay_away(self) -> None:
        """It does not come back from the next cut."""
        self._away.set()

    def come_back(self) -> None:
        self._away.clear()

    def stop(self) -> None:
        self._over.set()

    def complaints(self, count: int) -> list[str]:
        """What is wrong with the record, given how many lines were written."""
        wrong = list(self.wrong)
        lines = [line for _, _, line, _ in self.lines]
        if doubled := len(lines) - len(set(lines)):
            wrong.append(f"{doubled} lines came twice")
        if lines != sorted(lines):
            wrong.append("lines came out of order")
        wrong += self.missing(set(lines), count)
        return wrong[:5]

    def missing(self, lines: set[int], count: int) -> list[str]:
        missing = set(range(1, count + 1)) - lines
        # An entry is a line or one of postern's own, so the gaps hold at least as many entries as lines are missing.
        if len(missing) > len(self.missed):
            first = sorted(missing)[:3]
            return [f"{len(missing)} lines are missing, from {first} on, and its gaps tell of {len(self.missed)} entries"]
        return []

    def summary(self) -> str:
        return f"{self.name}: {self.connections} connections, {len(self.lines)} lines, {self.gaps} gaps of {len(self.missed)} entries"


class JsonLines(Client):
    """curl's way: lines of a chunked answer."""

    accept = "*/*"

    def watch(self) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port(), context=self.board.server.tls, timeout=TIMEOUT)
        try:
            connection.request("GET", f"/api/logs?follow=true&{self.place()}", headers=self.headers())
            answer = connection.getresponse()
            if answer.status != 200:
                raise AssertionError(f"{answer.status} {answer.read()}")
            while not self._over.is_set():
                line = answer.readline()
                # A line without its end was cut, and will come again.
                if not line.endswith(b"\n"):
                    return
                self.understand(line.decode())
        finally:
            connection.close()

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.board.token()}", "Accept": self.accept}

    def understand(self, line: str) -> None:
        self.take(line)


class Events(JsonLines):
    """A browser's EventSource: it sends back the last `id:`, whatever that means."""

    accept = "text/event-stream"

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._id = None  # of the event under way
        self._data = None
        self._last = None  # the last event's that had one

    def place(self) -> str:
        return "since=0"

    def headers(self) -> dict[str, str]:
        return super().headers() | ({"Last-Event-ID": self._last} if self._last is not None else {})

    def watch(self) -> None:
        self._id = self._data = None
        super().watch()

    def understand(self, line: str) -> None:
        if line.startswith("id: "):
            self._id = line[4:].rstrip("\n")
        elif line.startswith("data: "):
            self._data = line[6:]
        elif line == "\n" and self._data is not None:
            self.take(self._data)
            if self._id is not None:
                if self._id != f"{self.boot}:{self.seq}":
                    self.wrong.append(f"the id {self._id} of entry {self.seq} of {self.boot}")
                self._last = self._id
            self._id = self._data = None


class WebSocket(Client):
    """A page's way: a ticket, a subprotocol, frames."""

    pause = 0.0

    def watch(self) -> None:
        client = self.board.server.client()
        try:
            ticket = client.ask("GET", "/api/ws-token", token=self.board.token()).body["token"]
        finally:
            client.close()
        url = f"wss://127.0.0.1:{self.port()}/api/ws/logs?{self.place()}"
        protocols = ["postern.logs", f"postern.token.{ticket}"]
        with connect(
            url, ssl=self.board.server.tls, subprotocols=protocols, open_timeout=TIMEOUT, close_timeout=1, proxy=None, compression=None
        ) as stream:
            while not self._over.is_set():
                self.take(stream.recv(timeout=TIMEOUT))
                if self.pause and self.board.relay.hostile.is_set():
                    time.sleep(self.pause)


class Slow(WebSocket):
    """Reads far less than is written, while lines flow."""

    pause = 0.02


class Filtered(WebSocket):
    """Wants the marked lines only: numbers rise, and no marked line may be missing."""

    query = f"&source=app&q={MARK}"

    def __init__(self, name: str, board, witness: Client) -> None:
        super().__init__(name, board)
        self.witness = witness

    def follows(self, seq: int) -> bool:
        return seq > self.seq

    def gap(self, first: int, last: int, missed: int) -> None:
        # Entries that its filter hides have no number here, so a gap begins anywhere behind the last one shown.
        if first > self.seq:
            self.seq = first - 1
        super().gap(first, last, missed)

    def missing(self, lines: set[int], count: int) -> list[str]:
        if any(mark != MARK for _, _, _, mark in self.lines):
            return ["the filter let another line through"]
        wanted = {(boot, seq): line for boot, seq, line, mark in self.witness.lines if mark == MARK}
        lost = [line for place, line in wanted.items() if line not in lines and place not in self.missed]
        return [f"{len(lost)} marked lines are missing, and no gap tells of them: {lost[:3]}"] if lost else []


class Desk(Client):
    """`postern logs --follow --json`, which is killed off the wire like the others and comes back by itself."""

    def __init__(self, name: str, board, binary: str, folder: pathlib.Path) -> None:
        super().__init__(name, board)
        self._process = subprocess.Popen(
            [binary, "logs", f"https://127.0.0.1:{self.port()}", "--follow", "--json", "--since", "1h"]
            + ["--fingerprint", board.fingerprint()],
            env={"XDG_STATE_HOME": str(folder / "desk"), "POSTERN_PASSWORD": board.password},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self) -> None:
        for line in self._process.stdout:
            message = json.loads(line)
            if self.boot is None:
                # It tells of a run only when that is another one.
                self.boot, self.seq = self.running_boot(), message["seq"] - 1
                self.hello = {"boot": self.boot}
            self.take(line)

    def stop(self) -> None:
        super().stop()
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status != 0:
            self.wrong.append(f"it ended with {status}")


def everybody(board, witness: Client, binary: str, folder: pathlib.Path) -> list[Client]:
    """One of each kind, and two of those that most people use."""
    everyone = [
        WebSocket("websocket", board),
        WebSocket("websocket 2", board),
        JsonLines("json lines", board),
        Events("events", board),
        Slow("slow", board),
        Filtered("filtered", board, witness),
        Desk("postern logs", board, binary, folder),
    ]
    return everyone
