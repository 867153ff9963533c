"""Which mail goes into the mailbox at once, which into the queue, and what the client hears."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pymaild.envelope import Address, Client, Envelope, Outcome, Recipient, Role
from pymaild.flow import LocalCourier, Reception, Submission
from pymaild.outbound.job import LOCAL, Addressee, Job, Kind
from pymaild.status import NoSuchUser
from tests.smtp_world import NOW, World

MESSAGE = b"From: ann@example.org\r\nDate: Mon, 21 Sep 2026 13:00:00 +0000\r\nMessage-ID: <1@x>\r\nBcc: x@y\r\n\r\nhi\r\n"


def world(role: Role = Role.MSA, **head: str) -> World:
    return World(head, role)


def submit(world: World, *addresses: str, notify: str = "", **envelope: float) -> list[Outcome]:
    client = Client("s1", "127.0.0.1", role=world.role, account="ann@example.org" if world.role is Role.MSA else "")
    recipients = [Recipient(Address(*address.split("@")), frozenset(filter(None, [notify]))) for address in addresses]
    made = Envelope(client, Address("ann", "example.org"), recipients, message_id="m1", **envelope)  # type: ignore[arg-type]
    policy = (Submission if world.role is Role.MSA else Reception)(world.delivery)
    return policy.message(made, io.BytesIO(MESSAGE))


def queued(world: World) -> list[tuple[str, str]]:
    assert world.outgoing is not None
    return [pair for routes, _, _ in world.outgoing.taken for pair in routes]


def events(world: World) -> list[str]:
    return [event.what for event in world.events]


def test_people_here_at_once_others_through_the_queue() -> None:
    there = world(queue="on")
    outcomes = submit(there, "bob@example.org", "sue@example.net", "tim@example.com")
    assert not any(outcome.error for outcome in outcomes)
    assert list(there.messages) == ["bob"]
    assert queued(there) == [("sue@example.net", "example.net"), ("tim@example.com", "example.com")]
    assert events(there) == ["submitted", "delivered", "queued", "queued"]


def test_what_is_queued_is_mended_as_what_is_delivered() -> None:
    there = world(queue="on")
    submit(there, "sue@example.net")
    assert there.outgoing is not None
    (_, order, message) = there.outgoing.taken[0]
    assert b"Bcc" not in message and message.endswith(b"\r\n\r\nhi\r\n") and order.account == "ann@example.org"


def test_for_later_waits_for_everybody() -> None:
    there = world(queue="on")
    submit(there, "bob@example.org", "sue@example.net", hold_until=NOW + 60)
    assert not there.messages and queued(there) == [("bob@example.org", LOCAL), ("sue@example.net", "example.net")]
    assert there.outgoing is not None and there.outgoing.taken[0][1].not_before == NOW + 60


def test_who_wants_to_hear_of_the_arrival_goes_where_reports_are_made() -> None:
    there = world(queue="on")
    submit(there, "bob@example.org", notify="SUCCESS")
    assert queued(there) == [("bob@example.org", LOCAL)]


def test_who_could_not_have_it_just_now_is_tried_again() -> None:
    there = world(queue="on", delivery="bob=4.2.2")
    outcomes = submit(there, "bob@example.org", "ann@example.org")
    assert not any(outcome.error for outcome in outcomes) and queued(there) == [("bob@example.org", LOCAL)]


def test_our_own_people_hear_of_a_failure_in_a_report() -> None:
    there = world(queue="on", delivery="bob=5.2.2")
    outcomes = submit(there, "bob@example.org", "sue@example.net")
    assert not any(outcome.error for outcome in outcomes)
    assert queued(there) == [("bob@example.org", LOCAL), ("sue@example.net", "example.net")]


def test_nobody_has_it_then_the_client_keeps_it() -> None:
    there = world(queue="on", delivery="bob=4.2.2 ann=4.2.2")
    outcomes = submit(there, "bob@example.org", "ann@example.org")
    assert all(outcome.error for outcome in outcomes) and not queued(there)


def test_a_queue_that_cannot_take_it_is_said_for_those_alone() -> None:
    there = world(queue="4.3.1")
    outcomes = submit(there, "bob@example.org", "sue@example.net")
    assert [outcome.error and outcome.error.status for outcome in outcomes] == [None, "4.3.1"]


@pytest.mark.parametrize(("role", "taken"), [(Role.MX, [("bob@example.org", LOCAL)]), (Role.LMTP, [])])
def test_mail_of_strangers_is_queued_only_for_whom_it_came_late(role: Role, taken: list[tuple[str, str]]) -> None:
    there = world(role, queue="on", delivery="bob=4.2.2")
    outcomes = submit(there, "bob@example.org", "ann@example.org")
    assert queued(there) == taken and bool(outcomes[0].error) is not bool(taken)


def test_a_strangers_mail_that_fails_for_good_is_not_reported_later() -> None:
    there = world(Role.MX, queue="on", delivery="bob=5.2.2")
    outcomes = submit(there, "bob@example.org", "ann@example.org")
    assert outcomes[0].error and not queued(there)


def test_the_local_courier_delivers_and_says_what_came_of_it(tmp_path: Path) -> None:
    there = world(delivery="bob=4.2.2 full=5.2.2")
    path = tmp_path / "m1"
    path.write_bytes(MESSAGE)
    names = ("ann", "bob", "full", "nobody")
    addressees = [Addressee(Recipient(Address(name, "example.org")), LOCAL) for name in names]
    results = LocalCourier(there.delivery).send(Job("m1", "", None, addressees, path, len(MESSAGE), NOW))
    assert [result.kind for result in results] == [Kind.SENT, Kind.DEFERRED, Kind.FAILED, Kind.FAILED]
    assert [result.status for result in results] == ["2.1.5", "4.2.2", "5.2.2", "5.1.1"]
    assert there.messages == {"ann": [MESSAGE]} and events(there) == ["delivered"]


def forward(
    there: World, to: str = "away@example.org", sender: str = "sue@example.net", message: bytes = MESSAGE
) -> Outcome:
    reverse_path = Address(*sender.split("@")) if sender else None
    client = Client("s1", "192.0.2.1", role=Role.MX)
    made = Envelope(client, reverse_path, [Recipient(Address(*to.split("@")))], message_id="m1")
    policy = Reception(there.delivery)
    policy.recipient(made, made.recipients[0].address)
    return policy.message(made, io.BytesIO(message))[0]


def test_an_alias_elsewhere_forwards_with_a_sender_of_ours() -> None:
    there = world(Role.MX, queue="on")
    assert forward(there).error is None
    assert queued(there) == [("ann@elsewhere.example", "elsewhere.example")] and there.outgoing is not None
    assert there.outgoing.senders == [Address("SRS0=x=y=example.net=sue", "example.org")]
    (_, order, message) = there.outgoing.taken[0]
    assert (order.account, order.forwarded) == ("", "away@example.org") and message == MESSAGE


def test_a_sender_of_ours_and_nobody_stay_who_they_are() -> None:
    there = world(Role.MX, queue="on")
    forward(there, sender="ann@example.org")
    forward(there, sender="")
    assert there.outgoing is not None and there.outgoing.senders == [Address("ann", "example.org"), None]


def test_what_was_forwarded_before_goes_no_further() -> None:
    there = world(Role.MX, queue="on")
    outcome = forward(there, message=b"Delivered-To: away@example.org\r\n" + MESSAGE)
    assert outcome.error is not None and outcome.error.status == "5.4.6" and not queued(there)


def test_a_report_comes_back_to_whoever_sent_it_first() -> None:
    there = world(Role.MX, queue="on")
    forward(there, to="SRS0=x=y=example.net=sue@example.org", sender="")
    assert queued(there) == [("sue@example.net", "example.net")]


def test_a_rewritten_address_takes_reports_alone() -> None:
    with pytest.raises(NoSuchUser):
        forward(world(Role.MX, queue="on"), to="SRS0=x=y=example.net=sue@example.org", sender="tim@example.net")


def test_without_a_queue_nothing_is_forwarded() -> None:
    outcome = forward(world(Role.MX))
    assert outcome.error is not None and outcome.error.status == "5.7.1"


def test_what_has_no_sender_is_looked_at_once_it_is_delivered() -> None:
    there = world(Role.MX, queue="on", delivery="bob=4.2.2")
    seen: list[tuple[str, bytes]] = []
    there.delivery.came_back = lambda account, message: seen.append((account, message))
    client = Client("s1", "192.0.2.1", role=Role.MX)
    for sender in (None, Address("eve", "example.net")):
        for name in ("ann", "bob"):
            made = Envelope(client, sender, [Recipient(Address(name, "example.org"))], message_id="m1")
            Reception(there.delivery).message(made, io.BytesIO(MESSAGE))
    assert seen == [("ann@example.org", MESSAGE)]
    there.delivery.report(Address("ann", "example.org"), b"report", "m2")
    assert seen[1:] == [("ann@example.org", b"report")]
