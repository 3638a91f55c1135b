"""The state folder on a file system that fills up."""

import pathlib

from board import started
from mounts import MIB, Ext4, Tmpfs, fill
from outage import check_ended, examine, heals, run_into
from record import Login, Record, State
from server import DidNotStart, Server, first_password
from steps import tell

# Enough logouts to fill what the last block of the journal has left: 4096 / 28 bytes.
SLACK = 200


def check(binary: str, kind: type, folder: pathlib.Path) -> list[str]:
    """Complaints. Raises `NotPermitted` where nothing may be mounted."""
    system = kind(folder, 16 * MIB)
    try:
        return scenario(binary, system)
    finally:
        system.close()


def scenario(binary: str, system: Tmpfs | Ext4) -> list[str]:
    state = system.mounted / "state"
    server = started(binary, state).ready()
    record = Record(first_password(state))
    healed = []
    try:
        # It fills up, and is emptied: everything is durable by itself.
        run_into(record, server, lambda: fill(system.mounted))
        examine(record, server)
        (system.mounted / "filler").unlink()
        healed.append(heals(record, server))
        server = again(binary, server)
        record.check(server, thorough=True)

        # It fills up, and the server starts on it as it is.
        run_into(record, server, lambda: fill(system.mounted))
        examine(record, server)
        server = again(binary, server)
        fill(system.mounted)
        check_ended(record, server)
        record.check_passwords(server, thorough=False)
        # What the first server had in memory only is not what this one will make durable.
        before = record.set_aside()
        until_refused(record, server)
        examine(record, server)
        (system.mounted / "filler").unlink()
        healed.append(heals(record, server))
        record.put_back(before)
        server = again(binary, server)
        record.check(server, thorough=True)
        server.end()
        first_start(binary, record, system)
    except DidNotStart as error:
        record.complain(f"did not start: {error}")
    finally:
        server.end()
    if not record.complaints:
        times = ", ".join(f"{seconds:.1f}" for seconds in healed)
        tell(f"full {system.name}: {record.checked:,} checks; ready again {times} s after there was room")
    return [f"full {system.name}: {complaint}" for complaint in record.complaints]


def again(binary: str, server: Server) -> Server:
    """`kill -9`, and another on the same folder."""
    server.end()
    return started(binary, server.state).ready()


def until_refused(record: Record, server: Server) -> None:
    """A start cuts a torn tail, and so finds a little room: logs out until that is gone too."""
    client = server.client()
    number = record.passwords.sure
    for _ in range(SLACK):
        answer = client.login(record.passwords.texts[number])
        record.expect(answer.status == 200, f"a login on a full file system was answered {answer}")
        login = Login(number, answer.body)
        record.logins.append(login)
        login.state = State.UNKNOWN
        if client.logout(login.access[0]).status == 503:
            break
        login.state = State.OFF
    else:
        record.complain(f"{SLACK} logouts were answered for on a full file system")
    client.close()


def first_start(binary: str, record: Record, system: Tmpfs | Ext4) -> None:
    """Where there is no room for keys, there is no server; nor half a one once there is room."""
    state = system.mounted / "first"
    filler = fill(system.mounted)
    server = started(binary, state)
    try:
        server.ready()
        record.complain("it started without room for its keys")
    except DidNotStart as refused:
        record.expect("No space left" in str(refused) and str(state) in str(refused), f"without room for its keys it said: {refused}")
    finally:
        server.end()
    filler.unlink()
    server = started(binary, state).ready()
    record.expect(server.client().login(first_password(state)).status == 200, "the first start after one without room")
    server.end()
