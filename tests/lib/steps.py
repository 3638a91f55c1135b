"""One line a step, `ok   WHAT` or `FAILED WHAT: WHY`, and at the end `N passed, N failed`. `tests/lib.sh` prints the same."""

import pathlib
import sys
from typing import NoReturn

passed = 0
failed = 0


def ok(what: str) -> None:
    global passed
    passed += 1
    print(f"ok   {what}", flush=True)


def fail(what: str, why: object) -> None:
    """The step failed; others are still to be tried."""
    global failed
    failed += 1
    print(f"FAILED {what}: {why}", flush=True)


def give_up(what: str, why: object) -> NoReturn:
    """The step failed, and what comes after it would mean nothing."""
    fail(what, why)
    sys.exit(end())


def equal(what: str, got: object, wanted: object) -> None:
    """The step passes if the two are equal; otherwise nothing comes after it."""
    if got != wanted:
        give_up(what, f"{got!r}, not {wanted!r}")
    ok(what)


def all_held(what: str, complaints: list[str]) -> None:
    """The step passes if there are no complaints."""
    for complaint in complaints:
        fail(what, complaint)
    if not complaints:
        ok(what)


def tell(what: str) -> None:
    """A figure, or how far it is: neither good nor bad."""
    print(f"     {what}", flush=True)


def not_checked(what: str, why: object) -> None:
    """What this machine does not permit."""
    print(f"NOT CHECKED: {pathlib.Path(sys.argv[0]).name}: {what}: {why}", flush=True)


def end() -> int:
    """Tells how many; the exit status."""
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0
