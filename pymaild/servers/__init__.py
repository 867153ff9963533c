"""The shells: sockets, threads and clocks around sessions that know none of them.

A session (smtp.Session, imap.Session) is a state machine: octets in, replies out. Everything that needs an operating
system is here, each thing once:

    base       ThreadingTCPServer as it has to be on a public port: limits, refusals, life without descriptors
    smtp imap  its subclasses: which session, which policy, which words for a refusal
    wire       one connection: a stream, a Pump and its deadlines; a thread only while there is something to do
    stream     one socket: gathered writes, TLS, DEFLATE, the slow and the vanished
    parking    where connections wait that have nothing to say, all of them in one thread
    threads    threads that are used again
    census     how many connections there are, over all processes
    listen     addresses into sockets, or the sockets systemd hands over
    tls        certificates into contexts, and again when they were renewed
    http       the webmail's listeners: waitress, and TLS in front of it
    trace log  every protocol line for those who want to see; one line per event for those who keep it
    running    all of it together, in this process

A connection's life:

    accept -> thread -> greeting -> read, pump, send ... silent for a moment -> parked, no thread
                             ^                                                      |
                             +---- readable, mailbox changed, overdue, shutdown ----+

Any session can be parked in any state, since between two blocks of octets all it knows is in the session and its Pump.
So a slow client costs memory, not a thread, whatever it is slow at. docs/processes.md tells of the processes around it.
"""
