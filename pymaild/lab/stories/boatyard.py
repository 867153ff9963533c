"""Kowalska Boatyard: the skiff LOTTE, her owner, her planks, and what they cost."""

from __future__ import annotations

from pymaild.lab.cast import GRETA, INGRID, JONAS, LEA, MIRA, SHOP, THEO, TIMBER
from pymaild.lab.letters import Letter
from pymaild.lab.things import Thing, card, pdf, photo, plan, table

OFFER = pdf(
    "Hartmann Timber: offer 2217",
    [
        "Larch, air-dried, 28 mm, 6.2 m          9 planks      1,134.00",
        "Oak, crooked, for frames                0.3 m3          410.00",
        "Delivery to the north quay                               60.00",
        "",
        "Total                                                 1,604.00",
        "",
        "Valid for four weeks. Knots are free of charge.",
    ],
)
INVOICE = pdf(
    "Kowalska Boatyard: invoice 31",
    ["Skiff LOTTE: three planks replaced, stem scarfed, keel bolts drawn", "", "96 hours, larch, copper, patience"],
)
PROFILE = table(
    [("station", "half breadth mm", "sheer mm")] + [(n, 180 + 95 * n - 9 * n * n, 610 - 14 * n) for n in range(11)]
)

LETTERS = (
    Letter(
        "lotte",
        INGRID,
        (MIRA,),
        "82 10:05",
        "LOTTE leaks",
        """
        Dear Mira,

        since the storm LOTTE takes a bucket an hour, and since yesterday two. I have found the place, or rather the place
        has found my foot. Can you look at her before the autumn?
        """,
        things=(Thing("the place.jpg", "image/jpeg", lambda: photo(31)),),
    ),
    Letter(
        "lotte-look",
        MIRA,
        (INGRID,),
        "82 21:30",
        "Re: LOTTE leaks",
        """
        {quote}

        Bring her on Thursday with the morning tide and leave her on the slip. Until then: do not put anything into the
        hole, above all no foam. I have spent whole winters scraping out foam.
        """,
        answers="lotte",
        flowed=True,
    ),
    Letter(
        "lotte-foam",
        INGRID,
        (MIRA,),
        "81 07:12",
        "Re: LOTTE leaks",
        """
        About the foam. How would one, theoretically, get it out again?

        {said}
        {quote}
        """,
        answers="lotte-look",
    ),
    Letter(
        "lotte-verdict",
        MIRA,
        (INGRID,),
        "77 19:48",
        "LOTTE: what I found",
        """
        Good news first: the keel is sound, the ribs are sound, and whoever built her knew what he was doing.

        Three planks on the port side are gone, the stem is soft for a hand's breadth, and the keel bolts are original,
        which I mean as a warning. I have attached the lines; red is what has to be new.

        It is six weeks of work. I'll write down every hour.
        """,
        things=(
            Thing("lotte-lines.png", "image/png", lambda: plan("LOTTE  1:20  port side")),
            Thing("lotte-offsets.csv", "text/csv; charset=utf-8", lambda: PROFILE),
        ),
    ),
    Letter(
        "lotte-go",
        INGRID,
        (MIRA,),
        "76 08:30",
        "Re: LOTTE: what I found",
        """
        Do it. My grandfather paid for her with herring, so I shall manage somehow.
        """,
        answers="lotte-verdict",
        flagged=True,
    ),
    Letter(
        "timber",
        MIRA,
        (TIMBER,),
        "75 07:45",
        "Larch, 6 m, and crooked oak",
        """
        Good morning,

        I need nine planks of larch, 28 mm, at least six metres, as few knots as the forest allows, and some oak that grew
        round a corner. What would that be, with delivery to the quay?
        """,
    ),
    Letter(
        "timber-offer",
        TIMBER,
        (MIRA,),
        "73 11:15",
        "Re: Larch, 6 m, and crooked oak",
        """
        Dear Ms Kowalska,

        please find our offer attached. The oak stood on a slope all its life and should please you.

        Hartmann Timber
        """,
        answers="timber",
        things=(Thing("offer-2217.pdf", "application/pdf", lambda: OFFER),),
    ),
    Letter(
        "timber-lea",
        MIRA,
        (LEA,),
        "73 12:01",
        "Can we afford this?",
        """
        Please look at the offer with your bookkeeper's eye, and tell me before I fall in love with the oak.
        """,
        things=(Thing("offer-2217.pdf", "application/pdf", lambda: OFFER),),
    ),
    Letter(
        "timber-lea-yes",
        LEA,
        (MIRA,),
        "72 09:20",
        "Re: Can we afford this?",
        """
        You have fallen in love already; it is in your question.

        Yes, if Ingrid pays the first half when the planks arrive, and if you send the invoice in the same month and not at
        Easter. I have made you a template.
        """,
        answers="timber-lea",
    ),
    Letter(
        "steam",
        MIRA,
        (THEO,),
        "44 06:50",
        "Steam on Tuesday",
        """
        On Tuesday morning there will be steam over shed 3, and 24 children around it. Please do not call the fire brigade
        again.
        """,
    ),
    Letter(
        "steam-theo",
        THEO,
        (MIRA,),
        "44 07:02",
        "Re: Steam on Tuesday",
        """
        {quote1}

        That was one time. And they enjoyed the coffee.
        """,
        answers="steam",
    ),
    Letter(
        "berth",
        THEO,
        (MIRA, LEA),
        "28 08:00",
        "Winter berths: who goes where",
        """
        The plan for the winter, as far as the wind allows:

            east pier     1-4   fishing boats
            north quay    5     LOTTE (when she floats)
            north quay    6-7   free, for now
            slip          -     Mira

        Whoever wants to change places asks me, not each other.
        """,
    ),
    Letter(
        "chandlery",
        SHOP,
        (MIRA,),
        "21 15:33",
        "Your order 88120 is on its way",
        """
        Thank you for your order.

        - 2 x copper rivets, 5 mm, 500 g
        - 1 x oakum, 2 kg
        - 3 x brush, badger, 50 mm

        The parcel should be with you within two working days.
        """,
        html="""\
<html><body><table width="560" cellpadding="8"><tr><td bgcolor="#20343f"><font color="#ffffff">Quayside Chandlery</font>
</td></tr><tr><td><p>Thank you for your order <b>88120</b>.</p><ul><li>2 x copper rivets, 5 mm, 500 g</li>
<li>1 x oakum, 2 kg</li><li>3 x brush, badger, 50 mm</li></ul>
<img src="https://quayside-chandlery.example/open.gif?order=88120" width="1" height="1" alt="">
</td></tr></table></body></html>
""",
        mailbox="Yard/Orders",
    ),
    Letter(
        "model",
        GRETA,
        (MIRA,),
        "18 22:47",
        "A model of my father's boat",
        """
        Dear Ms Kowalska,

        my father fished from your harbour until 1971. I should like a model of his boat for my son, about as long as a
        forearm. I have two photographs and his stories. Is that enough?
        """,
        things=(
            Thing("1958.jpg", "image/jpeg", lambda: photo(41, (480, 320))),
            Thing("1966.jpg", "image/jpeg", lambda: photo(42, (480, 320))),
        ),
        flagged=True,
    ),
    Letter(
        "model-answer",
        MIRA,
        (GRETA,),
        "17 21:15",
        "Re: A model of my father's boat",
        """
        Dear Ms Lindqvist,

        the stories are the better source: photographs do not say how she behaved. Please write down whatever you remember,
        even what seems to have nothing to do with the boat.

        I'd start in January, when the shed is too cold for glue and too quiet for anything else.
        """,
        answers="model",
        flowed=True,
    ),
    Letter(
        "launch",
        MIRA,
        (INGRID, THEO, LEA, JONAS),
        "8 18:18",
        "LOTTE goes back into the water",
        """
        Saturday, ten o'clock, an hour before high water. She will leak for a day until the planks have swollen; that is as
        it should be, so please no advice.

        Ingrid brings soup, the choir brings itself.
        """,
        flagged=True,
    ),
    Letter(
        "launch-ingrid",
        INGRID,
        (MIRA,),
        "8 19:02",
        "Re: LOTTE goes back into the water",
        """
        Soup for forty. I have bought new oars and cried a little in the shop.
        """,
        cc=(THEO, LEA, JONAS),
        answers="launch",
    ),
    Letter(
        "launch-jonas",
        JONAS,
        (MIRA,),
        "7 07:20",
        "Re: LOTTE goes back into the water",
        """
        I'll bring the projector that works, a loudspeaker, and fourteen gloves.
        """,
        cc=(INGRID, THEO, LEA),
        answers="launch-ingrid",
    ),
    Letter(
        "launch-dry",
        THEO,
        (MIRA,),
        "2 17:45",
        "She floats",
        """
        Twenty hours, and LOTTE's bilge has one finger of water in it. I looked with my own finger.

        ⛵ Well done.
        """,
        things=(Thing("lotte-afloat.jpg", "image/jpeg", lambda: photo(51)),),
        flagged=True,
    ),
    Letter(
        "invoice",
        MIRA,
        (INGRID,),
        "1 21:40",
        "Invoice for LOTTE",
        """
        Dear Ingrid,

        here it is. Léa says I have to write a date on it, so I have.
        """,
        cc=(LEA,),
        things=(
            Thing("invoice-31.pdf", "application/pdf", lambda: INVOICE),
            Thing("mira.vcf", "text/vcard; charset=utf-8", lambda: card("Mira Kowalska", MIRA.address, "Boatbuilder")),
        ),
    ),
    Letter(
        "draft-timber",
        MIRA,
        (TIMBER,),
        "1 22:30",
        "Re: Larch, 6 m, and crooked oak",
        """
        The oak was so good that I have kept the offcuts. Do you have more from that slope? About
        """,
        answers="timber-offer",
        draft=True,
    ),
)
