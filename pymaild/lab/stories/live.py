"""What is written while the demo runs: first some letters that were thought about, then the harbour's log without end."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pymaild.lab.cast import ANNA, BEN, GRETA, INGRID, JONAS, LEA, MIRA, STATION, THEO, TIMBER, TIMUR
from pymaild.lab.letters import Letter
from pymaild.lab.things import Thing, photo

FIRST = (
    Letter(
        "now-pigeon",
        JONAS,
        (ANNA, MIRA),
        "-0",
        "Beaufort: the photograph",
        """
        As demanded. He did not move for it, and he has not moved since.
        """,
        things=(Thing("beaufort.jpg", "image/jpeg", lambda: photo(71, (480, 300))),),
    ),
    Letter(
        "now-lines",
        MIRA,
        (THEO,),
        "-0",
        "Re: Gale warning for tonight",
        """
        Lines doubled, hatch shut, kettle on. LOTTE lies as if she had never done anything else.
        """,
        cc=(LEA,),
    ),
    Letter(
        "now-timber",
        TIMBER,
        (MIRA,),
        "-0",
        "More oak from the slope",
        """
        Dear Ms Kowalska,

        two more trunks came down in last night's wind. Shall we put them aside for you?

        Hartmann Timber
        """,
    ),
    Letter(
        "now-timur",
        TIMUR,
        (ANNA,),
        "-0",
        "one more question",
        """
        hello ms brandt

        if 250 means the server has it, who has it when the power goes out after the 250?

        timur
        """,
        charset="us-ascii",
        encoding="7bit",
    ),
    Letter(
        "now-anna",
        ANNA,
        (JONAS,),
        "-0",
        "Timur asks about power cuts",
        """
        He has reached the question that fills libraries. May we switch off the server for him on Friday?
        """,
    ),
    Letter(
        "now-greta",
        GRETA,
        (MIRA, LEA),
        "-0",
        "What my mother remembers",
        """
        Four pages about the boat, two of them about the dog that always sat in the bow. I'll send both.
        """,
    ),
    Letter(
        "now-ben",
        BEN,
        (THEO, LEA),
        "-0",
        "Grüße vom zweiten Bass: à bientôt, до скорого",
        """
        I am on the train and practise my five notes. The compartment has emptied.
        """,
    ),
    Letter(
        "now-ingrid",
        INGRID,
        (MIRA,),
        "-0",
        "First sail",
        """
        Two hours, out to the buoy and back, dry feet ⛵. My grandfather would have said nothing and looked for a long time.
        """,
    ),
    Letter(
        "now-lea",
        LEA,
        (MIRA, THEO, ANNA, JONAS),
        "-0",
        "Soup is left",
        """
        For eleven people, from seven o'clock, in the net loft. First come, first soup.
        """,
    ),
)

_SHIPS = ("MS Ilse", "Seestern", "FV Havørn", "Dolores", "Anna-Lena", "SY Pelikan", "Tern", "Möwe II")
_CARGOES = ("mussels", "plaice", "ice", "gravel", "two engines", "a piano", "nothing, and in good spirits", "herring")
_WINDS = ("north-east", "east", "south-west", "west", "north", "variable")


def letters(seed: int) -> Iterator[Letter]:
    """The first ones, then turns of the harbour's log and the weather station."""
    yield from FIRST
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        yield _log_entry(number, rng) if number % 3 else _reading(number, rng)


def _log_entry(number: int, rng: random.Random) -> Letter:
    ship, cargo, berth = rng.choice(_SHIPS), rng.choice(_CARGOES), rng.randrange(1, 9)
    others = tuple(rng.sample((MIRA, LEA), rng.randrange(1, 3)))
    return Letter(
        f"log-{number}",
        THEO,
        others,
        "-0",
        f"Harbour log {number}: {ship} is in",
        f"Berth {berth}. Cargo: {cargo}. Wind {rng.choice(_WINDS)} {rng.randrange(1, 9)}.",
    )


def _reading(number: int, rng: random.Random) -> Letter:
    wind = rng.uniform(0, 17)
    text = f"Wind {wind:.1f} m/s." if wind > 1 else "Wind 0.0 m/s. Please look for the pigeon."
    return Letter(
        f"reading-{number}",
        STATION,
        (JONAS, ANNA),
        "-0",
        f"Reading {number}: {rng.uniform(2, 14):.1f} degrees",
        text,
        charset="us-ascii",
        encoding="7bit",
        fields=(("Auto-Submitted", "auto-generated"),),
    )
