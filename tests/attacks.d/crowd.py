"""A crowd of attackers, in a process of its own: `crowd.py KIND JSON`. It stops when its standard input ends, and prints what it
was answered as a JSON object.

guess    so many threads with wrong passwords, by Basic and by login, as fast as they are answered
connect  so many clients that connect, say nothing, or half of a ClientHello, or a whole one, and come again
"""

import collections
import heapq
import http.client
import itertools
import json
import os
import pathlib
import random
import select
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from server import basic, unverified  # noqa: E402


class Crowd:
    """Such a process, from the outside. Attackers have processors of their own: theirs is the lower priority here."""

    def __init__(self, kind: str, **settings: object) -> None:
        self.process = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, __file__, kind, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def leave(self) -> dict[str, int]:
        """Ends it; what it was answered, and how often."""
        said, _ = self.process.communicate()
        return json.loads(said or "{}")

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self.process.kill()
        self.process.communicate()


def hello() -> bytes:
    """An ordinary ClientHello."""
    inbound, outbound = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = unverified().wrap_bio(inbound, outbound)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outbound.read()


def guess(sources: list[str], each: int, door: str, port: int, over: threading.Event) -> collections.Counter:
    counts = collections.Counter()
    context = unverified()

    def one(source: str, turn: int) -> None:
        numbers = itertools.count(turn)
        while not over.is_set():
            connection = http.client.HTTPSConnection(
                door, port, context=context, source_address=(source, 0), timeout=30
            )
            try:
                while not over.is_set():
                    number = next(numbers)
                    wrong = f"wrong-{turn}-{number}"
                    if number % 2:
                        connection.request("GET", "/api/status", headers={"Authorization": basic(wrong)})
                    else:
                        connection.request(
                            "POST", "/api/auth/login", json.dumps({"username": "admin", "password": wrong})
                        )
                    answer = connection.getresponse()
                    answer.read()
                    counts[str(answer.status)] += 1
                    if answer.status != 401:
                        over.wait(0.1)
            except (OSError, http.client.HTTPException):
                counts["cut off"] += 1
                over.wait(0.1)
            finally:
                connection.close()

    threads = [threading.Thread(target=one, args=(source, turn), daemon=True) for source in sources for turn in range(each)]
    for thread in threads:
        thread.start()
    over.wait()
    return counts


def connect(
    clients: list[str], doors: dict[str, str], port: int, slowest: float, fastest: float, over: threading.Event
) -> collections.Counter:
    counts = collections.Counter()
    words = hello()
    sayings = [b"", words[:50], words]
    open_: dict[int, socket.socket] = {}
    begin = time.monotonic()
    pace = [1 / random.uniform(slowest, fastest) for _ in clients]
    due = [(begin + random.random() * pace[number], number) for number in range(len(clients))]
    heapq.heapify(due)
    while not over.is_set():
        when, number = due[0]
        now = time.monotonic()
        if when > now:
            time.sleep(min(when - now, 0.05))
            continue
        heapq.heapreplace(due, (max(when + pace[number], now), number))
        if number in open_:
            open_.pop(number).close()
        source = clients[number]
        link = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        link.setblocking(False)
        # A port for each pair of addresses, not one for all.
        link.setsockopt(socket.IPPROTO_IP, 24, 1)
        # Away at once, as a flood would have it, without a port in TIME_WAIT.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        try:
            link.bind((source, 0))
            link.connect_ex((doors[source], port))
            counts["connected"] += 1
            if saying := random.choice(sayings):
                link.send(saying)
        except OSError:
            counts["not yet through"] += 1
        open_[number] = link
    for link in open_.values():
        link.close()
    counts["a second"] = int(counts["connected"] / (time.monotonic() - begin))
    return counts


def main() -> None:
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            if select.select([0], [], [], 1)[0] and not os.read(0, 100):
                over.set()

    threading.Thread(target=listen, daemon=True).start()
    kind = {"guess": guess, "connect": connect}[sys.argv[1]]
    print(json.dumps(kind(**json.loads(sys.argv[2]), over=over)), flush=True)
    # Threads that wait for an answer are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
