"""SCRAM without a protocol around it: the RFC's own example, the three flags of GS2, and messages that are none."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.envelope import Client, Role
from pymaild.sasl import MECHANISMS, BadBinding, Offer, Proven, SaslError
from pymaild.sasl.scram import Terms, Verifier, exchange, verifier
from pymaild.status import MailError

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")  # of the example in RFC 7677 §3
USER = verifier("pencil", SALT, 4096)


@dataclass
class Candidate:
    """The user of the RFC's example, or somebody with the same password; remembers what was proved."""

    username: str
    verifier: Verifier = USER
    said: list[bool] = field(default_factory=list)

    def proved(self, right: bool) -> str:
        self.said.append(right)
        if not right:
            raise MailError("5.7.8", "wrong")
        return self.username


def terms(candidate: Candidate | None = None, plus: bool = False, nonce: str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0") -> Terms:
    bindings = {"tls-server-end-point": b"certificate", "tls-exporter": b"exported"} if plus else {}
    return Terms(lambda name: candidate or Candidate(name), lambda: nonce, bindings, plus)


def run(steps: Terms, *responses: bytes, plus: bool = False) -> tuple[list[bytes], Proven | None]:
    """What the server said, and how it ended; None: it waits for more."""
    dialogue = exchange(steps, plus)
    said = [next(dialogue)]
    for response in responses:
        try:
            said.append(dialogue.send(response))
        except StopIteration as done:
            return said, done.value
    return said, None


def final(server_first: bytes, bare: bytes, bound: bytes = b"n,,", password: str = "pencil", salt: bytes = SALT) -> bytes:
    """A client that is not ours to test: RFC 5802 §3 once more, written down from the RFC."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    nonce = server_first.split(b",")[0]
    without_proof = b"c=" + base64.b64encode(bound) + b"," + nonce
    message = bare + b"," + server_first + b"," + without_proof
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return without_proof + b",p=" + base64.b64encode(proof)


FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SIGNATURE = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_example_of_rfc_7677() -> None:
    assert run(terms(), FIRST, FINAL, b"") == ([b"", SERVER_FIRST, SIGNATURE], Proven("user"))


@pytest.mark.parametrize("binding", [b"tls-server-end-point", b"tls-exporter"])
def test_plus_with_the_binding_of_this_connection(binding: bytes) -> None:
    bound = b"p=%s,,certificate" % binding if binding == b"tls-server-end-point" else b"p=tls-exporter,,exported"
    answer = final(SERVER_FIRST, FIRST[3:], bound)
    assert run(terms(plus=True), b"p=%s,,%s" % (binding, FIRST[3:]), answer, b"", plus=True)[1] == Proven("user")


def test_plus_with_another_binding_is_refused_before_the_proof_is_looked_at() -> None:
    user = Candidate("user")
    answer = final(SERVER_FIRST, FIRST[3:], b"p=tls-server-end-point,,of somebody else")
    with pytest.raises(BadBinding):
        run(terms(user, plus=True), b"p=tls-server-end-point,," + FIRST[3:], answer, plus=True)
    assert not user.said


def test_y_is_refused_only_where_plus_was_offered() -> None:
    first = b"y,," + FIRST[3:]
    with pytest.raises(BadBinding):
        run(terms(plus=True), first)
    assert run(terms(), first, final(SERVER_FIRST, FIRST[3:], b"y,,"), b"")[1] == Proven("user")
    assert run(terms(plus=True), FIRST, FINAL, b"")[1] == Proven("user")  # n: a client that cannot bind at all


def test_the_header_is_part_of_the_proof() -> None:
    """Somebody in between makes an n of the y."""
    with pytest.raises(BadBinding):
        run(terms(), FIRST, final(SERVER_FIRST, FIRST[3:], b"y,,"))


def test_a_replay_is_refused() -> None:
    with pytest.raises(SaslError, match="nonce"):
        run(terms(nonce="another"), FIRST, FINAL)


def test_a_wrong_password_is_told_to_the_candidate_and_gets_no_signature() -> None:
    user = Candidate("user")
    with pytest.raises(MailError, match="wrong"):
        run(terms(user), FIRST, final(SERVER_FIRST, FIRST[3:], password="pen"))
    assert user.said == [False]


@pytest.mark.parametrize(
    ("sent", "name"),
    [(b"a=2Cb=3Dc", "a,b=c"), ("I\u00adX".encode(), "IX"), ("\u2168".encode(), "IX"), ("j\u00f6rg".encode(), "j\u00f6rg")],
)
def test_user_names(sent: bytes, name: str) -> None:
    bare = b"n=%s,r=rOprNGfwEbeRWgbNEkqO" % sent
    assert run(terms(), b"n,," + bare, final(SERVER_FIRST, bare), b"")[1] == Proven(name)


def test_one_spelling_of_the_password() -> None:
    assert verifier("I\u00adX", SALT, 2) == verifier("IX", SALT, 2) == verifier("\u2168", SALT, 2)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n",
        b"n,,",
        b"n,,n=user",
        b"n,,r=x",
        b"n,,r=x,n=user",
        b"x,,n=user,r=x",
        b",,n=user,r=x",
        b"n,n=user,r=x",
        b"p=,,n=user,r=x",
        b"p=tls unique,,n=user,r=x",
        b"p=tls-unique,,n=user,r=x",
        b"n,a=bob,n=user,r=x",
        b"n,b=user,n=user,r=x",
        b"n,,m=ext,n=user,r=x",
        b"n,,n=us=er,r=x",
        b"n,,n=us=2c,r=x",
        b"n,,n=\xff,r=x",
        b"n,,n=\xc2\xad,r=x",
        b"n,,n=u\0,r=x",
        b"n,,n=user,r=",
        b"n,,n=user,r=a b",
        b"n,,n=user,r=\xc3\xa4",
        b"n,,n=user,r=" + b"x" * 1025,
        b"n,,n=" + b"x" * 961 + b",r=x",
    ],
)
def test_first_messages_that_are_refused(first: bytes) -> None:
    with pytest.raises(SaslError):
        run(terms(), first)


@pytest.mark.parametrize("acting", [b"a=user", b"a="])
def test_acting_for_oneself_is_fine(acting: bytes) -> None:
    first = b"n,%s,%s" % (acting, FIRST[3:])
    assert run(terms(), first, final(SERVER_FIRST, FIRST[3:], b"n,%s," % acting), b"")[1] == Proven("user")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        FINAL[:-1],
        FINAL + b",x=1",
        FINAL.replace(b"c=biws", b"c=!"),
        FINAL.replace(b"c=biws,", b""),
        FINAL.partition(b",p=")[0],
        FINAL.replace(b"dHzb", b"****"),
        FINAL.replace(b"k0,p", b"k,p"),
        FINAL.replace(b"c=biws", b"c=eSws"),
    ],
)
def test_final_messages_that_are_refused(answer: bytes) -> None:
    user = Candidate("user")
    with pytest.raises(SaslError):
        run(terms(user), FIRST, answer)
    assert True not in user.said


@pytest.mark.parametrize("proof", [b"", b"AA==", base64.b64encode(bytes(31)), base64.b64encode(bytes(33))])
def test_proofs_of_another_length_are_wrong(proof: bytes) -> None:
    user = Candidate("user")
    with pytest.raises((SaslError, MailError)):
        run(terms(user), FIRST, FINAL.partition(b",p=")[0] + b",p=" + proof)
    assert True not in user.said


def test_a_right_proof_and_something_after_it_is_wrong() -> None:
    before, _, proof = FINAL.partition(b",p=")
    longer = base64.b64encode(base64.b64decode(proof) + b"x")
    user = Candidate("user")
    with pytest.raises(MailError):
        run(terms(user), FIRST, before + b",p=" + longer)
    assert user.said == [False]


def test_the_client_has_to_take_the_signature_in_silence() -> None:
    with pytest.raises(SaslError, match="empty"):
        run(terms(), FIRST, FINAL, b"x")


def test_a_verifier_is_not_shown() -> None:
    assert repr(USER) == "Verifier(...)" and "Verifier(...)" in repr(Candidate("user"))


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=3), st.booleans())
def test_any_responses_end_in_a_refusal(responses: list[bytes], plus: bool) -> None:
    with pytest.raises((SaslError, MailError)):
        run(terms(plus=plus), *responses, b"", plus=plus)


@given(st.sampled_from([FIRST, FINAL]), st.integers(0, 200), st.binary(min_size=1, max_size=2))
def test_no_change_of_a_message_gets_in(message: bytes, at: int, octets: bytes) -> None:
    changed = message[:at] + octets + message[at + len(octets) :]
    messages = [changed if one is message else one for one in (FIRST, FINAL)]
    user = Candidate("user")
    try:
        run(terms(user), *messages, b"")
    except (SaslError, MailError):
        assert True not in user.said
    else:
        assert base64_equal(changed, message)


def base64_equal(one: bytes, other: bytes) -> bool:
    """Two spellings of the same octets: base64 leaves some bits of its last letter unused."""
    return len(one) == len(other) and all(
        a == b or base64.b64decode(one.rpartition(b"p=")[2]) == base64.b64decode(other.rpartition(b"p=")[2])
        for a, b in zip(one, other, strict=True)
    )


# ---- what is offered


ALL = tuple(MECHANISMS)


def client(tls: bool) -> Client:
    made = Client("5e55", "192.0.2.1", role=Role.MSA)
    if tls:
        made.bindings = lambda: {"tls-exporter": b"exported"}
    return made


def test_what_is_offered() -> None:
    find = Candidate("user")
    assert Offer().names(client(True)) == ["PLAIN", "LOGIN"]
    assert Offer(ALL[::-1], lambda name, ip: find).names(client(True)) == list(ALL)
    assert Offer(ALL, lambda name, ip: find).names(client(False)) == ["PLAIN", "LOGIN", "SCRAM-SHA-256"]
    assert Offer(ALL).names(client(True)) == ["PLAIN", "LOGIN"]  # nobody knows verifiers
    assert ALL[0] == "PLAIN"


def test_what_is_not_offered_does_not_start() -> None:
    assert Offer().start("SCRAM-SHA-256", client(True)) is None
    assert Offer().start("CRAM-MD5", client(True)) is None
    assert Offer(ALL, lambda name, ip: Candidate(name)).start("SCRAM-SHA-256-PLUS", client(False)) is None


def test_an_offer_knows_where_the_client_comes_from_and_says_another_nonce_each_time() -> None:
    asked = []
    offer = Offer(ALL, lambda name, ip: asked.append((name, ip)) or Candidate(name))  # type: ignore[func-returns-value]
    nonces = set()
    for _ in range(3):
        dialogue = offer.start("SCRAM-SHA-256", client(False))
        assert dialogue is not None
        next(dialogue)
        nonces.add(dialogue.send(FIRST).split(b",")[0])
    assert asked == [("user", "192.0.2.1")] * 3
    assert len(nonces) == 3 and all(len(nonce) > len("r=rOprNGfwEbeRWgbNEkqO") + 20 for nonce in nonces)
