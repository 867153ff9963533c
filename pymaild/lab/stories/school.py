"""Lindenhof School: class 7b, its excursion to the harbour, its weather station and its lost property."""

from __future__ import annotations

from datetime import UTC, datetime

from pymaild.lab.cast import (
    ANNA,
    BUSES,
    HELENE,
    JONAS,
    LEA,
    LIBRARY,
    MIRA,
    NOWAK,
    PRINCIPAL,
    SOEREN,
    THEO,
    TIMUR,
)
from pymaild.lab.letters import Letter
from pymaild.lab.things import Thing, archive, invitation, pdf, photo, plan, table

LIFEJACKETS = table(
    [
        ("size", "pupils", "weight kg"),
        ("S", 6, "30-40"),
        ("M", 13, "40-50"),
        ("L", 5, "50-60"),
        ("grown-up", 2, "70-90"),
    ]
)
CLASS_TRIP = invitation(
    "trip-7b@lindenhof.example", "Class 7b at the boatyard", "North quay, shed 3", datetime(2024, 5, 14, 7, 0, tzinfo=UTC)
)
FORM = pdf(
    "Permission: one day at the harbour",
    [
        "My child may come to the harbour with class 7b.",
        "",
        "My child can swim:   [ ] yes   [ ] a little   [ ] no",
        "My child may eat fish rolls:   [ ] yes   [ ] no",
        "",
        "Please give this page back to Ms Brandt by Friday.",
        "",
        "Signature: ______________________________",
    ],
)
FORWARDED = (
    b"From: =?iso-8859-1?Q?H=E9l=E8ne_Morvan?= <h.morvan@college-roscoff.example>\r\n"
    b"To: Anna Brandt <anna@lindenhof.example>\r\n"
    b"Subject: =?iso-8859-1?Q?=C9change_scolaire_=3A_nos_=E9l=E8ves_de_cinqui=E8me?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Nos =E9l=E8ves seraient ravis d'=E9crire =E0 votre classe.\r\n"
)
NEWSPAPER_PAGE = """\
<!doctype html><html><head><title>Der Lindenzweig</title></head>
<body style="font-family: Georgia, serif; max-width: 38em">
<h1>Der Lindenzweig</h1><p><em>The school newspaper that appears when it is ready</em></p>
<img src="cid:harbour-1@lindenhof.example" width="480" alt="Boats in the evening, seen from the north quay">
<h2>7b builds a boat (nearly)</h2>
<p>Twenty-four pupils, one plank, one question: <strong>why does wood bend?</strong> Because it is wet, hot and in a hurry,
says boatbuilder Mira Kowalska, and hands round the gloves.</p>
<h2>Lost and found</h2><ul><li>11 single gloves</li><li>1 recorder</li><li>1 sandwich (no longer available)</li></ul>
</body></html>
"""

LETTERS = (
    Letter(
        "trip",
        ANNA,
        (MIRA,),
        "58 16:12",
        "A day at your boatyard with class 7b?",
        """
        Dear Ms Kowalska,

        I teach geography to 24 thirteen-year-olds who live ten kilometres from the sea and believe that boats come out
        of factories. Would you let us watch you for a morning? We would bring our own sandwiches and touch only what we
        are told to touch.

        Any Tuesday or Wednesday in the coming weeks would suit us.
        """,
        cc=(THEO,),
        flowed=True,
        mailbox="School",
    ),
    Letter(
        "trip-yes",
        MIRA,
        (ANNA,),
        "57 20:41",
        "Re: A day at your boatyard with class 7b?",
        """
        {said}
        {quote2}

        Yes, with pleasure, if you come while the plank for LOTTE is in the steam box: then there is something to see and
        everybody is needed. Tuesday in two weeks, eight o'clock, high water is at nine.

        Old clothes. No loose scarves near the band saw.
        """,
        cc=(THEO,),
        answers="trip",
        flagged=True,
    ),
    Letter(
        "trip-jackets",
        ANNA,
        (MIRA,),
        "56 07:31",
        "Re: A day at your boatyard with class 7b?",
        """
        Wonderful, thank you. Here is the list of life-jacket sizes, counted this morning amid great hilarity. Two of the
        "M" insist that they are "L".

        {said}
        {quote}
        """,
        cc=(THEO, JONAS),
        answers="trip-yes",
        things=(Thing("life-jackets.csv", "text/csv; charset=utf-8", lambda: LIFEJACKETS),),
    ),
    Letter(
        "trip-theo",
        THEO,
        (ANNA, MIRA),
        "56 07:55",
        "Re: A day at your boatyard with class 7b?",
        """
        I have 30 jackets in the harbour office, all checked in spring. Come by the office first, then we do the sizes
        once more, by trying on and not by counting.

        {quote1}
        """,
        answers="trip-jackets",
    ),
    Letter(
        "trip-map",
        MIRA,
        (ANNA,),
        "49 21:03",
        "How to find shed 3",
        """
        The map shows shed 4 twice and shed 3 not at all; whoever drew it has been dead for sixty years, so I have drawn
        you another one. The bus can turn at the crane.
        """,
        things=(Thing("Weg zum Schuppen 3 (größer).png", "image/png", lambda: plan("crane > slip > shed 3")),),
    ),
    Letter(
        "bus",
        BUSES,
        (ANNA,),
        "50 10:20",
        "Bestätigung Ihrer Fahrt - Klasse 7b, Hafen",
        """
        Sehr geehrte Frau Brandt,

        wir bestätigen Ihre Fahrt zum Hafen mit 26 Plätzen. Abfahrt 7:15 Uhr an der Schule, Rückfahrt 13:00 Uhr am Kran.
        Der Preis beträgt 286,00 €, zahlbar nach der Fahrt.

        Mit freundlichen Grüßen
        Kübler Busreisen
        """,
        charset="iso-8859-15",
        words="Q",
    ),
    Letter(
        "form",
        ANNA,
        (NOWAK, SOEREN),
        "52 15:00",
        "Einverständnis für den Ausflug an den Hafen",
        """
        Liebe Eltern der 7b,

        wir fahren an den Hafen und sehen zu, wie eine Planke über Dampf gebogen wird. Bitte geben Sie Ihrem Kind das
        unterschriebene Blatt bis Freitag mit, dazu alte Kleidung und etwas zu essen.

        Wer nicht schwimmen kann, bekommt eine Weste mehr und einen Platz neben mir.
        """,
        cc=(JONAS,),
        things=(Thing("Einverständnis.pdf", "application/pdf", lambda: FORM),),
        mailbox="School",
    ),
    Letter(
        "form-soeren",
        SOEREN,
        (ANNA,),
        "51 19:44",
        "AW: Einverständnis für den Ausflug an den Hafen",
        """
        Hallo Frau Brandt,

        Jette darf mit, Jette darf Fischbrötchen, Jette schwimmt wie ein Seehund. Nur die Säge würde ich ihr nicht in die
        Hand geben, das haben wir zu Hause schon versucht.

        Viele Grüße, Sören Möller

        {quote2}
        """,
        answers="form",
        charset="iso-8859-1",
        words="Q",
    ),
    Letter(
        "form-nowak",
        NOWAK,
        (ANNA,),
        "51 21:10",
        "Odp: Einverständnis für den Ausflug an den Hafen",
        """
        Dzień dobry,

        Kacper może jechać. Proszę tylko pamiętać, że nie je ryb - spakuję mu kanapki z serem. Dziękujemy za tę wycieczkę,
        od tygodnia mówi już tylko o łodziach!

        Pozdrawiam serdecznie
        Katarzyna Nowak
        """,
        answers="form",
        charset="iso-8859-2",
        words="Q",
    ),
    Letter(
        "trip-invitation",
        ANNA,
        (MIRA, THEO, JONAS),
        "45 12:00",
        "Invitation: Class 7b at the boatyard",
        """
        So that nobody can say it was not in the calendar.
        """,
        things=(Thing("invite.ics", "text/calendar; charset=utf-8; method=REQUEST", lambda: CLASS_TRIP),),
        mailbox="School",
    ),
    Letter(
        "trip-thanks",
        ANNA,
        (MIRA, THEO),
        "42 18:25",
        "Thank you (and one missing glove)",
        """
        Nobody fell in, nobody lost a finger, and on the way back the bus was quiet, which the driver says has not
        happened since 1998. Three pupils want to become boatbuilders, one wants to become the crane.

        Emil's left glove must still be somewhere near the steam box. It is red, or was.

        Some photographs for your wall.
        """,
        things=(
            Thing("quay-1.jpg", "image/jpeg", lambda: photo(11)),
            Thing("quay-2.jpg", "image/jpeg", lambda: photo(12)),
        ),
        flagged=True,
    ),
    Letter(
        "trip-glove",
        MIRA,
        (ANNA,),
        "41 22:02",
        "Re: Thank you (and one missing glove)",
        """
        {quote2}

        The glove went through the steam box and is now a size smaller and very clean. It hangs on the nail beside the
        door. Tell Emil that wool bends too.
        """,
        cc=(THEO,),
        answers="trip-thanks",
    ),
    Letter(
        "newspaper",
        JONAS,
        (ANNA, LEA, MIRA),
        "36 13:37",
        "Der Lindenzweig, autumn issue",
        """
        The new issue is below, with a picture. If you see only text: that is all right too, the text is the better half.

        7b builds a boat (nearly). Lost and found: 11 single gloves, 1 recorder, 1 sandwich (no longer available).
        """,
        html=NEWSPAPER_PAGE,
        things=(Thing("harbour.jpg", "image/jpeg", lambda: photo(21, (480, 300)), "harbour-1@lindenhof.example"),),
    ),
    Letter(
        "exchange",
        HELENE,
        (ANNA,),
        "33 09:15",
        "Échange scolaire : nos élèves de cinquième",
        """
        Chère collègue,

        Nos élèves seraient ravis d'écrire à votre classe. Ils sont vingt-deux, ils aiment la mer, les crêpes et les
        jeux vidéo, à peu près dans cet ordre. Pourrions-nous commencer par une lettre chacun, avant Noël ?

        Ici la marée descend de neuf mètres ; je crois que cela leur fera un premier sujet.

        Bien cordialement,
        Hélène Morvan
        """,
        charset="iso-8859-1",
        words="Q",
        flagged=True,
    ),
    Letter(
        "exchange-lea",
        ANNA,
        (LEA,),
        "33 16:50",
        "Fwd: Échange scolaire : nos élèves de cinquième",
        """
        Dear Léa,

        my French ends where the jokes begin. Would you read this and tell me whether I may answer in a mixture?
        """,
        things=(
            Thing(
                "",
                "message/rfc822",
                lambda: FORWARDED,
            ),
        ),
    ),
    Letter(
        "exchange-answer",
        LEA,
        (ANNA,),
        "32 08:08",
        "Re: Fwd: Échange scolaire : nos élèves de cinquième",
        """
        A mixture is perfect: she writes the way she talks, and she will like it that you try. "Cinquième" is their seventh
        year, so they are exactly the age of yours.

        I'd begin with the tide. Nine metres! Here it is three, on a good day.
        """,
        answers="exchange-lea",
    ),
    Letter(
        "station-plan",
        JONAS,
        (ANNA,),
        "30 11:11",
        "The weather station on the roof",
        """
        It is up, it is screwed on, and it has survived the first pigeon. It sends a table every morning. Columns: hour,
        temperature, wind in m/s, rain in mm.

        If the wind reads 0.0 all day: that is the pigeon again.
        """,
    ),
    Letter(
        "station-thanks",
        ANNA,
        (JONAS,),
        "30 14:30",
        "Re: The weather station on the roof",
        """
        {quote2}

        7b has named the pigeon Beaufort. They would like a camera as well, "for science".
        """,
        answers="station-plan",
    ),
    Letter(
        "question",
        TIMUR,
        (ANNA,),
        "6 17:20",
        "question about the homework (SMTP)",
        """
        hello ms brandt

        i talked to the mail server by hand like you showed us and it said 250 every time but after DATA it said 354. is
        354 an error? i did not break it i promise

        timur
        """,
        encoding="7bit",
        charset="us-ascii",
    ),
    Letter(
        "question-answer",
        ANNA,
        (TIMUR,),
        "6 19:02",
        "Re: question about the homework (SMTP)",
        """
        Dear Timur,

        you broke nothing. The first digit tells you how it went: 2 means done, 3 means "go on, I am listening", 4 means
        "not now", 5 means "no". 354 is the server waiting for your message; it ends with a dot on a line of its own.

        Extra question for Friday: what happens when your message itself has a line with a single dot?
        """,
        cc=(JONAS,),
        answers="question",
        flowed=True,
    ),
    Letter(
        "question-dot",
        TIMUR,
        (ANNA,),
        "5 16:05",
        "Re: question about the homework (SMTP)",
        """
        you have to write two dots!! and the server takes one away. i tried it. it is called dot stuffing which is a very
        good name

        {said}
        {quote3}
        """,
        answers="question-answer",
        encoding="7bit",
        charset="us-ascii",
        flagged=True,
    ),
    Letter(
        "board",
        PRINCIPAL,
        (ANNA, JONAS),
        "12 09:00",
        "Parents' evening: Thursday, 19:00, the hall",
        """
        Dear both,

        please bring: the boat photographs (Anna), the projector that works (Jonas), and the other projector (Jonas).
        We start at seven and end at nine, whatever happens.
        """,
    ),
    Letter(
        "board-jonas",
        JONAS,
        (PRINCIPAL, ANNA),
        "12 09:40",
        "Re: Parents' evening: Thursday, 19:00, the hall",
        """
        Both projectors work. One of them works only when it is not being watched. I'll bring a sheet and a torch for the
        worst case.
        """,
        answers="board",
    ),
    Letter(
        "library",
        LIBRARY,
        (ANNA,),
        "9 06:00",
        "Erinnerung: 2 Medien sind bald fällig",
        """
        Guten Tag,

        folgende Medien sind in drei Tagen fällig:

        * Knoten, Spleiße und Taue - ein Handbuch
        * Ebbe und Flut: Gezeiten für Kinder

        Sie können zweimal verlängern. Diese Nachricht wurde automatisch erstellt.
        """,
        charset="iso-8859-1",
        encoding="8bit",
        words="Q",
        fields=(("Auto-Submitted", "auto-generated"),),
    ),
    Letter(
        "lost",
        JONAS,
        (ANNA,),
        "3 12:15",
        "Lost property 🧤🧤🧤 (fourteen gloves, no pairs)",
        """
        A record. I'll lay them out on the window sill by the stairs; what is still there on Friday goes to Mira for wiping
        varnish.

        🧤 9 left, 5 right
        🧦 2 socks, related
        🎺 1 mouthpiece, which somebody must be missing
        """,
    ),
    Letter(
        "lost-anna",
        ANNA,
        (JONAS,),
        "3 12:40",
        "Re: Lost property 🧤🧤🧤 (fourteen gloves, no pairs)",
        """
        The mouthpiece is Emil's. He has played the recorder for a week and told nobody.
        """,
        answers="lost",
    ),
    Letter(
        "reports",
        ANNA,
        (PRINCIPAL,),
        "1 20:30",
        "Project week: texts and pictures",
        """
        Everything in one archive: three texts, the drawing, the table of the weather station. The text on the tide is
        Kacper's and needs no correction except for the whale.
        """,
        cc=(JONAS,),
        things=(
            Thing(
                "project-week.zip",
                "application/zip",
                lambda: archive(
                    {
                        "tide.txt": b"Twice a day the sea goes away and comes back. Nobody calls it.\n",
                        "steam.txt": b"Wood bends when it is hot and wet, and so do people.\n",
                        "wind.txt": b"Beaufort is a scale and a pigeon.\n",
                        "boat.png": plan("LOTTE, drawn by 7b"),
                        "jackets.csv": LIFEJACKETS,
                    }
                ),
            ),
        ),
    ),
    Letter(
        "draft-exchange",
        ANNA,
        (HELENE,),
        "2 21:55",
        "Re: Échange scolaire : nos élèves de cinquième",
        """
        Chère Hélène,

        merci pour votre lettre ! Ici la mer ne descend que de trois mètres, mais mes élèves sont très fiers de
        """,
        answers="exchange",
        draft=True,
    ),
)
