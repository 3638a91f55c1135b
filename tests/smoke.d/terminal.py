"""Runs a command at a terminal of its own: answers `yes` where it is asked, types a line when a password is asked for, presses
Ctrl-C when something is shown.

Usage: terminal.py FILE TEXT COMMAND [WORDS...]

FILE holds the line; TEXT is what Ctrl-C waits for. The screen goes to standard output, then a line that tells whether
the terminal echoed what was typed: after the command, before it, and when the password was asked for. The exit status is
the command's.
"""

import fcntl
import os
import pty
import select
import signal
import sys
import termios
import time


def echo(terminal):
    return "on" if termios.tcgetattr(terminal)[3] & termios.ECHO else "off"


def main():
    typed, wanted, command = sys.argv[1], sys.argv[2].encode(), sys.argv[3:]
    with open(typed, "rb") as file:
        line = file.read()
    # This end is kept open, so that the terminal can be asked about itself after the command has gone.
    control, terminal = pty.openpty()
    before, asked = echo(terminal), "never"
    child = os.fork()
    if child == 0:
        os.close(control)
        login(terminal)
        os.execvp(command[0], command)
    screen, agreed, pressed, deadline = b"", False, False, time.monotonic() + 30
    status = None
    while status is None:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        ready, _, _ = select.select([control], [], [], 0.05)
        if ready:
            screen += os.read(control, 65536)
        else:
            done, result = os.waitpid(child, os.WNOHANG)
            status = os.waitstatus_to_exitcode(result) if done else None
        if b"(yes/no)" in screen and not agreed:
            os.write(control, b"yes\n")
            agreed = True
        if b"Password of" in screen and asked == "never":
            if echo(terminal) == "on":
                continue
            asked = "off"
            if wanted != b"Password of":
                os.write(control, line)
        if wanted in screen and not pressed and (wanted != b"Password of" or asked == "off"):
            os.write(control, b"\x03")
            pressed = True
    sys.stdout.buffer.write(screen)
    print(f"\necho: {echo(terminal)}, before: {before}, at the question: {asked}")
    sys.exit(status if status >= 0 else 128 - status)


def login(terminal):
    """Makes it this process's own terminal, and all that it reads and writes."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(terminal, number)
    os.close(terminal)


main()
