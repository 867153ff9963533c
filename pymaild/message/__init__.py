"""Messages as bytes: their header fields, their MIME structure, and new ones made from text.

Everything here is a function from bytes to plain values; nothing opens a file or asks the clock. Mail from the
Internet is hostile, so two rules hold in every module: time grows with the size of the input and no faster, and no
input raises an exception. Where a message is malformed the answer is what readers of mail agree on, not an error.

    fields      a header block cut into fields; unfolding                       RFC 5322 §2.2
    words       encoded words; charsets: which names of charsets are believed   RFC 2047, RFC 2046 §4.1.2
    addresses   address lists, as broken as they come                           RFC 5322 §3.4, RFC 6532
    dates       the Date field, read and written                                RFC 5322 §3.3
    parameters  "text/plain; charset=utf-8" and its relatives                   RFC 2045 §5.1, RFC 2231
    structure   where each MIME part begins and ends                            RFC 2046
    sections    the octets that BODY[1.2.HEADER] and its relatives name         RFC 3501 §6.4.5
    text        what a person reads in a part; html: HTML as plain text         RFC 2045 §6
    summary     what a list of messages shows of one
    trace       Received and its relatives, written and counted                 RFC 5321 §4.4
    repair      what a submission server adds and removes                       RFC 6409 §8
    compose     a new message from what a person typed; flowed: its paragraphs  RFC 5322, RFC 2045, RFC 3676
    sanitize    HTML of strangers made safe to show; css: its style attributes

The standard library's email package is not used on what comes from outside: on real mail its newer parser raises, takes
seconds, or reads another author than the one shown.
"""
