"""Who lives here: domains, accounts, aliases, passwords, and what keeps strangers from guessing them.

    names.py        one form for every address and domain: case, Unicode, A-labels
    database.py     pymaild.sqlite3: the schema, one connection to read, one to write
    directory.py    the questions of the path (is it local, whom does it reach, may they send so) and the changes to it
    passwords.py    scrypt, never more than two at once, a success remembered for some minutes
    throttle.py     wrong passwords slow their senders down and nobody else
    login.py        name and password to account: the three above put together
    journal.py      the events of every message's journey
    websessions.py  who is logged in to the webmail

All of it is data and lives in data_dir/pymaild.sqlite3, so a command in one process is seen by the servers in another
at their next question, without a reload.
"""
