"""Who is who in the demo: two villages' worth of people, all of them invented."""

from __future__ import annotations

from dataclasses import dataclass

DOMAINS = ("lindenhof.example", "harbour.example")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes letters."""

    name: str
    address: str
    zone: int = 60  # minutes east of Greenwich on the clock of this person
    signature: str = ""

    @property
    def domain(self) -> str:
        """The part behind the @."""
        return self.address.rpartition("@")[2]

    @property
    def is_resident(self) -> bool:
        """Whether this person has an account here."""
        return self in RESIDENTS


# ---- people with an account

ANNA = Person(
    "Anna Brandt", "anna@lindenhof.example", signature="Anna Brandt\nLindenhof School, class 7b, geography and computing"
)
JONAS = Person("Jonas Weber", "jonas@lindenhof.example", signature="Jonas Weber · caretaker, computers, lost property")
MIRA = Person("Mira Kowalska", "mira@harbour.example", signature="Mira Kowalska\nKowalska Boatyard, north quay, shed 3")
THEO = Person("Theo Papadakis", "theo@harbour.example", signature="Theo\nHarbour office, open 7-12, or knock")
LEA = Person("Léa Fontaine", "lea@harbour.example")

RESIDENTS = (ANNA, JONAS, MIRA, THEO, LEA)

# ---- people elsewhere

PRINCIPAL = Person("Ruth Okonjo", "r.okonjo@board.lindenhof-school.example")
NOWAK = Person("Katarzyna Nowak", "k.nowak@post.example")
SOEREN = Person("Sören Möller", "soeren.moeller@post.example")
TIMUR = Person("Timur A., 7b", "timur@pupils.example")
HELENE = Person("Hélène Morvan", "h.morvan@college-roscoff.example")
BUSES = Person("Kübler Busreisen", "dispo@kuebler-bus.example")
TIMBER = Person("Hartmann Timber", "office@hartmann-timber.example")
INGRID = Person("Ingrid Dahl", "ingrid@dahl.example", signature="Ingrid Dahl, owner of LOTTE (and of her debts)")
MOTHER = Person("Halina Kowalska", "halina@dom.example")
OLGA = Person("Ольга Соколова", "o.sokolova@rivermuseum.example", 180)
HARUTO = Person("森 春斗", "h.mori@funadaiku.example", 540)
WANG = Person("王小明", "xiaoming@bronzefittings.example", 480)
ELENI = Person("Ελένη Παπαδάκη", "eleni@piraeus-mail.example", 120)
LAYLA = Person("ليلى حداد", "layla@dhowhouse.example", 240)
NOA = Person("נועה לוי", "noa@haifa-choir.example", 120)
RAVI = Person("रवि शर्मा", "ravi@raga.example", 330)
BEN = Person("Ben Achterberg", "ben@achterberg.example", signature="Ben (second bass, first with the biscuits)")
GRETA = Person("Greta Lindqvist", "greta.lindqvist@post.example")

# ---- senders that are no person

CHOIR_LIST = Person("Harbour Choir", "choir@lists.harbour-choir.example")
TIDES = Person("Tide Service", "tides@hydro.example", 0)
STATION = Person("Weather station, school roof", "station@weather.example")
BACKUP = Person("backup on quay-nas", "root@quay-nas.example")
GAZETTE = Person("The Plane & Chisel", "news@planeandchisel.example", 0)
LIBRARY = Person("Stadtbücherei", "ausleihe@buecherei.example")
SHOP = Person("Quayside Chandlery", "orders@quayside-chandlery.example", 0)
POSTMASTER = Person("Mail Delivery System", "MAILER-DAEMON@mx.post.example")
PHISHER = Person("Habour Bank Security", "service@account-verify.example", 300)
LOTTERY = Person("Dr. Goodluck Winner", "claims@bigprize.example", 0)
PILLS = Person("Varnish Wholesale Direct", "promo@varnish-deals.example", 0)
