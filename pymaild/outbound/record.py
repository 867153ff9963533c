"""How the queue writes down jobs, recipients and results: values to columns and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pymaild.envelope import Address, Envelope, Recipient
from pymaild.outbound.job import Addressee, Job, Kind, Result

JOB: Final = "id, account, reverse_path, size, created, options, outbox"
ADDRESSEE: Final = "address, notify, orcpt, route, attempts, next_try, last, delay_told, number"


def job(row: Sequence[Any], folder: Path, addressees: list[Addressee]) -> Job:
    """The columns JOB as a job."""
    id, account, reverse_path, size, created, options, outbox = row
    sender = None if reverse_path is None else _address(reverse_path)
    return Job(id, account, sender, addressees, folder / id, size, created, outbox=outbox, **json.loads(options))


def addressee(row: Sequence[Any]) -> Addressee:
    """The columns ADDRESSEE as an addressee."""
    address, notify, orcpt, route, attempts, next_try, last, delay_told, number = row
    recipient = Recipient(_address(address), frozenset(notify.split(",")) - {""}, orcpt)
    return Addressee(recipient, route, attempts, next_try, _result(last), bool(delay_told), number)


def of_options(envelope: Envelope, require_tls: bool, details: Mapping[str, str]) -> str:
    """What a Job has besides its own columns."""
    return json.dumps(
        {
            "body": envelope.body,
            "smtputf8": envelope.smtputf8,
            "require_tls": require_tls,
            "ret": envelope.ret,
            "envid": envelope.envid,
            "details": dict(details),
        },
        ensure_ascii=False,
    )


def of_path(address: Address | None) -> str | None:
    """A reverse-path; None: the null one."""
    return None if address is None else _of_address(address)


def of_recipient(recipient: Recipient) -> tuple[str, str, str]:
    """Address, notify, orcpt."""
    return _of_address(recipient.address), ",".join(sorted(recipient.notify)), recipient.orcpt


def of_result(result: Result) -> str:
    """The last result of a recipient."""
    return json.dumps({**asdict(result), "kind": result.kind.value}, ensure_ascii=False)


def _result(text: str) -> Result | None:
    if not text:
        return None
    found = json.loads(text)
    return Result(**{**found, "kind": Kind(found["kind"])})


def _of_address(address: Address) -> str:
    """Domain last: it has no "@", whatever a quoted local part has."""
    return f"{address.local_part}@{address.domain}"


def _address(text: str) -> Address:
    local_part, _, domain = text.rpartition("@")
    return Address(local_part, domain)
