"""Mail that leaves: the queue, where its messages go, and how they are carried there. States and guarantees: docs/queue.md.

job.py       the words: a job, an addressee, a result
queue.py     what is promised to leave, on disk (record.py: rows to values; commit.py: shared flushes)
schedule.py  when it is tried again, and whose turn it is
runner.py    the queue's process (bell.py wakes it)
relay.py     carries a job to other servers (attempt.py, dialer.py, pool.py, connection.py, wire.py): docs/outbound.md
"""
