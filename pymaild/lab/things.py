"""Things people attach to letters, made on the spot: pictures, a PDF, tables, calendars, cards, archives."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageDraw


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that goes with a letter; made only when the letter is rendered."""

    name: str
    content_type: str
    make: Callable[[], bytes]
    content_id: str = ""  # inline, shown in the HTML by cid: (RFC 2392)


def photo(seed: int, size: tuple[int, int] = (640, 400)) -> bytes:
    """A JPEG of the harbour: sky, sea, and boats that differ with the seed."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 -- Pillow is loaded only when there is something to draw

    rng, (width, height) = random.Random(seed), size
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    horizon = int(height * rng.uniform(0.45, 0.6))
    warm = rng.randrange(40)
    for y in range(height):
        sky = y < horizon
        shade = y / horizon if sky else (y - horizon) / (height - horizon)
        colour = (90 + int(130 * shade) + warm, 140 + int(60 * shade), 200 - int(40 * shade))
        draw.line([(0, y), (width, y)], fill=colour if sky else (40 - int(20 * shade), 90 - int(40 * shade), 120))
    sun = rng.randrange(80, width - 80)
    draw.ellipse([sun - 28, horizon - 70, sun + 28, horizon - 14], fill=(255, 226, 150))
    for _ in range(rng.randrange(2, 5)):
        _boat(draw, rng, rng.randrange(60, width - 60), horizon + rng.randrange(20, height // 4))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _boat(draw: ImageDraw.ImageDraw, rng: random.Random, x: int, y: int) -> None:
    """One boat with its keel at x, y."""
    scale = rng.uniform(0.6, 1.4)
    half, mast = int(46 * scale), int(110 * scale)
    hull = rng.choice([(120, 40, 36), (32, 52, 70), (224, 222, 210), (60, 84, 60)])
    draw.polygon([(x - half, y - 12), (x + half, y - 16), (x + half - 14, y + 10), (x - half + 12, y + 10)], fill=hull)
    draw.line([(x, y - 14), (x, y - mast)], fill=(90, 66, 44), width=3)
    draw.polygon([(x + 4, y - mast + 4), (x + 4, y - 20), (x + half - 4, y - 22)], fill=(240, 234, 220))


def plan(title: str) -> bytes:
    """A PNG line drawing: sheer, waterlines and ribs of a small boat."""
    from PIL import Image, ImageDraw  # noqa: PLC0415

    image = Image.new("RGB", (720, 300), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    for row in range(4):
        draw.arc([40 + row * 18, -220 + row * 22, 680 - row * 18, 190 + row * 14], 20, 160, fill=(40, 70, 120), width=2)
    for x in range(90, 660, 57):
        draw.line([(x, 100), (x, 240)], fill=(170, 180, 200))
    draw.line([(30, 200), (690, 200)], fill=(200, 60, 50))
    draw.text((40, 268), title, fill=(40, 40, 40))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def logo(text: str) -> bytes:
    """A small PNG banner for a newsletter."""
    from PIL import Image, ImageDraw  # noqa: PLC0415

    image = Image.new("RGB", (360, 64), (32, 52, 70))
    draw = ImageDraw.Draw(image)
    draw.polygon([(14, 40), (54, 36), (46, 52), (22, 52)], fill=(224, 222, 210))
    draw.text((72, 26), text, fill=(255, 255, 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pdf(title: str, lines: Sequence[str]) -> bytes:
    """One page of text as PDF 1.4: catalogue, page, font, content, and a cross-reference table that is right."""
    shown = [b"BT /F1 18 Tf 60 780 Td (" + _pdf_text(title) + b") Tj ET", b"BT /F1 11 Tf 60 744 Td 16 TL"]
    shown += [b"(" + _pdf_text(line) + b") Tj T*" for line in lines]
    content = zlib.compress(b"\n".join([*shown, b"ET"]), 9)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(content) + content + b"\nendstream",
    ]
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def _pdf_text(text: str) -> bytes:
    data = text.encode("cp1252", "replace")
    return data.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def table(rows: Sequence[Sequence[object]]) -> bytes:
    """CSV in UTF-8. RFC 4180."""
    return "".join(",".join(map(str, row)) + "\r\n" for row in rows).encode()


def invitation(uid: str, title: str, where: str, start: datetime, method: str = "REQUEST") -> bytes:
    """A calendar object of one event of two hours. RFC 5545, RFC 5546."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//pymaild//demo//EN",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{start - timedelta(days=9):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(hours=2):%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{title}",
        f"LOCATION:{where}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(line + "\r\n" for line in lines).encode()


def card(name: str, address: str, title: str) -> bytes:
    """A vCard 4.0. RFC 6350."""
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"FN:{name}", f"EMAIL:{address}", f"TITLE:{title}", "END:VCARD"]
    return "".join(line + "\r\n" for line in lines).encode()


def archive(files: dict[str, bytes]) -> bytes:
    """A ZIP file with a fixed date inside, so that the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in files.items():
            bundle.writestr(zipfile.ZipInfo(name, (2024, 5, 1, 12, 0, 0)), data)
    return out.getvalue()
