"""Search: a tree of plain questions (mailstore.Query) answered for the messages of one mailbox.

IMAP's SEARCH and the webmail both make such trees. query.py answers them from the cheapest source that can tell: the rows
of the index, then the header it keeps, and only then the message itself.
"""
