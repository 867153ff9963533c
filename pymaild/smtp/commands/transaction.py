"""From whom to whom: MAIL, RCPT, RSET. RFC 5321 §3.3, §4.1.1.2, §4.1.1.3, §4.1.1.5."""

from __future__ import annotations

from pymaild.envelope import Address, Envelope, Recipient
from pymaild.smtp import grammar, parameters
from pymaild.smtp.conversation import Conversation, State
from pymaild.smtp.data import too_big
from pymaild.smtp.reply import Refused, Reply


def mail(conversation: Conversation, argument: str) -> Reply:
    """Begin a transaction with its reverse-path, which may be null. RFC 5321 §4.1.1.2."""
    _refuse_stranger(conversation)
    reverse_path, rest = grammar.path(grammar.keyword(argument, "FROM:"), "5.1.7")
    if reverse_path and not reverse_path.domain:
        raise Refused(501, "5.1.7", "The sender address needs a domain: <name@example.org>")
    envelope = Envelope(conversation.client, reverse_path, message_id=conversation.settings.new_id())
    _read_parameters(conversation, envelope, rest)
    if envelope.size > conversation.limits.message_size:
        raise too_big(conversation.limits.message_size)  # RFC 1870 §6.1
    _refuse_unicode(argument, envelope)
    conversation.policy.sender(envelope)  # raises MailError
    conversation.envelope, conversation.state = envelope, State.MAIL
    return Reply(250, "2.1.0", "Sender ok")


def _read_parameters(conversation: Conversation, envelope: Envelope, rest: str) -> None:
    known = parameters.SUBMISSION_PARAMETERS if conversation.may_hold else parameters.MAIL_PARAMETERS
    parameters.apply(known, grammar.parameters(rest), envelope)
    if envelope.require_tls and not conversation.client.tls:
        raise Refused(530, "5.7.10", "REQUIRETLS needs TLS here too: start TLS first")  # RFC 8689 §2.1
    now = conversation.settings.clock()
    if envelope.hold_for:
        envelope.hold_until = now + envelope.hold_for
    if envelope.hold_until > now + conversation.limits.hold:
        raise Refused(
            501, "5.5.4", f"The message may be held for {conversation.limits.hold} seconds at most"
        )  # RFC 4865 §4


def _refuse_stranger(conversation: Conversation) -> None:
    """Submission needs a login. RFC 6409 §4.3, RFC 4954 §6."""
    if conversation.is_submission and not conversation.client.account:
        how = "" if conversation.may_authenticate else "start TLS, then "
        raise Refused(530, "5.7.0", f"Log in first: {how}AUTH")


def _refuse_unicode(argument: str, envelope: Envelope) -> None:
    """An address that is not ASCII needs a sender who says so. RFC 6531 §3.5."""
    if not argument.isascii() and not envelope.smtputf8:
        raise Refused(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8 on the MAIL command")


def rcpt(conversation: Conversation, argument: str) -> Reply:
    """Add one forward-path to the envelope. RFC 5321 §4.1.1.3."""
    envelope = conversation.envelope
    if len(envelope.recipients) >= conversation.limits.recipients:
        raise Refused(452, "4.5.3", "Too many recipients: send the message to these first")  # §4.5.3.1.10
    forward_path, rest = grammar.path(grammar.keyword(argument, "TO:"), "5.1.3")
    recipient = Recipient(_recipient_address(forward_path))
    parameters.apply(parameters.RCPT_PARAMETERS, grammar.parameters(rest), recipient)
    _refuse_unicode(argument, envelope)
    conversation.policy.recipient(envelope, recipient.address)  # raises MailError
    envelope.recipients.append(recipient)
    conversation.state = State.RCPT
    return Reply(250, "2.1.5", "Recipient ok")


def _recipient_address(path: Address | None) -> Address:
    """Somebody somewhere, or <postmaster> in any case, who lives everywhere. RFC 5321 §4.1.1.3."""
    if path is None:
        raise Refused(501, "5.1.3", "A recipient is missing between < and >")
    if path.domain:
        return path
    if path.local_part.lower() != "postmaster":
        raise Refused(501, "5.1.3", "The recipient address needs a domain: <name@example.org>")
    return Address("postmaster", "")


def rset(conversation: Conversation, _argument: str) -> Reply:
    """Forget the transaction. RFC 5321 §4.1.1.5."""
    conversation.reset()
    return Reply(250, "2.0.0", "Forgotten")
