"""Reports that come in: tied to what was really sent, shown on its copy, learned from; and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.envelope import Address, Client, Envelope, Recipient
from pymaild.events import Event
from pymaild.imap.describe import describe
from pymaild.mailstore import SpecialUse, Upload
from pymaild.outbound.job import Order
from pymaild.outbound.queue import Queue
from pymaild.outbound.returned import Returned
from pymaild.store import Stores

ANN = "ann@example.org"
SENT = b"From: ann@example.org\r\nMessage-ID: <m1@example.org>\r\nSubject: hi\r\n\r\nhello\r\n"


def report(
    action: str = "failed", status: str = "5.1.1", about: str = "<m1@example.org>", to: str = "bob@example.net"
) -> bytes:
    return (
        "From: mailer-daemon@example.net\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        f"Final-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 no such user\r\n"
        f"\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {about}\r\n\r\n--b--\r\n"
    ).encode()


class House:
    """An account that sent one message to bob, and keeps a copy."""

    def __init__(self, folder: Path) -> None:
        self.queue = Queue(folder / "queue")
        self.stores = Stores(folder, describe)
        self.stores.create_account(ANN)
        self.events: list[Event] = []
        self.returned = Returned(lambda: self.queue, self.stores, self)
        sent = Envelope(Client("s1", "127.0.0.1", account=ANN), Address("ann", "example.org"), message_id="q1")
        routes = [(Recipient(Address("bob", "example.net")), "example.net")]
        self.queue.add(sent, routes, io.BytesIO(SENT), Order(ANN, written_as="<m1@example.org>"))
        account = self.stores(ANN)
        self.mailbox = account.open(account.special(SpecialUse.SENT))
        for text in (SENT, SENT.replace(b"m1@", b"m2@")):
            self.mailbox.append_all([Upload(io.BytesIO(text))])

    def record(self, event: Event) -> None:
        self.events.append(event)

    def told(self, message: bytes, account: str = ANN) -> None:
        self.returned.arrived(account, message)
        self.returned.close()
        self.mailbox.refresh()

    @property
    def marks(self) -> list[set[str]]:
        return [set(row.keywords) for row in self.mailbox.rows()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.queue.close()


def test_a_bounce_is_shown_on_its_message_and_learned_from(house: House) -> None:
    house.told(report())
    assert house.marks == [{"$Bounced"}, set()]
    (event,) = house.events
    assert (event.message_id, event.what) == ("q1", "bounced")
    assert event.details == {
        "account": ANN, "recipient": "bob@example.net", "status": "5.1.1", "cause": "user-unknown", "text": "550 no such user",
    }  # fmt: skip
    assert [row.address for row in house.queue.suppressions(ANN)] == ["bob@example.net"]


def test_a_report_of_success_and_one_of_delay(house: House) -> None:
    house.told(report("delivered", "2.0.0"))
    house.told(report("delayed", "4.4.1"))
    assert house.marks == [{"$Delivered"}, set()] and not house.queue.suppressions()
    assert [event.what for event in house.events] == ["confirmed", "slow"]


@pytest.mark.parametrize("message", [report(about="<other@example.org>"), b"Subject: hi\r\n\r\nhello\r\n", b""])
def test_what_speaks_of_nothing_we_sent_does_nothing(house: House, message: bytes) -> None:
    house.told(message)
    assert house.marks == [set(), set()] and not house.events and not house.queue.suppressions()


def test_somebody_elses_message_is_not_touched(house: House) -> None:
    house.told(report(), account="sue@example.org")
    assert house.marks == [set(), set()] and not house.events


def test_an_address_that_was_never_written_to_is_not_listed(house: House) -> None:
    house.told(report(to="eve@example.net"))
    assert not house.queue.suppressions() and house.marks[0] == {"$Bounced"}


def test_a_full_mailbox_is_no_reason_to_give_up_on_somebody(house: House) -> None:
    house.told(report(status="5.2.2").replace(b"no such user", b"mailbox full"))
    assert not house.queue.suppressions() and house.events[0].details["cause"] == "mailbox-full"


def test_a_flood_of_reports_is_let_go(house: House) -> None:
    for _ in range(1000):
        house.returned.arrived(ANN, report())
    house.returned.close()
    assert 1 <= len(house.events) <= 1000
