"""The server that is crashed: no limit is in the way of its clients, but that of wrong passwords."""

import pathlib

from server import UNLIMITED, Server

WINDOW = 86400  # seconds for which a lock-out lasts: longer than any run
ALLOWANCE = 3  # wrong passwords

SETTINGS = UNLIMITED | {
    "MAX_LOGIN_ATTEMPTS": str(ALLOWANCE),
    "RATE_LIMIT_WINDOW_SECONDS": str(WINDOW),
    # A used refresh token that is shown again is only refused: otherwise each check would end a login.
    "REFRESH_REUSE_GRACE_SECONDS": "3600",
}


def started(binary: str, state: pathlib.Path, wrapper: list[str] | None = None) -> Server:
    """A server that has just been started, and may not be up yet."""
    return Server(binary, state, wrapper, SETTINGS)
