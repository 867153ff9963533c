"""Known answers: every row has an example that it fits and no row above it; and every report says what to do."""

from __future__ import annotations

import re
import time

import pytest

from pymaild.message.dsn import Action
from pymaild.outbound.answers import explain
from pymaild.outbound.answers_known import KNOWN, find
from pymaild.outbound.job import Kind, Result

GOOGLE = "gmail-smtp-in.l.google.com"
MICROSOFT = "example-com.mail.protection.outlook.com"
YAHOO = "mta5.am0.yahoodns.net"
APPLE = "mx01.mail.icloud.com"
GMX = "mx00.gmx.net"
ELSE = "mx.example.net"

EXAMPLES = {
    "gmail-unauthenticated": (GOOGLE, "550 5.7.26 This mail has been blocked because the sender is unauthenticated."),
    "gmail-no-ptr": (GOOGLE, "550 5.7.25 The IP address sending this message does not have a PTR record setup"),
    "gmail-spf-dkim-rate": (GOOGLE, "421 4.7.27 Your email has been rate limited because SPF did not pass"),
    "gmail-tls": (GOOGLE, "421 4.7.29 This message was not sent over a TLS connection"),
    "gmail-rate-ip": (GOOGLE, "421 4.7.28 Our system has detected an unusual rate of unsolicited mail from your address"),
    "gmail-reputation": (GOOGLE, "550 5.7.1 The message is likely suspicious due to the very low reputation of the domain"),
    "gmail-receiving-rate": (GOOGLE, "450 4.2.1 The user is receiving mail at a rate that prevents more"),
    "gmail-full": (GOOGLE, "552 5.2.2 The recipient's inbox is out of storage space"),
    "gmail-disabled": (GOOGLE, "550 5.2.1 The email account that you tried to reach is disabled"),
    "gmail-unknown": (GOOGLE, "550 5.1.1 The email account that you tried to reach does not exist"),
    "gmail-content": (GOOGLE, "552 5.7.0 This message was blocked: its content presents a potential security issue"),
    "gmail-rfc": (GOOGLE, "550 5.7.1 This message is not RFC 5322 compliant: multiple Subject fields"),
    "gmail-group": (GOOGLE, "550 5.7.3 The group you tried to contact may not exist"),
    "microsoft-listed": (MICROSOFT, "550 5.7.1 Messages from [192.0.2.1] weren't sent; part of their network is on our block list (S3150)"),
    "microsoft-banned": (MICROSOFT, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]"),
    "microsoft-spamhaus": (MICROSOFT, "550 5.7.1 Service unavailable, client host [192.0.2.1] blocked using Spamhaus"),
    "microsoft-authentication": (MICROSOFT, "550 5.7.515 Access denied, sending domain does not meet the required authentication level"),
    "microsoft-reputation": (MICROSOFT, "451 4.7.650 The mail server has been temporarily rate limited due to IP reputation"),
    "microsoft-full": (MICROSOFT, "554 5.2.122 The recipient has exceeded their limit"),
    "microsoft-unknown": (MICROSOFT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    "microsoft-restricted": (MICROSOFT, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup"),
    "microsoft-disabled": (MICROSOFT, "550 5.2.1 The mailbox has been disabled"),
    "microsoft-large": (MICROSOFT, "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient"),
    "microsoft-spam": (MICROSOFT, "550 5.0.0 SC-001 Unfortunately the message was not sent"),
    "yahoo-complaints": (YAHOO, "421 4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume or user complaints"),
    "yahoo-policy": (YAHOO, "554 5.7.9 Message not accepted for policy reasons"),
    "yahoo-blocked": (YAHOO, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1"),
    "yahoo-unknown": (YAHOO, "554 5.0.0 delivery error: dd This user doesn't have a yahoo.example account"),
    "yahoo-disabled": (YAHOO, "554 5.7.1 dd Not a valid recipient: mailbox is disabled"),
    "apple-local-policy": (APPLE, "550 5.7.1 [HM08] Message rejected due to local policy"),
    "apple-full": (APPLE, "552 5.2.2 user is over quota"),
    "apple-unknown": (APPLE, "550 5.1.1 unknown or illegal alias"),
    "apple-connections": (APPLE, "554 5.0.0 ESMTP not accepting connections"),
    "united-no-ptr": (GMX, "554 5.0.0 No SMTP service: Bad DNS PTR resource record"),
    "united-listed": (GMX, "554 5.0.0 No SMTP service: IP address is black listed"),
    "united-policy": (GMX, "554 5.0.0 Transaction failed. Reject due to policy restrictions"),
    "t-online-contact": ("mx00.t-online.de", "554 5.0.0 A problem occurred. (Ask your postmaster for help) (BL)"),
    "comcast-blocked": ("mx1.comcast.net", "554 5.7.1 BL000010 Comcast block for spam"),
    "comcast-no-ptr": ("mx1.comcast.net", "421 4.0.0 Reverse DNS failure"),
    "orange-refused": ("smtp-in.orange.fr", "550 5.2.0 Mail rejete. OFR_506"),
    "proofpoint-listed": ("mxa-1.gslb.pphosted.com", "554 5.0.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1"),
    "mimecast-listed": ("eu-smtp-inbound-1.mimecast.com", "554 5.0.0 Host network not allowed"),
    "mimecast-policy": ("eu-smtp-inbound-1.mimecast.com", "554 5.0.0 email rejected due to security policies"),
    "mimecast-greylisted": ("eu-smtp-inbound-1.mimecast.com", "451 4.0.0 Internal resources are temporarily unavailable"),
    "barracuda-filter": ("d1.ess.barracudanetworks.com", "550 5.7.1 permanently rejected"),
    "spamhaus-pbl": (ELSE, "554 5.7.1 blocked by zen.example, see spamhaus.org/query/ip/192.0.2.1 (PBL)"),
    "spamhaus": (ELSE, "554 5.7.1 Client host [192.0.2.1] blocked using sbl.spamhaus.org"),
    "barracuda": (ELSE, "554 5.7.1 Client host blocked using b.barracudacentral.org"),
    "spamcop": (ELSE, "554 5.7.1 Client host blocked using bl.spamcop.net"),
    "sorbs": (ELSE, "554 5.7.1 Client host blocked using dnsbl.sorbs.net"),
    "uceprotect": (ELSE, "554 5.7.1 blocked using dnsbl-3.uceprotect.net"),
    "abusix": (ELSE, "554 5.7.1 blocked using combined.mail.abusix.zone"),
    "cloudmark": (ELSE, "550 5.7.1 see http://csi.cloudmark.com/reset-request"),
    "other-list": (ELSE, "554 5.7.1 Client host [192.0.2.1] blocked using list.example.net"),
    "no-ptr": (ELSE, "450 4.7.1 Client host rejected: cannot find your reverse hostname"),
    "helo": (ELSE, "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname"),
    "dmarc": (ELSE, "550 5.7.1 rejected by DMARC policy for example.org"),
    "spf": (ELSE, "550 5.7.23 SPF check failed"),
    "dkim": (ELSE, "550 5.7.20 No passing DKIM signature found"),
    "tls-required": (ELSE, "530 5.7.0 Must issue a STARTTLS command first"),
    "relaying": (ELSE, "554 5.7.1 Relay access denied"),
    "sender-verify": (ELSE, "550 5.0.0 Sender verify failed"),
    "sender-refused": (ELSE, "553 5.1.8 Sender address rejected: Domain not found"),
    "quota": (ELSE, "552 5.2.2 Mailbox full"),
    "disabled": (ELSE, "550 5.2.1 This mailbox has been disabled"),
    "moved": (ELSE, "551 5.1.6 She has moved elsewhere"),
    "members-only": (ELSE, "550 5.7.2 You are not a member of this list"),
    "no-mail": (ELSE, "556 5.1.10 Domain does not accept mail"),
    "unknown-user": (ELSE, "550 5.1.1 No such user"),
    "too-large": (ELSE, "552 5.3.4 Message size exceeds fixed limit"),
    "attachment": (ELSE, "552 5.7.1 Attachment type not allowed (.exe)"),
    "virus": (ELSE, "554 5.7.1 Virus found"),
    "links": (ELSE, "554 5.7.1 A link of yours is in URIBL black"),
    "spam": (ELSE, "554 5.7.1 This looks like spam"),
    "eight-bit": (ELSE, "553 5.6.7 SMTPUTF8 is needed"),
    "greylisted": (ELSE, "450 4.2.0 Greylisted, see the documentation"),
    "loop": (ELSE, "554 5.4.6 Too many hops"),
    "rate": (ELSE, "421 4.7.0 Too many connections from your host"),
    "disk": (ELSE, "452 4.3.1 Insufficient system storage"),
    "timeout": (ELSE, "421 4.4.2 Timed out"),
    "policy": (ELSE, "550 5.7.1 Administrative prohibition"),
}  # fmt: skip


def result(host: str, said: str) -> Result:
    code, status, text = said.split(" ", 2)
    return Result(Kind.FAILED, status, text, int(code), host)


def test_there_is_an_example_for_every_row() -> None:
    assert list(EXAMPLES) == [row.name for row in KNOWN]
    assert len(KNOWN) >= 60


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_row_fits_its_example_and_none_above_does(name: str) -> None:
    found = find(*EXAMPLES[name])
    assert found is not None and found.name == name


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: row.name)
def test_a_row_is_two_sentences(row: object) -> None:
    told = explain("bob@example.net", result(*EXAMPLES[row.name]), Action.FAILED)  # type: ignore[attr-defined]
    for sentence in (told.what, told.advice):
        assert re.fullmatch(r"[\"A-Zb].*\.", sentence) and "{" not in sentence and len(sentence) < 240


def test_a_provider_is_known_by_the_name_of_its_server() -> None:
    said = EXAMPLES["gmail-unknown"][1]
    assert "Google" in explain("bob@example.net", result(GOOGLE, said), Action.FAILED).what
    assert explain("bob@example.net", result(ELSE, said), Action.FAILED).what == "bob@example.net does not exist there."
    assert "Google" not in explain("a@b.example", result("google.com.example.net", said), Action.FAILED).what


def test_words_of_our_own_go_by_their_status() -> None:
    ours = Result(Kind.FAILED, "5.4.1", "user unknown? no: nobody answers")
    assert "does not answer" in explain("bob@example.net", ours, Action.FAILED).what
    unknown = Result(Kind.FAILED, "5.9.9", "xyzzy", 599, ELSE)
    assert "did not take" in explain("bob@example.net", unknown, Action.FAILED).what


def test_an_address_with_braces_is_an_address() -> None:
    told = explain("{0}{to}@example.net", result(ELSE, "550 5.1.1 No such user"), Action.FAILED)
    assert told.what == "{0}{to}@example.net does not exist there."


@pytest.mark.parametrize("piece", ["user ", "a", "5.7.1 ", "full mailbox ", "attachment ", "dmarc"[:4]])
def test_a_long_answer_takes_no_time(piece: str) -> None:
    start = time.process_time()
    explain("bob@example.net", Result(Kind.FAILED, "5.0.0", piece * 20000, 550, ELSE), Action.FAILED)
    assert time.process_time() - start < 1
