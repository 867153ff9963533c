"""Which charset names are believed, and text in them. RFC 2046 §4.1.2.

Python's registry of codecs also answers to "rot13", "unicode_escape", "zlib_codec" and "idna"; those are not charsets,
and some of them raise, execute transformations or take quadratic time. So names pass an allow-list, and errors in the
text never stop its reader.
"""

from __future__ import annotations

import re

_KNOWN = frozenset(
    """utf-8 us-ascii latin-1 cp1252 koi8-r koi8-u koi8-t iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_kr shift_jis cp932
    euc_jp euc_kr cp949 johab gb2312 gbk gb18030 hz big5 big5hkscs cp950 tis-620 cp874 mac-roman mac-cyrillic mac-greek
    mac-turkish utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be utf-7 kz1048 ptcp154 hp-roman8""".split()  # noqa: SIM905  # a list of words reads best as words
    + [f"iso8859-{number}" for number in (*range(2, 12), 13, 14, 15, 16)]
    + [f"cp{number}" for number in (*range(1250, 1259), 437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862)]
    + [f"cp{number}" for number in (863, 864, 865, 866, 869, 1125)]
)
# Names whose meaning in mail is wider than the standard says (as the WHATWG encoding standard has it), and plain errors
_MEANT = {
    "ascii": "utf-8",  # us-ascii with 8-bit octets is mostly utf-8; `decode` falls back to cp1252
    "usascii": "utf-8",
    "ansix341968": "utf-8",
    "unknown8bit": "utf-8",
    "8bit": "utf-8",
    "7bit": "utf-8",
    "default": "utf-8",
    "utf": "utf-8",
    "unicode11utf8": "utf-8",
    "unicode11utf7": "utf-7",
    "iso88591": "cp1252",
    "latin1": "cp1252",
    "iso8859": "cp1252",
    "l1": "cp1252",
    "ansi": "cp1252",
    "xansi": "cp1252",
    "xuserdefined": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cngb": "gb18030",
    "csgb2312": "gb18030",
    "hzgb2312": "hz",
    "shiftjis": "cp932",
    "xsjis": "cp932",
    "sjis": "cp932",
    "windows31j": "cp932",
    "ksc56011987": "cp949",
    "ksc5601": "cp949",
    "euckr": "cp949",
    "xeuckr": "cp949",
    "big5": "big5hkscs",
    "xbig5": "big5hkscs",
    "cnbig5": "big5hkscs",
    "tis620": "cp874",
    "iso885911": "cp874",
    "windows874": "cp874",
    "iso88599": "cp1254",
    "iso2022jp": "iso2022_jp_2",
    "iso2022jp1": "iso2022_jp_2",
    "macintosh": "mac-roman",
    "xmaccyrillic": "mac-cyrillic",
    "iso88598i": "iso8859-8",
    "iso88598e": "iso8859-8",
}
_SIMPLE = {re.sub(r"[^a-z0-9]", "", name): name for name in _KNOWN}
_SIMPLE.update({f"windows{number}": f"cp{number}" for number in range(1250, 1259)})
_SIMPLE.update({f"ibm{number}": f"cp{number}" for number in (437, 850, 852, 855, 857, 860, 861, 862, 863, 865, 866)})
_SIMPLE.update({f"iso8859{number}": f"iso8859-{number}" for number in (*range(2, 12), 13, 14, 15, 16)})
_SIMPLE.update(_MEANT)


def codec(charset: str) -> str | None:
    """The Python codec for a charset name of a message; None: no such charset."""
    if len(charset) > 64:
        return None
    return _SIMPLE.get(re.sub(r"[^a-z0-9]", "", charset.lower()))


def decode(text: bytes, charset: str = "") -> str:
    """Text in the charset it claims; an unknown or false claim is answered with the likeliest guess. Never raises."""
    name = codec(charset) if charset else "utf-8"
    if name is None or name == "utf-8":
        return guess(text)
    try:
        return text.decode(name, "replace")
    except (UnicodeError, ValueError):  # utf-16 without a second octet, and what else codecs may find
        return guess(text)


def guess(text: bytes) -> str:
    """Text nobody named a charset for: UTF-8 if it is, else Windows' Latin, in which every octet means something."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        pass
    damaged = text.decode("utf-8", "replace")
    # A few broken sequences in real UTF-8 (a cut in the middle) should not turn the rest into mojibake
    if damaged.count("\ufffd") * 8 < sum(1 for character in damaged if character > "\x7f"):
        return damaged
    return text.decode("cp1252", "replace")
