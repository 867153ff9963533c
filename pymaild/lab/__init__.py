"""The lab: pymaild to look at, with nothing installed, configured or connected.

`pymaild demo` starts the whole mail system on loopback addresses in a directory of its own, with people who have been
writing to each other for months, and lets them go on while it runs:

    cast.py            who lives at lindenhof.example and harbour.example, and whom they know
    stories/           what they wrote: one module for each part of their lives
    letters.py         a letter as a value, and the message (bytes) it becomes
    things.py          what is attached: photographs, drawings, PDF, CSV, calendars, cards, archives
    filing.py          which mailbox a letter lies in, with which flags
    correspondent.py   new letters, sent through SMTP while the demo runs
    demo.py            the command itself

Every address is in the reserved top-level domain .example (RFC 2606 §2): no letter can ever leave for a real place.
The same seed and the same day give the same bytes.
"""
