"""The state folder on a file system that turns read-only under the server.

Two ways, both on ext4. `chattr +i` on the journal and its folder refuses every write, through descriptors that are open
already too, and can be taken back: so it shows the way back as well. `mount -o remount,abort` is what ext4 does to itself
when its device fails; from that it comes back only by being mounted anew. In the very moment of it Linux (6.18) may report
one sync as done that is not: no program can tell, so what is answered just then is in doubt. (`mount -o remount,ro` would be the plain way,
but is refused while anybody has a file open for writing.)
"""

import pathlib
import time

from board import started
from full import again
from mounts import MIB, Ext4, run
from outage import TO_HEAL, check_ended, examine, heals, run_into, seconds_to_heal
from record import Record
from server import DidNotStart, Server, first_password
from steps import tell


def check(binary: str, folder: pathlib.Path) -> list[str]:
    """Complaints. Raises `NotPermitted` where nothing may be mounted."""
    complaints = []
    for scenario in (immutable, aborted, mounted_anew):
        card = Ext4(folder, 16 * MIB)
        server = started(binary, card.mounted / "state")
        record = Record("")
        try:
            server.ready()
            record = Record(first_password(server.state))
            told, server = scenario(binary, card, record, server)
            if not record.complaints:
                tell(f"read-only, {scenario.__name__.replace('_', ' ')}: {record.checked:,} checks; {told}")
        except DidNotStart as error:
            record.complain(f"did not start: {error}")
        finally:
            server.end()
            card.close()
        complaints += [f"read-only, {scenario.__name__}: {complaint}" for complaint in record.complaints]
    return complaints


def immutable(binary: str, card: Ext4, record: Record, server: Server) -> tuple[str, Server]:
    """It turns read-only and back, and the server with it."""
    try:
        run_into(record, server, lambda: card.immutable(server.state, "+i"))
        examine(record, server)
    finally:
        card.immutable(server.state, "-i")
    seconds = heals(record, server)
    server = again(binary, server)
    record.check(server, thorough=True)
    return f"ready again {seconds:.1f} s after it was writable", server


def aborted(binary: str, card: Ext4, record: Record, server: Server) -> tuple[str, Server]:
    """It gives itself up. What was answered before is there when it is mounted again."""
    run_into(record, server, card.abort, lies=True)
    examine(record, server)
    time.sleep(1.5)  # for a second try of the journal, which must fail as well
    examine(record, server)
    check_ended(record, server)
    server.end()
    refused = said_at_start(binary, server.state)
    card.close()
    card.mount()
    server = started(binary, server.state).ready()
    record.check(server, thorough=True)
    return refused, server


def mounted_anew(binary: str, card: Ext4, record: Record, server: Server) -> tuple[str, Server]:
    """As before, but it is mounted again in the same place under the running server, which may come back or not."""
    run_into(record, server, card.abort, lies=True)
    examine(record, server)
    run("umount", "--lazy", str(card.mounted))
    card.mount()
    seconds = seconds_to_heal(record, server)
    if seconds is None:
        told = f"still 503 {TO_HEAL} s after it was mounted anew: it wants a restart"
    else:
        # Then all that it says from now on has to be on the new one.
        answer = server.client().login(record.passwords.texts[record.passwords.sure])
        ended = server.client().logout(answer.body["access_token"])
        record.expect(ended.status == 200, f"ready again, but a logout was answered {ended}")
        told = f"ready again {seconds:.1f} s after it was mounted anew"
    server.end()
    card.close()
    card.mount()
    server = started(binary, server.state).ready()
    record.check(server, thorough=True)
    return told, server


def said_at_start(binary: str, state: pathlib.Path) -> str:
    """What a server says that is to start where nothing can be written."""
    server = started(binary, state)
    try:
        server.ready()
        return "a start on it succeeds"
    except DidNotStart as error:
        return f"a start on it fails: {str(error).strip().splitlines()[-1]}"
    finally:
        server.end()
