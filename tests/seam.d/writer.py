"""What fills the log: numbered lines, in bursts, some marked for those who filter."""

import pathlib
import random
import threading
import time

BURSTS = (1, 1, 2, 5, 40, 300)  # lines at once
PAUSE = 0.05  # seconds between two bursts, at most
MARK = "marked"
MARKED_SHARE = 7  # one line in so many


class Writer(threading.Thread):
    """Appends `line N …` to the file. Paused, it ends with a marked line, so that a filter sees the end too."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(name="writer", daemon=True)
        self.path = path
        self.count = 0  # the number of the last line
        self._random = random.Random(random.getrandbits(32))
        self._lock = threading.Lock()
        self._going = threading.Event()
        self._going.set()
        self._over = threading.Event()
        self._error = None

    def run(self) -> None:
        try:
            with self.path.open("ab", buffering=0) as file:
                self._file = file
                while not self._over.is_set():
                    self._going.wait(0.2)
                    with self._lock:
                        if self._going.is_set():
                            self._burst(self._random.choice(BURSTS))
                    time.sleep(self._random.random() * PAUSE)
        except Exception as error:  # told by check()
            self._error = error

    def _burst(self, lines: int) -> None:
        text = "".join(self._line() for _ in range(lines)).encode()
        # Not always whole lines at a time: a reader must wait for the rest.
        cut = self._random.randrange(len(text))
        self._file.write(text[:cut])
        self._file.write(text[cut:])

    def _line(self, marked: bool = False) -> str:
        self.count += 1
        mark = MARK if marked or self._random.randrange(MARKED_SHARE) == 0 else "plain"
        return f"line {self.count} {mark} {'x' * self._random.randrange(60)}\n"

    def pause(self) -> None:
        with self._lock:
            self._going.clear()
            self._file.write(self._line(marked=True).encode())

    def go_on(self) -> None:
        self._going.set()

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._over.set()
        self.join(5)
