"""Bodies of forms: multipart read in one pass with limits, urlencoded read strictly. THREATS T129, T170, T173."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.web import forms
from pymaild.web.forms import BadForm, Form, read_form, safe_name

from .browser import multipart


class Drip(io.BytesIO):
    """A client that sends a few octets at a time."""

    step = 7

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(self.step, size if size is not None and size >= 0 else self.step))


def read(body: bytes, kind: str = "multipart/form-data; boundary=XyZ", limit: int = 10 << 20, **environ: Any) -> Form:
    source = environ.pop("source", io.BytesIO)(body)
    return read_form({"wsgi.input": source, "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": kind, **environ}, limit, True)


@given(
    fields=st.lists(st.tuples(st.text("abcde", min_size=1), st.text(st.characters(exclude_categories=["Cs"]))), max_size=5),
    content=st.lists(
        st.binary(max_size=300) | st.sampled_from([b"\r\n--XyZ", b"--XyZ--", b"\r\n--Xy", b"\r\n" * 50]), max_size=4
    ),
    step=st.sampled_from([1, 7, 64, 100_000]),
)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_what_a_browser_sends_comes_out(fields: list[tuple[str, str]], content: list[bytes], step: int) -> None:
    files = [b"".join(content).replace(b"--XyZ", b"--XyY")]
    fields = [(name, value.replace("--XyZ", "")) for name, value in fields]
    body = multipart(fields, [("f.bin", "application/x", file) for file in files])
    source = type("Slow", (Drip,), {"step": step})
    form = read(body, source=source)
    assert [(name, value) for name, values in form.fields.items() for value in values] == sorted(
        fields, key=lambda pair: list(form.fields).index(pair[0])
    )
    assert [upload.file.read() for upload in form.files] == files
    form.close()


@given(
    body=st.binary(max_size=400)
    | st.lists(
        st.sampled_from([b"--XyZ", b"\r\n", b"--", b"a: b", b'Content-Disposition: form-data; name="a"', b"\0"])
    ).map(b"".join)
)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_anything_else_is_refused_in_words(body: bytes) -> None:
    try:
        read(body).close()
    except BadForm as error:
        assert error.status in {400, 413} and error.text.endswith(".")


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_an_interrupted_upload_is_refused(cut: int) -> None:
    body = multipart([("a", "1")], [("f", "text/plain", b"x" * 100)])
    assert cut < len(body) - 4
    with pytest.raises(BadForm):
        read(body[:cut])


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a b ", "ä", "a\rb", '"'])
def test_boundaries_that_cannot_be(boundary: str) -> None:
    with pytest.raises(BadForm):
        read(b"", f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize("length", ["-1", "+5", "5x", "\u0665", "9" * 30, " 5"])
def test_lengths_that_cannot_be(length: str) -> None:
    with pytest.raises(BadForm) as refused:
        read(b"", CONTENT_LENGTH=length)
    assert refused.value.status == 400


def test_limits() -> None:
    for body, status in (
        (multipart([(f"n{n}", "x") for n in range(forms.MAX_FIELDS + 1)]), 413),
        (multipart([], [(f"f{n}", "", b"x") for n in range(forms.MAX_FILES + 1)]), 413),
        (multipart([("a", "x" * (forms.MAX_FIELD + 1))]), 413),
        (b"--XyZ\r\nContent-Disposition: form-data; name=a" + b"x" * forms.MAX_PART_HEADER + b"\r\n\r\n--XyZ--", 400),
    ):
        with pytest.raises(BadForm) as refused:
            read(body)
        assert refused.value.status == status


def test_a_body_over_the_limit_is_not_read_at_all() -> None:
    class Untouchable(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("must not be read")

    with pytest.raises(BadForm) as refused:
        read(b"x" * 2000, limit=1000, source=Untouchable)
    assert refused.value.status == 413


def test_uploads_share_a_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    body = multipart([("a", "1")])
    monkeypatch.setattr(forms, "MAX_UPLOADS", len(body))
    with forms.ROOM.reserve(1), pytest.raises(BadForm) as refused:
        read(body)
    assert refused.value.status == 503
    read(body)
    assert forms.ROOM.taken == 0


def test_urlencoded_is_read_strictly() -> None:
    kind = "application/x-www-form-urlencoded"
    assert read(b"a=1&b=%C3%BC&a=2", kind).fields == {"a": ["1", "2"], "b": ["ü"]}
    for body in (b"a=%ff", b"a=\xff", b"nothing", b"&".join([b"a=1"] * 2000)):
        with pytest.raises(BadForm):
            read(body, kind)
    for other in ("application/json", "text/plain", ""):
        with pytest.raises(BadForm) as refused:
            read(b"{}", other)
        assert refused.value.status == 415


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\Windows\\x.exe", "x.exe"), ("x\0.txt", "x.txt"), ("a\r\nSet-Cookie: b", "aSet-Cookie b"),
        ("evil\u202egnp.exe", "evilgnp.exe"), (".htaccess", "htaccess"), ("a...", "a"), ("", "attachment"), ("..", "attachment"),
        ('a"b<c>', "abc"), ("Übersicht 2026.pdf", "Übersicht 2026.pdf"), ("x" * 10_000 + ".pdf", "x" * 120 + ".pdf"), ("a\u2028b", "ab"),
    ],
)  # fmt: skip
def test_file_names_are_made_harmless(name: str, safe: str) -> None:
    assert safe_name(name) == safe
