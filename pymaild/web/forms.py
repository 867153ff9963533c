"""Bodies of forms, read with limits: application/x-www-form-urlencoded and multipart/form-data. RFC 7578.

Multipart is read in one pass from the input to temporary files, never whole in memory. Everything is bounded: octets of
the body, fields, files, octets of a field, octets of a part's header, and octets of all uploads of this process at once.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl

MAX_FIELDS: Final = 1200  # a page of checkboxes and room to spare
MAX_FILES: Final = 100
MAX_FIELD: Final = 2 << 20  # octets of one text field
MAX_PART_HEADER: Final = 8 << 10
MAX_UPLOADS: Final = 512 << 20  # octets of all uploads being read at one time
_CHUNK: Final = 64 << 10
_IN_MEMORY: Final = 256 << 10  # a larger file goes to disk
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\Z")  # RFC 2046 §5.1.1
_PARAMETER = re.compile(r';\s*([A-Za-z*]+)\s*=\s*(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]+))')


class BadForm(Exception):
    """The body cannot be read; `status` is what HTTP says of it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(slots=True)
class Upload:
    """One file that came with a form."""

    name: str  # flat and clean: see safe_name
    content_type: str
    file: BinaryIO
    size: int


@dataclass(slots=True)
class Form:
    """Fields in the order they came, and files."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[Upload] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return self.fields.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self.fields.get(name, [])

    def add(self, name: str, value: str) -> None:
        """One field more."""
        if sum(map(len, self.fields.values())) >= MAX_FIELDS:
            raise BadForm(413, "The form has too many fields.")
        self.fields.setdefault(name, []).append(value)

    def close(self) -> None:
        """Give the temporary files back."""
        for upload in self.files:
            upload.file.close()


class _Room:
    """How many octets of uploads this process is reading: so that many at once cannot fill the temporary disk."""

    def __init__(self) -> None:
        self.taken = 0
        self.lock = threading.Lock()

    @contextmanager
    def reserve(self, octets: int) -> Iterator[None]:
        with self.lock:
            if self.taken + octets > MAX_UPLOADS:
                raise BadForm(503, "The server is busy with other uploads: try again in a minute.")
            self.taken += octets
        try:
            yield
        finally:
            with self.lock:
                self.taken -= octets


ROOM: Final = _Room()


def read_form(environ: dict[str, Any], limit: int, files: bool) -> Form:
    """The form in a request's body; multipart only where files are expected."""
    length = _length(environ)
    if length > limit:
        raise BadForm(413, f"What you sent is too large: {limit >> 10} KB is the limit here.")
    kind, parameters = parse_parameters(str(environ.get("CONTENT_TYPE", "")))
    source = _Bounded(environ["wsgi.input"], length)
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(source.read_all())
    if kind == "multipart/form-data" and files:
        with ROOM.reserve(length):
            return _Multipart(source, parameters.get("boundary", "")).read()
    raise BadForm(415, "This kind of form cannot be read here.")


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """A value such as `form-data; name="a"`: the word before the first semicolon, and the parameters. RFC 9110 §5.6.6.

    Browsers write a quotation mark in a name as %22 and do not mean a backslash as an escape. RFC 7578 §4.2, HTML.
    """
    word, _, _ = value.partition(";")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value, len(word)):
        name, quoted, token = match.groups()
        found.setdefault(name.lower(), quoted.replace("%22", '"') if quoted is not None else token)
    return word.strip().lower(), found


def safe_name(name: str, fallback: str = "attachment") -> str:
    """A file name that can do no harm where it is saved: no path, no controls, no direction marks, not hidden, not long."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(char for char in name if char.isprintable() and char not in '<>:"|?*\N{REPLACEMENT CHARACTER}')
    name = re.sub(r"\s+", " ", name).strip(". ")
    stem, dot, extension = name.rpartition(".")
    if len(name.encode("utf-8", "replace")) > 150:
        stem = (stem or name).encode("utf-8", "replace")[:120].decode("utf-8", "ignore")
        name = f"{stem}{dot}{extension[:16]}" if dot else stem
    return name or fallback


def _length(environ: dict[str, Any]) -> int:
    text = str(environ.get("CONTENT_LENGTH") or "0")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise BadForm(400, "The length of the request is not valid.")
    return int(text)


def _urlencoded(body: bytes) -> Form:
    form = Form()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise BadForm(400, "The form could not be read: go back and try again.") from None
    for name, value in pairs:
        form.add(name, value)
    return form


class _Bounded:
    """The body, up to its declared length and not an octet further."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self.source = source
        self.left = length

    def chunk(self) -> bytes:
        """The next piece, empty at the end."""
        piece = self.source.read(min(_CHUNK, self.left))
        self.left -= len(piece)
        return piece

    def read_all(self) -> bytes:
        """What is left."""
        pieces = []
        while piece := self.chunk():
            pieces.append(piece)
        return b"".join(pieces)


class _Multipart:
    """One pass over a multipart body. RFC 2046 §5.1."""

    def __init__(self, source: _Bounded, boundary: str) -> None:
        if not _BOUNDARY.match(boundary):
            raise BadForm(400, "The form could not be read: its boundary is not valid.")
        self.source = source
        self.delimiter = b"\r\n--" + boundary.encode("ascii")
        self.buffer = b"\r\n"  # the first delimiter may stand at the very beginning
        self.form = Form()

    def read(self) -> Form:
        """All parts; every temporary file is closed when one part is bad."""
        try:
            for _ in self._until_delimiter():
                pass  # the preamble means nothing
            while not self._at_end():
                self._part()
        except BaseException:
            self.form.close()
            raise
        return self.form

    def _fill(self, wanted: int) -> None:
        while len(self.buffer) < wanted and (piece := self.source.chunk()):
            self.buffer += piece

    def _until_delimiter(self) -> Iterator[bytes]:
        """The octets before the next delimiter, piece by piece; the delimiter itself is taken away."""
        keep = len(self.delimiter) - 1
        while True:
            self._fill(_CHUNK + keep)
            at = self.buffer.find(self.delimiter)
            if at >= 0:
                yield self.buffer[:at]
                self.buffer = self.buffer[at + len(self.delimiter) :]
                return
            if len(self.buffer) <= keep or not self.source.left:
                raise BadForm(400, "The form ended too early: the upload was interrupted.")
            yield self.buffer[:-keep]
            self.buffer = self.buffer[-keep:]

    def _at_end(self) -> bool:
        """After a delimiter: `--` closes the body, a line end opens a part."""
        self._fill(2)
        after, self.buffer = self.buffer[:2], self.buffer[2:]
        if after not in {b"--", b"\r\n"}:
            raise BadForm(400, "The form could not be read: a boundary is followed by something else.")
        return after == b"--"

    def _part(self) -> None:
        disposition, parameters, content_type = self._part_header()
        if disposition != "form-data" or "name" not in parameters:
            raise BadForm(400, "The form could not be read: a part has no name.")
        if "filename" in parameters:
            self._file(parameters["filename"], content_type)
        else:
            self._field(parameters["name"])

    def _part_header(self) -> tuple[str, dict[str, str], str]:
        self._fill(MAX_PART_HEADER)
        # An empty header block would begin with the line end itself; it has no name, so it is refused either way.
        end = self.buffer.find(b"\r\n\r\n", 0, MAX_PART_HEADER)
        if end < 0:
            raise BadForm(400, "The form could not be read: the header of a part is too long.")
        block, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
        fields: dict[str, str] = {}
        for line in block.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            fields.setdefault(name.strip().lower(), value.strip())
        disposition, parameters = parse_parameters(fields.get("content-disposition", ""))
        return disposition, parameters, parse_parameters(fields.get("content-type", ""))[0]

    def _field(self, name: str) -> None:
        pieces, size = [], 0
        for piece in self._until_delimiter():
            size += len(piece)
            if size > MAX_FIELD:
                raise BadForm(413, "A field of the form is too long: two megabytes of text is the limit.")
            pieces.append(piece)
        try:
            self.form.add(name, b"".join(pieces).decode("utf-8"))
        except UnicodeDecodeError:
            raise BadForm(400, "The form could not be read: it is not encoded as UTF-8.") from None

    def _file(self, name: str, content_type: str) -> None:
        if len(self.form.files) >= MAX_FILES:
            raise BadForm(413, f"Too many files at once: {MAX_FILES} is the limit.")
        file: BinaryIO = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # type: ignore[assignment]  # noqa: SIM115
        upload = Upload(safe_name(name), content_type, file, 0)
        self.form.files.append(upload)
        for piece in self._until_delimiter():
            upload.file.write(piece)
            upload.size += len(piece)
        upload.file.seek(0)
        if not name and not upload.size:  # a file field that was left empty
            self.form.files.pop().file.close()
