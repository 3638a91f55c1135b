"""What no kill can show, since a kill leaves the kernel's memory alone: in which order the binary writes, syncs, answers.

strace watches a server while one client logs out, and while the journal is rewritten. Every answer that needs the
journal must be sent after fdatasync has returned; a rewrite must be create, write, fsync, rename, fsync of the folder,
and only then an answer, or anything more in the new file.
"""

import os
import pathlib
import re
import resource
import shutil
import time

from board import started
from mounts import run
from namespace import NotPermitted
from server import first_password
from steps import tell

LOGOUTS = 10
SETTLED = 1.0  # seconds in which the journal has long written what nobody waits for

CALLS = "openat,write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2"


class Call:
    """One system call: name, all its arguments, and the lines of the trace in which it began and returned."""

    def __init__(self, name: str, arguments: str, began: int) -> None:
        self.name = name
        self.arguments = arguments
        self.began = began
        self.returned = began
        self.result = ""

    def on(self, name: str) -> bool:
        """Whether its descriptor, which strace shows as `5</path>`, is the file of that name."""
        return re.match(rf"\d+<[^>]*/{re.escape(name)}(\(deleted\))?>", self.arguments) is not None

    def writes(self) -> bool:
        return self.name in ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg")

    def answers(self) -> bool:
        """Whether it sends something to a TCP client."""
        return self.writes() and re.match(r"\d+<TCP|\d+<socket", self.arguments) is not None


def parse(trace: str) -> list[Call]:
    """All calls by the line they began in."""
    calls, open_calls = [], {}
    for number, line in enumerate(trace.splitlines()):
        if not (found := re.match(r"(\d+)\s+(.*)", line)):
            continue
        thread, rest = found.groups()
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest):
            call = open_calls.pop(thread, None)
            rest = resumed[1]
        elif begun := re.match(r"(\w+)\((.*)", rest):
            call = Call(begun[1], begun[2].removesuffix(" <unfinished ...>"), number)
            calls.append(call)
            if rest.endswith("<unfinished ...>"):
                open_calls[thread] = call
                continue
        else:
            continue
        if call:
            call.returned = number
            call.result = rest.rpartition(" = ")[2]
    return calls


def watch(binary: str, folder: pathlib.Path) -> tuple[list[Call], int]:
    """A traced server, of which one client asks for logouts, with a rewrite of the journal among them. And from which line on
    each write to the journal is one that somebody waits for."""
    if not shutil.which("strace"):
        raise NotPermitted("strace is not installed")
    run("strace", "-qq", "-e", "trace=none", "true")
    trace = folder / "trace"
    # -D: the server is our child, and strace its grandchild, so that what is ended is the server.
    strace = ["strace", "-D", "-f", "-qq", "-y", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", str(trace)]
    server = started(binary, folder / "state", strace).ready()
    try:
        client = server.client()
        password = first_password(server.state)
        # That this address had a success is written too, once, and nobody waits for it.
        client.login(password)
        time.sleep(SETTLED)
        settled = trace.read_text(errors="replace").count("\n")
        tokens = [client.login(password).body["access_token"] for _ in range(LOGOUTS)]
        # Something that a rewrite can leave out, so that it fits where an append does not.
        for new in ("powercut-password-1", "powercut-password-2"):
            assert client.change(tokens[0], password, new).status == 200
            password = new
        tokens = [client.login(password).body["access_token"] for _ in range(LOGOUTS)]
        for number, token in enumerate(tokens):
            if number == LOGOUTS // 2:
                size = (server.state / "journal").stat().st_size
                resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            answer = client.logout(token)
            assert answer.status == 200, f"logout {number} was answered {answer}"
    finally:
        server.end()
    # strace writes its last lines when the server has ended.
    until = time.monotonic() + 10
    while "+++ killed" not in (text := trace.read_text(errors="replace")) and time.monotonic() < until:
        time.sleep(0.05)
    return parse(text), settled


def faults(calls: list[Call], settled: int) -> tuple[list[str], int, int]:
    """What is wrong with the order, and how many commits and rewrites were looked at."""
    wrong, commits, rewrites = [], 0, 0

    def first(after: int, wanted) -> Call | None:
        return next((call for call in calls if call.began >= after and wanted(call)), None)

    for call in calls:
        if call.writes() and call.on("journal") and not call.result.startswith("-1"):
            commits += 1
            sync = first(call.returned, lambda c: c.name == "fdatasync" and c.on("journal"))
            answer = first(call.began, Call.answers)
            if not sync or sync.result != "0":
                wrong.append(f"line {call.began}: a write to the journal that is not followed by fdatasync")
            elif call.began >= settled and answer and answer.began < sync.returned:
                wrong.append(f"line {answer.began}: an answer before fdatasync has returned in line {sync.returned}")
        if call.name.startswith("rename") and re.search(r'["/]journal\.new"', call.arguments):
            rewrites += 1
            before = [c for c in calls if c.returned <= call.began and c.on("journal.new")]
            synced = [c for c in before if c.name == "fsync" and c.result == "0"]
            written = [c for c in before if c.writes()]
            if not (written and synced and written[-1].returned <= synced[-1].began):
                wrong.append(f"line {call.began}: renamed before all of it was written and synced")
            folder = first(call.returned, lambda c: c.name == "fsync" and c.on("state") and c.result == "0")
            use = first(call.returned, lambda c: c.answers() or (c.writes() and c.on("journal")))
            if not folder:
                wrong.append(f"line {call.began}: the folder is not synced after the rename")
            elif use and use.began < folder.returned:
                wrong.append(f"line {use.began}: the new file is relied on before the folder is synced in line {folder.returned}")
    return wrong, commits, rewrites


def check(binary: str, folder: pathlib.Path) -> list[str]:
    """Complaints about the order. Raises `NotPermitted` where nothing may be traced."""
    wrong, commits, rewrites = faults(*watch(binary, folder))
    if commits < LOGOUTS:
        wrong.append(f"strace saw only {commits} writes to the journal for {LOGOUTS} logouts")
    if rewrites < 2:
        wrong.append(f"strace saw {rewrites} rewrites of the journal, where the first start and a full file make two")
    if not wrong:
        tell(f"order: {commits} commits were synced before they were answered, {rewrites} rewrites in order")
    return wrong
