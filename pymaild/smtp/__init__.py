"""SMTP and LMTP, the server's side: how a message gets to us. RFC 5321, RFC 2033, RFC 6409.

    S: 220 mx.example.org ESMTP pymaild
    C: EHLO client.example.net
    S: 250-mx.example.org ...                     session.py        one line in, one reply out
    C: MAIL FROM:<bob@example.net> SIZE=1200      commands/         a table; each handler is a paragraph of the RFC
    S: 250 2.1.0 Sender ok                        grammar.py        paths, domains, xtext
    C: RCPT TO:<ann@example.org> NOTIFY=FAILURE   parameters.py     a table; each row is an extension
    S: 250 2.1.5 Recipient ok
    C: DATA                                       data.py           what ends a message, and nothing else does
    S: 354 ...
    C: (the message) .                            conversation.py   what the commands share; asks the Policy
    S: 250 2.0.0 Accepted as 3f2a90c17e51         reply.py          code, status, words

A Session does not know who lives here or where mail is kept: it asks a Policy (flow.Reception for port 25 and LMTP,
flow.Submission for 587 and 465), and every "no" is a MailError. It knows no socket either: servers/ brings it lines.

The client's side, for mail that leaves: client.py (what is said on a connection), transaction.py (one message),
request.py (the lines of MAIL and RCPT), answer.py and offers.py (what the other server says), wiretext.py (the message
on the wire). Dialogues are generators; outbound/connection.py drives them over a socket.

Extensions: PIPELINING 2920, SIZE 1870, 8BITMIME 6152, SMTPUTF8 6531, ENHANCEDSTATUSCODES 2034, CHUNKING 3030, DSN 3461,
LIMITS 9422, STARTTLS 3207, AUTH 4954. Where a message ends is decided in data.py alone: a bare CR or LF never ends one.
"""

from pymaild.smtp.commands import COMMANDS, Command
from pymaild.smtp.conversation import Limits, Policy
from pymaild.smtp.reply import Refused, Reply
from pymaild.smtp.session import Session

__all__ = ["COMMANDS", "Command", "Limits", "Policy", "Refused", "Reply", "Session"]
