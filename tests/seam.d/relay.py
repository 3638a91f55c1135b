"""A wire that cannot be trusted: passes bytes on to the server, cuts connections off at random, and slows them down."""

import random
import select
import socket
import struct
import threading
import time

LIFE = (0.05, 3.0)  # seconds that a connection lasts while the relay is hostile
SLOW_SHARE = 5  # one connection in so many gets a trickle
TRICKLE = 2048  # bytes at a time, …
TRICKLE_PAUSE = 0.02  # … and seconds between
CHUNK = 65536


class Relay:
    """Listens on a port of its own; each connection is a thread."""

    def __init__(self) -> None:
        self.target = None
        self.hostile = threading.Event()
        self.enough = threading.Event()
        self.cut = 0
        self.slowed = 0
        self._random = random.Random(random.getrandbits(32))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def _accept(self) -> None:
        while not self.enough.is_set():
            if select.select([self._listener], [], [], 0.2)[0]:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), name="relayed", daemon=True).start()
        self._listener.close()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            near.close()
            return
        born = time.monotonic()
        life = self._random.uniform(*LIFE)
        slow = self._random.randrange(SLOW_SHARE) == 0
        self.slowed += slow
        ends = {near: far, far: near}
        try:
            while not self.enough.is_set():
                if self.hostile.is_set() and time.monotonic() - born > life:
                    self.cut += 1
                    # A reset, so that what is under way is lost, as on a wire that was pulled.
                    for end in ends:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                for end in select.select(list(ends), [], [], 0.05)[0]:
                    trickling = slow and end is far and self.hostile.is_set()
                    data = end.recv(TRICKLE if trickling else CHUNK)
                    if not data:
                        return
                    ends[end].sendall(data)
                    if trickling:
                        time.sleep(TRICKLE_PAUSE)
        except OSError:
            pass
        finally:
            near.close()
            far.close()
