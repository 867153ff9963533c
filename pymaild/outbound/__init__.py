"""Mail that leaves: the queue, where its messages go, and how they are carried there.

job.py       the words: a job, an addressee, a result
"""
