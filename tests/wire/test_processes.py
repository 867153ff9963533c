"""The supervisor and its workers: start, replacement, reload, end. sd_notify(3), sd_listen_fds(3)."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pymaild.cli.keys import certificate
from tests.wire.house import ANN, MESSAGE, Daemon, Peer, client_context, imap, smtp, until, write_config


def test_it_serves_on_free_ports_and_says_which(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        assert {line.split()[1] for line in daemon.lines if line.startswith("listening ")} == {
            "smtp", "submission", "submissions", "imap", "imaps",
        }  # fmt: skip
        with smtp(daemon.port("smtp")) as client:
            client.sendmail("x@example.net", [ANN], MESSAGE)
        reader = imap(daemon.port("imap"))
        assert reader.select()[1] == [b"1"]
        reader.logout()


def test_a_dead_worker_is_replaced(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        worker = daemon.children()[0]
        os.kill(worker, signal.SIGKILL)
        until(lambda: daemon.logged("died"))
        until(lambda: worker not in daemon.children() and len(daemon.children()) == 2)
        with smtp(daemon.port("smtp")) as client:
            client.sendmail("x@example.net", [ANN], MESSAGE)


def test_a_worker_that_was_stopped_for_a_while_goes_on(tmp_path: Path) -> None:
    """A tracer, a debugger or a suspended machine interrupts the wait for signals past its end."""
    with Daemon(write_config(tmp_path)) as daemon:
        children = daemon.children()
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.2)  # longer than a child waits for a signal at a time
        for pid in children:
            os.kill(pid, signal.SIGCONT)
        with smtp(daemon.port("smtp")) as client:
            client.sendmail("x@example.net", [ANN], MESSAGE)
        time.sleep(0.2)  # a child that fell over would be on its way out by now
        assert daemon.children() == children
        assert not daemon.logged("traceback")


def test_sigterm_lets_a_message_finish_and_says_farewell_to_the_idle(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        sender, idler = Peer(daemon.port("smtp")), Peer(daemon.port("imap"))
        sender.reply()
        for command in (b"EHLO x.example", b"MAIL FROM:<a@example.net>", b"RCPT TO:<ann@example.org>", b"DATA"):
            sender.command(command)
        sender.say(MESSAGE)
        idler.line()
        daemon.signal(signal.SIGTERM)
        assert idler.rest().startswith(b"* BYE ")
        until(lambda: refused(daemon.port("smtp")))
        assert sender.command(b".").startswith(b"250 ")
        assert sender.rest().startswith(b"421 ")
        assert daemon.wait() == 0


def refused(port: int) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_sigint_ends_at_once(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        sender = Peer(daemon.port("smtp"))
        sender.reply()
        for command in (b"EHLO x.example", b"MAIL FROM:<a@example.net>", b"RCPT TO:<ann@example.org>", b"DATA"):
            sender.command(command)
        began = time.monotonic()
        daemon.signal(signal.SIGINT)
        assert daemon.wait() == 0
        assert time.monotonic() - began < 6


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        children = daemon.children()
        daemon.signal(signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in children), 15)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_sighup_takes_a_renewed_certificate_without_losing_a_connection(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        old = peer_certificate(daemon.port("imaps"))
        with Peer(daemon.port("imaps"), tls=True) as peer:
            peer.line()
            tls = tmp_path / "data" / "tls"
            for file in ("certificate.pem", "key.pem"):
                (tls / file).unlink()
            certificate(tls / "certificate.pem", tls / "key.pem", ("renewed.example.org",))
            daemon.signal(signal.SIGHUP)
            until(lambda: peer_certificate(daemon.port("imaps")) != old)
            assert peer.imap(b"a NOOP").startswith(b"a OK")


def test_a_bad_certificate_changes_nothing(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        old = peer_certificate(daemon.port("imaps"))
        (tmp_path / "data" / "tls" / "certificate.pem").write_text("this is no certificate")
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.logged("reload_failed"))
        assert peer_certificate(daemon.port("imaps")) == old


def peer_certificate(port: int) -> bytes | None:
    with socket.create_connection(("127.0.0.1", port)) as plain, client_context().wrap_socket(plain) as sock:
        return sock.getpeercert(binary_form=True)


def test_old_tls_is_refused(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        context = client_context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", daemon.port("imaps"))) as plain, pytest.raises(OSError):
            context.wrap_socket(plain)


def test_sigusr1_writes_every_stack(tmp_path: Path) -> None:
    with Daemon(write_config(tmp_path)) as daemon:
        daemon.signal(signal.SIGUSR1)
        until(lambda: any("serve_forever" in line for line in daemon.lines))
        assert daemon.process.poll() is None


# ---- systemd


def test_it_tells_systemd(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with Daemon(write_config(tmp_path), env=env) as daemon:
            hears(manager, "READY=1")
            hears(manager, "WATCHDOG=1")
            daemon.signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in hears(manager, "RELOADING=1")
            hears(manager, "READY=1")
            daemon.signal(signal.SIGTERM)
            hears(manager, "STOPPING=1")
            assert daemon.wait() == 0


def hears(manager: socket.socket, state: str) -> str:
    while state not in (text := manager.recv(4096).decode()).split("\n"):
        pass
    return text


def test_it_takes_sockets_from_systemd(tmp_path: Path) -> None:
    """$LISTEN_PID has to be the server's own, so a small program sets it and then becomes the server."""
    listener = socket.create_server(("127.0.0.1", 0))
    become = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
    become += "os.set_inheritable(3, True); os.execv(sys.executable, [sys.executable, '-m', 'pymaild', *sys.argv[2:]])"
    file = write_config(tmp_path, listen="\n" + "\n".join(f"{name} =" for name in (
        "smtp", "submission", "submissions", "imap", "imaps", "lmtp", "http", "https")))  # fmt: skip
    env = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
    fd = listener.fileno()
    port = listener.getsockname()[1]
    with listener, Daemon(file, prefix=("-c", become, str(fd)), env=env, pass_fds=(fd,)), smtp(port) as client:
        assert client.noop()[0] == 250


# ---- what goes wrong at the start


def start(file: Path) -> tuple[int, str]:
    run = [sys.executable, "-m", "pymaild", "-c", str(file), "serve"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = start(write_config(tmp_path, listen=f"\nsmtp = 127.0.0.1:{port}\nhttps =\nimaps =\nsubmissions ="
                                        "\nsubmission =\nimap =\nhttp ="))  # fmt: skip
    assert code == 69
    assert f"127.0.0.1:{port} is in use" in said
    assert "ss -ltnp" in said


def test_a_missing_certificate_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    (tmp_path / "data" / "tls" / "certificate.pem").unlink()
    code, said = start(file)
    assert code == 78
    assert "certificate.pem is missing" in said


def test_a_worker_that_cannot_start_ends_the_server(tmp_path: Path) -> None:
    """A broken installation is an error at once, not a loop of restarts."""
    file = write_config(tmp_path)
    (tmp_path / "data" / "run").write_text("in the way of the folder for the sockets between the processes")
    code, said = start(file)
    assert code == 70
    assert "event=fault" in said


def test_lmtp_on_a_unix_socket(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    leftover = socket.socket(socket.AF_UNIX)
    leftover.bind(str(tmp_path / "lmtp"))
    leftover.close()  # a dead server's socket is in the way: it is replaced
    listen = "\nsmtp =\nsubmission =\nsubmissions =\nimap =\nimaps =\nhttp =\nhttps =\nlmtp = unix:lmtp\n"
    with Daemon(write_config(tmp_path, listen)):
        client = smtplib.LMTP(str(tmp_path / "lmtp"))
        assert client.sendmail("x@example.net", [ANN], MESSAGE) == {}
        client.quit()
