"""Those who keep a postern's passwords under way: each logs in all the time, and each login runs bcrypt."""

import contextlib
import json
import threading
from collections.abc import Iterator

from servers import Failed, Running, Site, linked

AT_ONCE = 4
ATTEMPTS = 1000  # wrong passwords from one address, the most that postern can be told to bear


@contextlib.contextmanager
def crowd(site: Site, server: Running) -> Iterator[list[int]]:
    """
    So many clients, each at an address of its own; how many answers each has had. A password that was right is recognised
    for minutes, and one that is being checked is not checked twice, so each is wrong and none comes again. The server is to
    allow ATTEMPTS of them.
    """
    over = threading.Event()
    answered = [0] * AT_ONCE
    wrong: list[Exception] = []

    def client(number: int) -> None:
        try:
            with linked(site, server.port, source=f"127.0.0.{number + 2}") as link:
                for attempt in range(ATTEMPTS - 1):
                    body = json.dumps({"username": "admin", "password": f"{number}: not {attempt}"})
                    link.ask("POST", "/api/auth/login", body=body, status=401)
                    answered[number] += 1
                    if over.is_set():
                        return
            raise Failed(f"{ATTEMPTS} wrong passwords from one address are over: take fewer --seconds")
        except (Failed, OSError) as error:
            wrong.append(error)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(AT_ONCE)]
    for thread in clients:
        thread.start()
    try:
        yield answered
    finally:
        over.set()
        for thread in clients:
            thread.join()
    if wrong:
        raise Failed(f"a login of the crowd: {wrong[0]}")
