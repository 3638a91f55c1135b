"""A script once more, in namespaces of its own, where it may mount and have what addresses it likes."""

import os
import subprocess
import sys

# Set in the copy of the script that runs inside.
INSIDE = "POSTERN_TEST_INSIDE"


class NotPermitted(Exception):
    """This machine does not let us; holds what it said."""


def enter(*namespaces: str, first: str = "true") -> int | None:
    """Runs this script once more, under unshare(1) with these options; its exit status. None: this is that run. `first`: a
    command that must be possible there."""
    if os.environ.get(INSIDE):
        return None
    said = ""
    # Also root may not everywhere, but as root of a user namespace.
    for mapped in [[], ["--map-root-user"]][os.geteuid() != 0 :]:
        command = ["unshare", *namespaces, *mapped]
        try:
            tried = subprocess.run([*command, *first.split()], capture_output=True, text=True, check=False)
        except FileNotFoundError as missing:
            raise NotPermitted("unshare is not installed") from missing
        if tried.returncode == 0:
            return subprocess.run([*command, sys.executable, *sys.argv], env=os.environ | {INSIDE: "yes"}, check=False).returncode
        said = tried.stderr.strip()
    raise NotPermitted(f"no namespace: {said}")
