"""The Harbour Choir: its mailing list, its rehearsals and its one concert."""

from __future__ import annotations

from datetime import UTC, datetime

from pymaild.lab.cast import BEN, CHOIR_LIST, GRETA, INGRID, LEA, MIRA, THEO, Person
from pymaild.lab.letters import Letter
from pymaild.lab.things import Thing, invitation, pdf

LIST_FIELDS = (
    ("List-Id", "The Harbour Choir <choir.lists.harbour-choir.example>"),
    ("List-Post", "<mailto:choir@lists.harbour-choir.example>"),
    ("List-Help", "<mailto:choir-request@lists.harbour-choir.example?subject=help>"),
    ("List-Unsubscribe", "<mailto:choir-request@lists.harbour-choir.example?subject=unsubscribe>"),
    ("List-Archive", "<https://lists.harbour-choir.example/choir/>"),
    ("Precedence", "list"),
)
SCORE = pdf("Shenandoah, four parts", ["Sopranos breathe after bar 8.", "Basses breathe when they must."])
REHEARSAL = invitation(
    "dress-rehearsal@harbour.example", "Dress rehearsal", "Net loft", datetime(2024, 6, 6, 18, 0, tzinfo=UTC)
)
DIGEST = "\r\n".join(
    [
        "--=digest",
        "",
        "From: Ben Achterberg <ben@achterberg.example>",
        "Subject: [choir] heating in the net loft",
        "",
        "It works again. Wear a scarf all the same.",
        "",
        "--=digest",
        "",
        "From: Greta Lindqvist <greta.lindqvist@post.example>",
        "Subject: [choir] black folders",
        "",
        "I have six too many, who has too few?",
        "",
        "--=digest--",
        "",
    ]
).encode()
SINGERS = (THEO, LEA, MIRA)


def post(key: str, sender: Person, when: str, subject: str, text: str, answers: str = "", **more: object) -> Letter:
    """A letter to the list, as the list hands it on to its members here."""
    return Letter(
        key,
        sender,
        (CHOIR_LIST, *(singer for singer in SINGERS if singer != sender)),
        when,
        ("Re: " if answers else "") + "[choir] " + subject,
        text,
        answers=answers,
        fields=LIST_FIELDS,
        mailbox="Choir",
        **more,  # type: ignore[arg-type]
    )


LETTERS = (
    post(
        "season",
        THEO,
        "70 20:15",
        "The new season",
        """
        Friends,

        we begin on Thursday at half past seven, in the net loft, upstairs, mind the third step. This winter: two shanties,
        one Bach chorale, "Shenandoah", and something from each place our parents came from.

        Bring a pencil. Not a pen.
        """,
    ),
    post(
        "season-ben",
        BEN,
        "70 21:02",
        "The new season",
        """
        {quote2}

        Which Bach? I ask for the second basses, who have had the same four notes since I joined.
        """,
        answers="season",
    ),
    post(
        "season-theo",
        THEO,
        "69 07:10",
        "The new season",
        """
        The one with five notes.

        {said}
        {quote}
        """,
        answers="season-ben",
    ),
    post(
        "season-ingrid",
        INGRID,
        "69 09:41",
        "The new season",
        """
        I can offer a Norwegian lullaby in which nothing happens for four verses. It is beautiful and nobody stays awake.
        """,
        answers="season",
    ),
    post(
        "season-lea",
        LEA,
        "68 18:00",
        "The new season",
        """
        From my side: "La mer est infinie", a Breton round that my aunt sang while mending nets. It needs three voices and
        no talent, so we can take it to the harbour festival.
        """,
        answers="season",
        flowed=True,
    ),
    post(
        "score",
        LEA,
        "60 17:30",
        "Shenandoah: the clean copy",
        """
        I have typed the parts again, because the old copy had coffee on bar 12 and everybody sang the coffee.
        """,
        things=(Thing("shenandoah.pdf", "application/pdf", lambda: SCORE),),
    ),
    post(
        "score-greta",
        GRETA,
        "60 22:14",
        "Shenandoah: the clean copy",
        """
        Thank you! Is the b flat in bar 12 real, or also coffee?
        """,
        answers="score",
    ),
    post(
        "score-lea",
        LEA,
        "59 07:45",
        "Shenandoah: the clean copy",
        """
        {quote}

        Coffee. It is a b natural. I'll correct it by hand on Thursday.
        """,
        answers="score-greta",
    ),
    post(
        "biscuits",
        BEN,
        "47 12:12",
        "biscuits",
        """
        A vote, please, for the break:

        1. almond
        2. ginger
        3. both, as always
        """,
    ),
    post("biscuits-mira", MIRA, "47 12:20", "biscuits", "3.", answers="biscuits"),
    post("biscuits-theo", THEO, "47 12:31", "biscuits", "3. And somebody please sweep up afterwards.", answers="biscuits"),
    post(
        "cold",
        GRETA,
        "26 08:30",
        "The altos have a cold",
        """
        Three of four. I can still speak, but only as a tenor. Shall we move the rehearsal, or shall we move me?
        """,
    ),
    post(
        "cold-theo",
        THEO,
        "26 09:05",
        "The altos have a cold",
        """
        We move nothing. Altos listen, tenors welcome a guest. Tea with thyme is on the stove from seven.
        """,
        answers="cold",
    ),
    post(
        "digest",
        CHOIR_LIST,
        "22 06:00",
        "digest, two messages",
        """
        The following messages were sent to the list since yesterday.
        """,
        things=(Thing("", 'multipart/digest; boundary="=digest"', lambda: DIGEST),),
    ),
    post(
        "dress",
        THEO,
        "15 19:30",
        "Dress rehearsal in the net loft",
        """
        Black shoes, black folders, no perfume: the loft is small. The calendar entry is attached for those who live by
        their telephones.
        """,
        things=(Thing("rehearsal.ics", "text/calendar; charset=utf-8; method=PUBLISH", lambda: REHEARSAL),),
    ),
    post(
        "launch-song",
        LEA,
        "7 21:00",
        "Saturday at the slip: what do we sing?",
        """
        Mira wants us at ten, an hour before high water. I suggest the shanty while she slides, and the round once she
        swims. If she does not swim: the lullaby.
        """,
    ),
    post(
        "launch-song-ben",
        BEN,
        "7 21:18",
        "Saturday at the slip: what do we sing?",
        """
        {quote1}

        Agreed. I'll bring both kinds of biscuits and a tarpaulin.
        """,
        answers="launch-song",
    ),
    post(
        "launch-song-ingrid",
        INGRID,
        "6 06:55",
        "Saturday at the slip: what do we sing?",
        """
        Not the lullaby. She has slept long enough.
        """,
        answers="launch-song",
    ),
    post(
        "applause",
        THEO,
        "1 09:30",
        "Saturday",
        """
        You sang in tune, outdoors, in a north-easterly of five. The seals stayed to the end. I have nothing to add.
        """,
    ),
    post(
        "applause-greta",
        GRETA,
        "1 10:11",
        "Saturday",
        """
        The seals stayed for the fish rolls. But thank you 🦭🎶
        """,
        answers="applause",
    ),
    Letter(
        "hall",
        LEA,
        (THEO,),
        "11 14:00",
        "Accounts of the choir, until today",
        """
        We have 412.60 in the box: 380 from dues, 60 from the festival, minus 27.40 for pencils that everybody keeps.

        For the concert we need chairs (free, if we carry them) and candles (not free). I'd put out a hat.
        """,
    ),
    Letter(
        "hall-theo",
        THEO,
        (LEA,),
        "11 16:20",
        "Re: Accounts of the choir, until today",
        """
        {quote2}

        My cap, then. It has held more than money in its life.
        """,
        answers="hall",
    ),
)
