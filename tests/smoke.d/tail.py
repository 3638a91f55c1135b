#!/usr/bin/env python3
"""A WebSocket client for tests/smoke: prints each message of the log stream as it is, a line each.

Usage: tail.py URL CACERT query|subprotocol|none     (the ticket comes on standard input, so that no `ps` shows it)

It ends by itself when the server closes, with the line `closed CODE`; a refused handshake is `refused STATUS BODY`.
"""

# Not websockets' threaded client: that one reads and writes one TLS session from two threads, and now and then a
# handshake's request never leaves it.
import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

TIMEOUT = 10


async def main() -> None:
    url, cacert, how = sys.argv[1:]
    ticket = sys.stdin.readline().strip()
    protocols = None
    if how == "query":
        url += ("&" if "?" in url else "?") + "token=" + ticket
    elif how == "subprotocol":
        protocols = ["postern.logs", "postern.token." + ticket]
    try:
        client = await connect(
            url,
            ssl=ssl.create_default_context(cafile=cacert),
            subprotocols=protocols,
            open_timeout=TIMEOUT,
            proxy=None,
        )
    except InvalidStatus as refusal:
        body = (refusal.response.body or b"").decode(errors="replace")
        print("refused", refusal.response.status_code, body, flush=True)
        return
    async with client:
        print("open", client.subprotocol, flush=True)
        try:
            async for message in client:
                print(message, flush=True)
        except ConnectionClosed:
            pass
        print("closed", client.close_code, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
