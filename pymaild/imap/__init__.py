r"""imap: mail is read. IMAP4rev1 (RFC 3501), IMAP4rev2 (RFC 9051) and their extensions.

    line ---> Input (lines and literals) ---> Parser ---> COMMANDS[verb] ---> handler ---> Answer or Dialogue
                                                                                             |
    octets <--- tagged OK, NO, BAD <--- news of the selected mailbox (View.sync) <--- untagged responses

    session.py      the state machine: collects commands, runs them, tells the news
    commands/       the handlers, a file for each group of RFC 3501 §6, and the table COMMANDS
    grammar.py      reads arguments: atoms, strings, sets, dates, mailbox names
    input.py        lines and literals of a command that is still coming in
    names.py        modified UTF-7, UTF-8 and the wildcards of LIST
    sequences.py    1:4,7:* ; view.py: which sequence number is which uid on this connection
    resync.py       what changed while a client was away: QRESYNC
    notify.py       which events a client wants to hear of: NOTIFY; notifier.py: what it is told; tree.py: of mailbox names
    wanted.py       what it is told of the selected mailbox
    fetch.py        the FETCH items; section.py: BODY[1.2.HEADER] and where it lies in a message
    search.py       the SEARCH keys, parsed into the Query of mailstore.py
    capability.py   what CAPABILITY says and when
    progress.py     how far a long command is
    values.py       values as wire bytes; describe.py: ENVELOPE and BODYSTRUCTURE of a message

An extension is a row or two: a command in commands/, a FETCH item, a SEARCH key, a STATUS item, a LIST option, and
its word in capability.py. Nothing here knows sockets, files, SQL or threads.

RFCs: 3501 (IMAP4rev1), 2177 (IDLE), 2342 (NAMESPACE), 2971 (ID), 3348 (CHILDREN), 3516 (BINARY), 3691 (UNSELECT),
4315 (UIDPLUS), 4959 (SASL-IR), 4978 (COMPRESS), 5161 (ENABLE), 5258 (LIST-EXTENDED), 5465 (NOTIFY), 5530 (response codes),
5819 (LIST-STATUS), 6154 (SPECIAL-USE), 6851 (MOVE), 7162 (CONDSTORE, QRESYNC), 7888 (LITERAL+), 8437 (UNAUTHENTICATE),
8474 (OBJECTID), 8514 (SAVEDATE), 8970 (PREVIEW), 9051 (IMAP4rev2).
"""

from pymaild.imap.limits import Limits
from pymaild.imap.session import Backend, Session

__all__ = ["Backend", "Limits", "Session"]
