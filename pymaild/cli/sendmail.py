"""pymaild sendmail: takes a message on standard input, with the flags that programs know from sendmail(8)."""

from __future__ import annotations

import getpass
import io
import secrets
import sys
from collections.abc import Sequence
from typing import BinaryIO

from pymaild.assembly import Services, assemble, become
from pymaild.cli.errors import DATA, USAGE, CommandError
from pymaild.cli.parser import Options
from pymaild.envelope import Address, Client, Envelope, Recipient, Role
from pymaild.flow import Submission
from pymaild.message import addresses, fields
from pymaild.status import MailError, NoSuchUser

NO_USER = 67  # sysexits.h
_RECIPIENT_FIELDS = ("to", "cc", "bcc")
_NOTIFY = {"NEVER", "SUCCESS", "FAILURE", "DELAY"}


def sendmail(options: Options) -> int:
    """Send what stands on standard input. An exit code of 0 means: it is in the mailboxes, or in the queue."""
    if "p" in (options.b or ""):
        from pymaild.cli.queue import print_list  # noqa: PLC0415

        return print_list(options)
    message = _read(sys.stdin.buffer, dots=options.i or "i" in (options.o or []))
    header = message[: fields.header_end(message)]
    wanted = [_address(word) for text in options.recipients for word in text.replace(",", " ").split()]
    if options.t:
        wanted += _from_header(header)
    if not wanted:
        raise CommandError(USAGE, "name a recipient, or say -t to take them from To, Cc and Bcc")
    become(options.config)
    services = assemble(options.config)
    try:
        return _submit(services, options, message, header, list(dict.fromkeys(wanted)))
    finally:
        services.close()


def _read(source: BinaryIO, dots: bool) -> bytes:
    """The message with CRLF line ends; a line with only a dot ends it unless -i was said."""
    text = source.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not dots:
        text = (b"\n" + text).partition(b"\n.\n")[0][1:]
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return text.replace(b"\n", b"\r\n")


def _address(text: str) -> Address:
    """A word of the command line; without a domain it is somebody here."""
    local_part, at, domain = text.strip("<>").rpartition("@")
    if not at:
        return Address(domain, "")
    if not local_part or not domain:
        raise CommandError(DATA, f"{text} is no address")
    return Address(local_part, domain.lower())


def _from_header(header: bytes) -> list[Address]:
    entries = [
        entry for name in _RECIPIENT_FIELDS for body in fields.bodies(header, name) for entry in addresses.parse(body)
    ]
    return [addresses.mailbox_address(entry) for entry in entries if entry.domain and not entry.malformed]


def _submit(services: Services, options: Options, message: bytes, header: bytes, wanted: Sequence[Address]) -> int:
    hostname = services.config.server.hostname
    account, sender = _author(services, options, header)
    client = Client(secrets.token_hex(4), "", role=Role.MSA, helo="sendmail", extended=True, account=account)
    envelope = Envelope(client, sender, body="8BITMIME", message_id=secrets.token_hex(6), size=len(message))
    policy = Submission(services.delivery)
    policy.sender(envelope)
    _accept(policy, envelope, [Address(each.local_part, each.domain or hostname) for each in wanted], _notify(options))
    if not fields.bodies(header, "from"):
        name = f'"{options.F}" ' if options.F and options.F.isprintable() and '"' not in options.F else ""
        message = f"From: {name}<{sender}>\r\n".encode() + message
    return _outcome(policy, envelope, message)


def _notify(options: Options) -> frozenset[str]:
    """What -N says. RFC 3461 §4.1."""
    words = [word.upper() for word in (options.N or "").split(",") if word]
    if not set(words) <= _NOTIFY:
        raise CommandError(USAGE, "-N is never, or some of success,failure,delay with commas between")
    return frozenset(words)


def _accept(policy: Submission, envelope: Envelope, wanted: Sequence[Address], notify: frozenset[str]) -> None:
    """All or nothing: whoever called us still has the message."""
    refused = []
    for address in wanted:
        try:
            policy.recipient(envelope, address)
        except MailError as error:
            refused.append(error)
            print(f"pymaild: {address}: {error.text}", file=sys.stderr)
        else:
            envelope.recipients.append(Recipient(address, notify))
            envelope.smtputf8 = envelope.smtputf8 or not address.is_ascii
    if refused:
        unknown = all(isinstance(error, NoSuchUser) for error in refused)
        raise CommandError(NO_USER if unknown else DATA, "nothing was sent")


def _author(services: Services, options: Options, header: bytes) -> tuple[str, Address]:
    """Whose mail it is: -f, else From, else who runs this. Mail of system users counts as the administrator's."""
    if options.f:
        sender = _address(options.f)
    else:
        named = [addresses.mailbox_address(e) for body in fields.bodies(header, "from") for e in addresses.parse(body)]
        sender = named[0] if named else Address(getpass.getuser(), "")
    sender = Address(sender.local_part, sender.domain or services.config.server.hostname)
    try:
        return services.directory.resolve(sender)[0], sender
    except MailError:
        if sender.domain != services.config.server.hostname:
            raise CommandError(DATA, f"{sender} is no address of this server: say another one with -f") from None
    administrator = services.directory.resolve(Address("postmaster", sender.domain))[0]
    local_part, _, domain = administrator.rpartition("@")
    return administrator, Address(local_part, domain)


def _outcome(policy: Submission, envelope: Envelope, message: bytes) -> int:
    outcomes = policy.message(envelope, io.BytesIO(message))
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        print(f"pymaild: {outcome.recipient.address}: {outcome.error.text if outcome.error else ''}", file=sys.stderr)
    if failed and failed[0].error:
        raise failed[0].error
    return 0
