"""The server under attack, in a network namespace of its own, and what /proc says of it."""

import http.client
import ipaddress
import pathlib
import socket
import subprocess
import time

from server import PASSWORD, Client, DidNotStart, Server, unverified

DOOR = "10.99.0.1"
DOOR6 = "fd00:99::1"
OWNER = "10.2.0.1"
OWNER6 = "fd00:1::2"
NEWCOMER6 = "fd00:1::3"  # in the owner's /64, without a success of its own

# The limits of the contract.
DEFAULTS = {
    "LISTEN": "[::]:0",
    "BASIC_AUTH_PASSWORD": PASSWORD,
    "LOG_SOURCES": "",
    "RATE_LIMIT_RPS": "20",
    "RATE_LIMIT_BURST": "60",
    "MAX_LOGIN_ATTEMPTS": "5",
    "RATE_LIMIT_WINDOW_SECONDS": "300",
}


def strangers(count: int) -> list[str]:
    """Addresses of attackers, none of which has ever signed in."""
    return [f"10.1.{number // 200}.{1 + number % 200}" for number in range(count)]


def neighbours(count: int) -> list[str]:
    """Addresses of attackers in the owner's own /64."""
    return [f"fd00:1::{0x100 + number:x}" for number in range(count)]


def prefixes(count: int) -> list[str]:
    """Addresses of attackers, each in a /64 of its own."""
    return [f"fd00:2:0:{number:x}::1" for number in range(count)]


def addresses() -> None:
    """Gives the namespace's loopback interface all addresses that clients come from."""
    lines = ["link set lo up", f"addr add {DOOR}/32 dev lo", f"addr add {OWNER}/32 dev lo"]
    lines += [f"addr add {address}/32 dev lo" for address in strangers(40)]
    lines += [f"-6 addr add {address}/128 dev lo nodad" for address in (DOOR6, OWNER6, NEWCOMER6, *neighbours(40), *prefixes(16))]
    # `ip -batch` wants one family for all of its lines.
    for family in ("-4", "-6"):
        batch = "\n".join(line.removeprefix("-6 ") for line in lines if line.startswith("-6") == (family == "-6"))
        subprocess.run(["ip", family, "-batch", "-"], input=batch, text=True, check=True)


def door(source: str) -> str:
    """The server's address for a client with this one."""
    return DOOR6 if ipaddress.ip_address(source).version == 6 else DOOR


class Board(Server):
    """A server of the contract's limits, with a password that is known."""

    def __init__(self, binary: str, state: pathlib.Path, wrapper: list[str] | None = None, **settings: str) -> None:
        state.mkdir(mode=0o700, exist_ok=True)
        super().__init__(binary, state, wrapper, DEFAULTS | settings)
        try:
            self.ready()
            # An attacker does not look at certificates, and the owner's look is not what is tried here.
            self.tls = unverified()
        except DidNotStart:
            self.end()
            raise

    def from_(self, source: str, timeout: float = 10) -> Client:
        """A client with this address."""
        return self.client(source, door(source), timeout)

    def sign_in(self, source: str) -> str:
        """Makes an address a proven one; the access token."""
        client = self.from_(source)
        try:
            answer = client.login(PASSWORD)
            if answer.status != 200:
                raise AssertionError(f"the owner's first login, from {source}: {answer}")
            return answer.body["access_token"]
        finally:
            client.close()

    def health(self, patience: float = 10) -> bool:
        """Whether the TLS side answers, within this time."""
        end = time.monotonic() + patience
        while time.monotonic() < end and self.lives():
            try:
                client = self.from_(OWNER, timeout=3)
                try:
                    if client.ask("GET", "/health").status == 200:
                        return True
                finally:
                    client.close()
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.1)
        return False

    def local_socket(self, timeout: float = 3) -> socket.socket:
        """A connection to the local socket."""
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(timeout)
        link.connect(str(self.state / "postern.sock"))
        return link

    def last_words(self) -> str:
        lines = [line for line in self.said().strip().splitlines() if line.strip()]
        return " ".join(lines[-2:])[-200:]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so many (0 to 1) do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
