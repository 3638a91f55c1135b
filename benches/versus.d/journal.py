"""Revocations for a journal of postern, as `src/journal/format.rs` draws them: faster than by as many logouts."""

import os
import pathlib
import struct
import time
import zlib

RECORD = 28  # bytes of one
LASTS = 7 * 24 * 3600  # seconds until they expire

_MAGIC = b"posternJ"
_SALT_AT = 12
_HEAD = bytes([0xA7, 3, 21])  # of the frame of a FamilyRevoked


def revoke(journal: pathlib.Path, count: int) -> None:
    """Appends the ends of so many logins, of random ids, to a journal that no postern has open."""
    with journal.open("r+b") as file:
        header = file.read(_SALT_AT + 4)
        if not header.startswith(_MAGIC):
            raise OSError(f"{journal} is no journal")
        (salt,) = struct.unpack_from("<I", header, _SALT_AT)
        expires = (int(time.time()) + LASTS).to_bytes(5, "little")
        ids = os.urandom(16 * count)
        frames = bytearray()
        for at in range(0, len(ids), 16):
            frame = _HEAD + ids[at : at + 16] + expires
            frames += frame + zlib.crc32(frame, salt).to_bytes(4, "little")
        file.seek(0, os.SEEK_END)
        file.write(frames)
