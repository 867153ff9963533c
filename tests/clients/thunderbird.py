"""Thunderbird without a window, driven from inside through Marionette, Mozilla's remote control: JSON over a local socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.server import HOST, Server, free_ports, needs, wait_for

PATIENCE = 240.0

# What the scripts share: the account's server, its inbox, waiting for a URL (an IMAP command, in Thunderbird's words) to end.
_PRELUDE = """\
const [input, done] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts[0].incomingServer;
const ended = start => new Promise(resolve => start({
  OnStartRunningUrl() {}, OnStopRunningUrl(_url, status) { resolve(status); },
  QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]) }));
const until = async (what, condition) => {
  for (let tries = 0; tries < 2000; tries++) {
    const found = condition();
    if (found) return found;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error("waited in vain: " + what);
};
const all = folder => [folder, ...folder.subFolders.flatMap(all)];
const named = name => until(name, () => all(server.rootFolder).find(folder => folder.localizedName == name || folder.name == name));
const update = async folder => {
  folder.QueryInterface(Ci.nsIMsgImapMailFolder);
  if (await ended(listener => folder.updateFolderWithListener(null, listener))) throw new Error("update failed");
};
"""

_LOG_IN = """
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
login.init("imap://" + input.host, null, "imap://" + input.host, input.user, input.password, "", "");
if (!(await Services.logins.getAllLogins()).length) await Services.logins.addLoginAsync(login);
server.password = input.password;
server.performExpand(null);
await named("INBOX");
"""

_LOOK = """
const folder = await named(input.folder);
await update(folder);
const found = { messages: [], folders: all(server.rootFolder).map(each => each.localizedName) };
for (const header of folder.msgDatabase.enumerateMessages())
  found.messages.push([header.messageKey, header.isRead, header.isFlagged]);
return found;
"""

_FLAG = """
const folder = await named(input.folder);
folder.markMessagesFlagged(input.uids.map(uid => folder.GetMessageHeader(uid)), true);
"""


@dataclass
class Seen:
    """What Thunderbird knows of a folder: uid -> read, flagged; and the names of all folders."""

    messages: dict[int, tuple[bool, bool]]
    folders: list[str]


class Thunderbird:
    """One run of the program."""

    def __init__(self, port: int) -> None:
        wait_for("Thunderbird can be controlled", lambda: self._connect(port), PATIENCE)
        self._count = 0
        self._read()
        self._call("WebDriver:NewSession", capabilities={})
        self._call("Marionette:SetContext", value="chrome")
        self._call("WebDriver:SetTimeouts", script=int(PATIENCE * 1000))

    def _connect(self, port: int) -> bool:
        with contextlib.suppress(OSError):
            self._socket = socket.create_connection((HOST, port), PATIENCE)
            self._file = self._socket.makefile("rb")
            return True
        return False

    def _read(self) -> Any:
        """A packet: its length, a colon, JSON."""
        digits = b""
        while (octet := self._file.read(1)) != b":":
            assert octet, "Thunderbird has gone"
            digits += octet
        return json.loads(self._file.read(int(digits)))

    def _call(self, command: str, **parameters: object) -> Any:
        self._count += 1
        packet = json.dumps([0, self._count, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(packet), packet))
        _, _, error, result = self._read()
        assert not error, error
        return result

    def run(self, script: str, **given: object) -> Any:
        """Run JavaScript inside."""
        code = f"{_PRELUDE}(async () => {{{script}}})().then(value => done({{value}}), error => done({{error: String(error)}}));"
        answer = self._call("WebDriver:ExecuteAsyncScript", script=code, args=[given])["value"]
        assert "error" not in answer, answer
        return answer.get("value")

    def log_in(self, user: str, password: str) -> None:
        self.run(_LOG_IN, host=HOST, user=user, password=password)

    def look(self, folder: str) -> Seen:
        """Open a folder and bring it up to date."""
        found = self.run(_LOOK, folder=folder)
        return Seen({uid: (read, flagged) for uid, read, flagged in found["messages"]}, found["folders"])

    def flag(self, folder: str, uids: list[int]) -> None:
        self.run(_FLAG, folder=folder, uids=uids)

    def close(self) -> None:
        with contextlib.suppress(OSError, AssertionError, ValueError):
            self._call("Marionette:Quit", flags=["eForceQuit"])
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def thunderbird(server: Server, user: str, folder: Path, log: Path) -> Iterator[Thunderbird]:
    """Thunderbird on an account, with its profile in a folder; what it says to the server is in `log` when it has ended."""
    (port,) = free_ports(1)
    (folder / "user.js").write_text(
        "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in _preferences(server, user, port).items())
    )
    environment = os.environ | {"HOME": str(folder), "MOZ_LOG": "IMAP:4", "MOZ_LOG_FILE": str(log), "MOZ_HEADLESS": "1"}
    words = [
        needs("thunderbird"),
        "--headless",
        "--marionette",
        "--remote-allow-system-access",
        "--no-remote",
        "--profile",
        str(folder),
    ]
    with open(folder / "output", "ab") as output:
        process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        one = Thunderbird(port)
        try:
            yield one
        finally:
            one.close()
            process.wait(60)
    finally:
        process.kill()
        process.wait()


def _preferences(server: Server, user: str, port: int) -> dict[str, object]:
    """An account as the dialogue would make it, with CONDSTORE switched on and nothing that asks or phones home."""
    account = {
        "type": "imap", "hostname": HOST, "port": server.ports["imap"], "userName": user, "name": "test", "socketType": 0,
        "authMethod": 3, "use_condstore": True, "offline_download": False, "autosync_offline_stores": False,
    }  # fmt: skip
    return {
        **{f"mail.server.server1.{name}": value for name, value in account.items()},
        "mail.accountmanager.accounts": "account1",
        "mail.account.account1.server": "server1",
        "mail.account.account1.identities": "id1",
        "mail.identity.id1.useremail": user,
        "mail.identity.id1.valid": True,
        "mail.provider.suppress_dialog_on_startup": True,
        "mail.shell.checkDefaultClient": False,
        "mailnews.start_page.enabled": False,
        "marionette.port": port,
        "network.proxy.type": 0,
        "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
    }


def sent(log: Path) -> list[str]:
    """The commands in Thunderbird's log, without tags."""
    text = Path(f"{log}.moz_log").read_text("utf-8", "replace")
    return re.findall(r":SendData: \d+ (.*)", text)


def received(log: Path) -> list[str]:
    """The lines of the server in Thunderbird's log."""
    text = Path(f"{log}.moz_log").read_text("utf-8", "replace")
    return re.findall(r"CreateNewLineFromSocket: (.*)", text)
