"""SASL mechanisms, server side, as dialogues for every protocol. RFC 4422.

A mechanism is a generator: it yields challenges, is sent the client's responses, and returns who the client is:
Credentials that somebody has to check, or the account of somebody who has Proven to own it. The protocol around it (SMTP
AUTH, IMAP AUTHENTICATE) moves base64 lines with decode() and encode(), and counts and words the refusals.

    PLAIN   S: (empty)        C: authzid NUL authcid NUL password
    LOGIN   S: "Username:"    C: name        S: "Password:"    C: password      (no RFC; old Outlooks know nothing else)
    SCRAM-SHA-256, SCRAM-SHA-256-PLUS: scram.py

    prep.py      one spelling for names and passwords       password.py   PLAIN, LOGIN
    lines.py     base64 lines                               scram.py      SCRAM

PLAIN and LOGIN are always offered, in this order: clients take the first they know. SCRAM is a choice of the configuration,
because some clients fail with it, and needs an Offer that knows where verifiers are kept.
"""

from __future__ import annotations

from pymaild.sasl.lines import MAX_RESPONSE, SaslCancelled, decode, decode_initial, encode
from pymaild.sasl.mechanisms import BY_DEFAULT, MECHANISMS, Dialogue, Mechanism, Offer, Outcome
from pymaild.sasl.password import Credentials, login, plain
from pymaild.sasl.prep import SaslError, saslprep
from pymaild.sasl.scram import BadBinding, Candidate, Proven, Verifier

__all__ = [
    "BY_DEFAULT",
    "MAX_RESPONSE",
    "MECHANISMS",
    "BadBinding",
    "Candidate",
    "Credentials",
    "Dialogue",
    "Mechanism",
    "Offer",
    "Outcome",
    "Proven",
    "SaslCancelled",
    "SaslError",
    "Verifier",
    "decode",
    "decode_initial",
    "encode",
    "login",
    "plain",
    "saslprep",
]
