"""sd_notify(3) by hand: tells systemd what state the service is in. Nothing happens without $NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
import time


def notify(**states: object) -> None:
    """Send assignments, such as READY=1, STATUS="serving"."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    text = "\n".join(f"{key}={value}" for key, value in states.items())
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        try:
            sock.sendto(text.encode(), address)
        except OSError:  # nobody there, or nobody who reads: our service does not depend on it
            return


def reloading() -> None:
    """The configuration is read again; READY=1 follows."""
    notify(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)


def watchdog_interval() -> float:
    """Seconds between two signs of life, half of what systemd allows; 0: it wants none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
