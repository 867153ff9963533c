"""The words of all messages of an account, in the index: which messages may have a text, without reading any.

    word        every casemapped word, once                                  MEETING is word 2a
    word_part   its runs of three characters (FTS5, trigram)                 words with EETI in them: 2a, ...
    word_place  which texts have a word (FTS5): 2n is body, 2n + 1 header of text n
    text_of     the text of each message; 0: its words are not kept

A copy of a message has the same text, so COPY and MOVE cost a row. Texts of messages that are gone find nothing, because
their numbers are not given out again; when they outnumber the others all words are forgotten and kept anew. Where SQLite
has no FTS5 nothing of this is there, and messages are read instead.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pymaild.store import find, index, rows
from pymaild.store.index import Box

if TYPE_CHECKING:
    from pymaild.search.words import Piece, Words

_UNKNOWN = "NOT EXISTS (SELECT 1 FROM text_of WHERE text_of.key = message.key)"
_VALUES = "SELECT value FROM json_each(?)"
_SPARE = 10_000  # texts of messages that are gone, which are never too many
_GRAM = 3
_MOST_GRAMS = 40  # of a word that are looked for; the word itself decides
_TOGETHER = 16  # words looked up by one question
_FEW = 8  # one message in so many is looked up by its text


def there(db: sqlite3.Connection) -> bool:
    """Whether words are kept."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'word_place'").fetchone() is not None


# ---- asking


def candidates(db: sqlite3.Connection, box: Box, pieces: Sequence[Piece], in_header: bool) -> tuple[array[int], array[int]]:
    """The uids of the messages that have all these pieces in their words, and of those whose words are not known."""
    if not there(db):
        return array("I"), find.read_uids(db, "message", "1", (box.first_key, box.last_key))
    unknown = find.read_uids(db, "text_of", "text = 0", (box.first_key, box.last_key))
    if box.text_uid < box.uidnext:
        unknown.extend(find.read_uids(db, "message", _UNKNOWN, (box.first_key + box.text_uid, box.last_key)))
    texts = _texts(db, pieces[0], in_header)
    for piece in pieces[1:]:
        texts &= _texts(db, piece, in_header) if texts else set()
    if not texts:
        return array("I"), unknown
    column = "text" if len(texts) * _FEW < box.messages else "+text"  # by the index on it, or from one end to the other
    condition = f"{column} IN ({_VALUES})"
    found = find.read_uids(db, "text_of", condition, (box.first_key, box.last_key, json.dumps(list(texts))))
    return found if column == "+text" else array("I", sorted(found)), unknown


def _texts(db: sqlite3.Connection, piece: Piece, in_header: bool) -> set[int]:
    """The texts that have the piece in a word."""
    words, found = _words(db, piece), set[int]()
    sql = "SELECT rowid FROM word_place WHERE word_place MATCH ?"
    for start in range(0, len(words), _TOGETHER):
        for (place,) in db.execute(sql, (" OR ".join(words[start : start + _TOGETHER]),)):
            if in_header or not place & 1:
                found.add(place >> 1)
    return found


def _words(db: sqlite3.Connection, piece: Piece) -> list[str]:
    """The words that the piece can be part of, or is."""
    text = piece.text
    if not piece.begins_inside and not piece.ends_inside:
        return _ids(db, "text = ?", [text])
    if not piece.begins_inside:
        return _ids(db, "text BETWEEN ? AND ?", [text, text + "\U0010ffff"])  # which is in no word
    condition, values = "instr(text, ?)", [text]
    if not piece.ends_inside:
        condition, values = "substr(text, -length(?)) = ?", [text, text]
    grams = [f'"{text[at : at + _GRAM]}"' for at in range(min(len(text) - _GRAM + 1, _MOST_GRAMS))]
    if not grams:
        return _ids(db, condition, values)
    match = "id IN (SELECT rowid FROM word_part WHERE word_part MATCH ?)"
    return _ids(db, f"{match} AND {condition}", [" AND ".join(grams), *values])


def _ids(db: sqlite3.Connection, condition: str, values: list[str]) -> list[str]:
    sql = "SELECT printf('%x', id) FROM word WHERE " + condition  # noqa: S608 - one of the four above
    return [word for (word,) in db.execute(sql, values)]


# ---- filling


def unread(db: sqlite3.Connection, box: Box, limit: int) -> tuple[list[int], int]:
    """Messages whose words are not known, from the oldest on; and the uid below which now all will be."""
    if not there(db):
        return [], box.uidnext
    sql = f"SELECT key & 4294967295 FROM message WHERE key BETWEEN ? AND ? AND {_UNKNOWN} ORDER BY key LIMIT ?"  # noqa: S608
    found = [uid for (uid,) in db.execute(sql, (box.first_key + box.text_uid, box.last_key, limit))]
    return found, found[-1] + 1 if len(found) >= limit else box.uidnext


def keep(db: sqlite3.Connection, box: Box, made: dict[int, Words | None]) -> None:
    """Keep the words of messages, of those that are still there and not known meanwhile."""
    known = find.read_uids(db, "text_of", f"key IN ({_VALUES})", (box.first_key, box.last_key, rows.keys(box, list(made))))
    made = {uid: words for uid, words in made.items() if uid not in known}
    ids = _numbered(db, {word for words in made.values() if words for word in words.header | words.body})
    text = db.execute("SELECT value FROM meta WHERE name = 'text'").fetchone()[0]
    places, texts = [], []
    for uid, words in made.items():
        if words is not None:
            text += 1
            for place, some in ((2 * text, words.body), (2 * text + 1, words.header)):
                places.append((place, " ".join(map(ids.__getitem__, some))))
        key = box.first_key + uid
        texts.append((key, text if words is not None else 0, key))
    db.executemany("INSERT INTO word_place (rowid, words) VALUES (?, ?)", places)
    db.executemany("INSERT OR REPLACE INTO text_of SELECT ?, ? WHERE EXISTS (SELECT 1 FROM message WHERE key = ?)", texts)
    db.execute("UPDATE meta SET value = ? WHERE name = 'text'", (text,))


def is_wasteful(db: sqlite3.Connection) -> bool:
    """Whether most texts are those of messages that are gone."""
    texts = db.execute("SELECT value FROM meta WHERE name = 'text'").fetchone()[0]
    return bool(texts > 2 * index.usage(db)[1] + _SPARE)


def forget(db: sqlite3.Connection) -> None:
    """All words; who asks meanwhile has messages read."""
    db.execute("DELETE FROM text_of")
    db.execute("INSERT INTO word_place (word_place) VALUES ('delete-all')")
    db.execute("INSERT INTO word_part (word_part) VALUES ('delete-all')")
    db.execute("DELETE FROM word")
    db.execute("UPDATE mailbox SET text_uid = 1")
    db.execute("UPDATE meta SET value = 0 WHERE name = 'text'")


def _numbered(db: sqlite3.Connection, words: Iterable[str]) -> dict[str, str]:
    """The number of each word, in the digits that word_place has; new ones get one."""
    known = json.dumps(sorted(words), ensure_ascii=False)
    newest = db.execute("SELECT coalesce(max(id), 0) FROM word").fetchone()[0]
    db.execute("INSERT OR IGNORE INTO word (text) SELECT value FROM json_each(?)", (known,))
    db.execute("INSERT INTO word_part (rowid, text) SELECT id, text FROM word WHERE id > ?", (newest,))
    sql = "SELECT text, printf('%x', id) FROM word WHERE text IN (SELECT value FROM json_each(?))"
    return dict(db.execute(sql, (known,)).fetchall())
