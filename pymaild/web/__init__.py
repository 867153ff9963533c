"""The webmail: HTML made on the server, that works with nothing but a browser's forms and links.

    app.py        the WSGI callable: finds the row of the table of routes, makes every error a readable page
    routes.py     the table: method, pattern, handler
    http.py       requests and responses; the security headers every response carries
    forms.py      urlencoded and multipart bodies, read with limits (RFC 7578)
    session.py    who is asking: cookie, CSRF token, the visit that a handler works with
    templates.py  www/*.html with $names; every value is escaped unless it is Markup
    assets.py     www/static: style, script and icon under names that carry their hash
    words.py      dates, sizes and names in the reader's words
    shell.py      what every page shares: head, folders, notice, panes
    summary.py    a line of a list; refs.py: how pages name messages
    letter.py     one message made ready for reading: its fields, its text, its HTML, its attachments
    text.py       plain text as HTML: links, folded quotations
    answer.py     what a reply, a forward or a draft puts into the form
    writing.py    what was typed made into a message, and sent or kept
    pages/        one module per room, one function per screen or action

A page asks the store directly, in the words of mailstore.py, so there is no IMAP syntax and nothing to inject into.
The script in www/static only adds comfort. Hostile mail meets two independent walls: message/sanitize.py,
and a frame without scripts, origin or network (pages/frame.py).
"""
