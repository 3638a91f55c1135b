"""File systems to be filled, aborted and pulled out, in a mount namespace of this program's own: nothing stays mounted.

tmpfs with a size wants a user namespace at least; ext4 in a file on a loop device wants root.
"""

import ctypes
import errno
import fcntl
import os
import pathlib
import random
import struct
import subprocess

from namespace import NotPermitted
from rounds import Disk
from server import Server

refused = None  # why there is no namespace, if there is none

MIB = 1024 * 1024


def run(*command: str) -> str:
    """Runs a tool of the system; its output. Raises `NotPermitted` if it fails or is missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": path}, check=False)
    except FileNotFoundError as error:
        raise NotPermitted(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        raise NotPermitted(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def mount(kind: str, options: str, source: str, target: pathlib.Path) -> None:
    """Mounts in our own namespace, or nowhere."""
    if refused:
        raise refused
    run("mount", "-t", kind, "-o", options, source, str(target))


class Tmpfs:
    """Memory with a size."""

    name = "tmpfs"

    def __init__(self, folder: pathlib.Path, size: int) -> None:
        self.mounted = folder / "tmpfs"
        self.mounted.mkdir()
        mount("tmpfs", f"size={size}", "postern-test", self.mounted)

    def close(self) -> None:
        run("umount", str(self.mounted))


class Ext4:
    """ext4 in a file, as on a card."""

    name = "ext4"

    def __init__(self, folder: pathlib.Path, size: int, options: str = "") -> None:
        self.image = folder / "card.img"
        self.mounted = folder / "card"
        self.mounted.mkdir(exist_ok=True)
        self.options = f"loop,errors=continue{',' + options if options else ''}"
        with self.image.open("wb") as file:
            file.truncate(size)
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        self.mount()

    def mount(self) -> None:
        mount("ext4", self.options, str(self.image), self.mounted)

    def pull_the_plug(self) -> None:
        """From now on nothing gets to the device: what is not there yet is lost, as with the power."""
        folder = os.open(self.mounted, os.O_RDONLY)
        try:
            # Now and then the kernel writes by itself, before it is too late: then parts are there that nobody synced.
            if random.random() < 0.3:
                SYNCFS(folder)
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", random.choice(SHUTDOWN_FLAGS)))
        finally:
            os.close(folder)

    def abort(self) -> None:
        """The file system gives itself up and is read-only, as after an error of its device."""
        run("mount", "-o", "remount,abort", str(self.mounted))

    def immutable(self, state: pathlib.Path, flag: str) -> None:
        """`+i`: nothing in the folder can be written or made, not even through open descriptors; `-i`: as before."""
        run("chattr", flag, *(str(path) for path in (state / "journal", state)))

    def close(self) -> None:
        run("umount", str(self.mounted))


class Card(Disk):
    """A disk that loses, when it crashes, what the file system had not brought to its device."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.card = None
        super().__init__(folder / "card")

    def blank(self) -> None:
        self.close()
        self.card = Ext4(self.folder, 32 * MIB, random.choice(["", "data=writeback", "data=journal", "nodelalloc"]))

    def crash(self, server: Server) -> None:
        # A sync that is under way when ext4 is shut down may be reported as done, and is not (seen on Linux 6.18, without
        # postern). When the power fails nobody hears of that.
        server.unplugged = True
        self.card.pull_the_plug()
        super().crash(server)

    def back(self) -> None:
        self.card.close()
        self.card.mount()

    def close(self) -> None:
        if self.card:
            self.card.close()
            self.card = None


def fill(folder: pathlib.Path) -> pathlib.Path:
    """Takes all the room that is left, to the last block; the file that takes it."""
    filler = folder / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    size = 256 * 1024
    try:
        while size:
            try:
                os.write(descriptor, bytes(size))
                os.fsync(descriptor)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
    finally:
        os.close(descriptor)
    return filler


# What linux/fs.h and ext4.h call so: shut the file system down, its own log written (1) or not (2).
EXT4_IOC_SHUTDOWN = 0x8004587D
SHUTDOWN_FLAGS = [1, 2, 2]
SYNCFS = ctypes.CDLL(None, use_errno=True).syncfs
