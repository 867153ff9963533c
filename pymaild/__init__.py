"""pymaild: a whole mail system in one readable program.

Where to read first: flow.py, the path of a message. Then one transcript in tests/transcripts, then the
session that plays it (smtp/session.py, imap/session.py).

The layers, top to bottom; an import only ever points down this list (tests/test_layers.py):

    assembly     assembly.py  daemon.py  cli/  lab/                 where concrete classes meet
    shells       servers/  web/                                     sockets and HTTP around the pure sessions
    path         flow.py                                            receive, submit, deliver
    services     accounts/  store/  verify/  search/  outbound/  config.py   disk, SQL, network
    pure         smtp/  imap/  message/  sasl.py                    bytes in, replies out
    vocabulary   status.py  envelope.py  dialogue.py  mailstore.py  events.py  units.py  paths.py  progress.py

A message comes in and is read like this:

    :25   -> servers/smtp -> smtp.Session -> flow.receive -+
    :587  -> servers/smtp -> smtp.Session -> flow.submit  -+-> store -> IMAP, webmail
    web   -> web/pages/compose ------------> flow.submit  -+

Glossary, spelt as in the RFCs:

    reverse_path     the envelope sender of MAIL FROM; None is the null path <> (RFC 5321 §4.5.5)
    forward_path     one envelope recipient of RCPT TO
    envelope         who sends to whom, with the options of MAIL and RCPT; not part of the message
    message          the bytes between DATA and the final dot: header fields, empty line, body
    header field     one logical line of the header, folded or not; field body: what follows the colon
    part             one node of a message's MIME structure
    mailbox          a named list of messages of one account ("folder" only in the webmail's text)
    uid, uidvalidity the number a message keeps for life, and the mailbox's own incarnation (RFC 9051 §2.3.1)
    modseq           a number that rises with every change to a mailbox (RFC 7162)
    internal_date    when the message reached the mailbox, in seconds since 1970 UTC
    flags, keywords  \\Seen and the other system flags; free words such as $Junk
    status           an enhanced status code such as 5.1.1 (RFC 3463)
    MX, MSA, MDA     the roles of port 25, of ports 587 and 465, and of LMTP
"""

__version__ = "0.1.0"
