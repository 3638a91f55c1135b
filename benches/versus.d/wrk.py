"""The load of benches/versus: wrk, openssl s_time for full handshakes, and what they measured."""

import dataclasses
import json
import pathlib
import re
import subprocess
import time

from servers import PATIENCE, Failed, Running

# Percentiles that a curve is drawn through, by name. The longest of all stands for 100 %.
PERCENTILES = {f"p{percent:g}": percent for percent in (1, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99)}
PERCENTILES["max"] = 100.0

# Says what was measured as one line of JSON, times in microseconds. It runs once, at the end, and costs a request nothing.
DONE = """
function done(summary, latency, requests)
    local errors, took = summary.errors, {}
    for _, percent in ipairs({%s}) do
        table.insert(took, latency:percentile(percent))
    end
    table.insert(took, latency.max)
    io.write(string.format('\\n{"requests": %%d, "duration": %%d, "refused": %%d, "lost": %%d, "latency": [%%s]}\\n',
        summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, table.concat(took, ",")))
end
""" % ", ".join(f"{percent:g}" for percent in list(PERCENTILES.values())[:-1])


@dataclasses.dataclass
class Load:
    """What a load came to."""

    requests: int
    seconds: float
    latency: dict[str, float]  # ms, by the names of PERCENTILES


class Wrk:
    """wrk, with one thread. It runs where its parent does."""

    def __init__(self, binary: str, folder: pathlib.Path) -> None:
        self.binary = binary
        self.script = folder / "load.lua"

    def load(
        self, server: Running, path: str, connections: int, seconds: int, authorization: str = "", *, closes: bool = False
    ) -> Load:
        """
        So many connections, each of which asks again once it has its answer, or makes place for a new one if it `closes`. A
        request that was refused or lost fails it.
        """
        header = ["-H", f"Authorization: {authorization}"] if authorization else []
        header += ["-H", "Connection: close"] if closes else []
        said = self.run(server, path, connections, seconds, DONE, header)
        measured = json.loads(said.splitlines()[-1])
        if measured["refused"] or measured["lost"] or not measured["requests"]:
            raise Failed(
                f"refused: {path} at {connections} connections: of {measured['requests']} requests "
                f"{measured['refused']} were refused, {measured['lost']} lost"
            )
        latency = {name: taken / 1000 for name, taken in zip(PERCENTILES, measured["latency"], strict=True)}
        return Load(measured["requests"], measured["duration"] / 1e6, latency)

    def run(
        self, server: Running, path: str, connections: int, seconds: int, script: str, more: list[str] | None = None
    ) -> str:
        """What it said."""
        self.script.write_text(script)
        url = f"https://127.0.0.1:{server.port}{path}"
        command = [self.binary, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{PATIENCE}s", "-s", str(self.script)]
        run = subprocess.run([*command, *(more or []), url], capture_output=True, text=True, check=False)
        if run.returncode:
            raise Failed(f"wrk, {path}: {run.stderr.strip() or run.stdout.strip()}")
        return run.stdout


class Handshakes:
    """As many connections a second as there can be, each of which asks once: their number, and the seconds that they took."""

    def __init__(self, wrk: Wrk) -> None:
        self.wrk = wrk

    def resumed(self, server: Running, path: str, clients: int, seconds: int) -> tuple[int, float]:
        load = self.wrk.load(server, path, clients, seconds, closes=True)
        return load.requests, load.seconds

    def full(self, server: Running, path: str, clients: int, seconds: int) -> tuple[int, float]:
        command = f"openssl s_time -connect 127.0.0.1:{server.port} -tls1_3 -new -www {path} -time {seconds}".split()
        begun = time.monotonic()
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(clients)]
        said = [client.communicate() for client in running]
        took = time.monotonic() - begun
        count = 0
        for client, (out, errors) in zip(running, said, strict=True):
            found = re.search(r"^(\d+) connections in \d+ real seconds, (\d+) bytes read per connection", out, re.MULTILINE)
            if client.returncode or not found or not int(found[1]) or not int(found[2]):
                raise Failed(f"openssl s_time: {errors.strip() or out.strip()[-200:]}")
            count += int(found[1])
        return count, took
