# ruff: noqa: RUF001 -- letters in other scripts are the point of this module
"""Letters from far away, in the languages and charsets of those who wrote them."""

from __future__ import annotations

from pymaild.lab.cast import ANNA, ELENI, HARUTO, LAYLA, LEA, MIRA, MOTHER, NOA, OLGA, RAVI, THEO, WANG
from pymaild.lab.letters import Letter
from pymaild.lab.things import Thing, pdf, photo, plan

LETTERS = (
    Letter(
        "mother",
        MOTHER,
        (MIRA,),
        "40 19:05",
        "Pierogi, święta i twoja łódź",
        """
        Kochana Mirko,

        tata pyta, czy łódź już pływa, a ja pytam, czy ty coś jesz. Wysłałam paczkę: pierogi z kapustą i grzybami, skarpety
        i książkę o Gdańsku. Skarpety są od cioci Żanety, więc proszę je nosić chociaż na zdjęciu.

        Całuję mocno, Mama
        """,
        charset="iso-8859-2",
        words="Q",
    ),
    Letter(
        "mother-answer",
        MIRA,
        (MOTHER,),
        "39 21:30",
        "Odp: Pierogi, święta i twoja łódź",
        """
        Kochana Mamo,

        jem, pływa, noszę. Zdjęcie w załączniku: łódź po lewej, skarpety po prawej.

        Przyjadę na święta, jeśli pociąg i pogoda pozwolą. Mirka
        """,
        answers="mother",
        things=(Thing("łódź i skarpety.jpg", "image/jpeg", lambda: photo(61)),),
    ),
    Letter(
        "museum",
        OLGA,
        (MIRA,),
        "38 11:20",
        "Чертежи деревянной лодки",
        """
        Уважаемая госпожа Ковальская,

        наш небольшой речной музей восстанавливает рыбачью лодку начала прошлого века. Половина обшивки сохранилась,
        чертежей нет. Коллеги сказали нам, что вы умеете читать лодку без чертежей.

        Можно ли прислать вам фотографии и обмеры? Мы с радостью оплатим вашу работу.

        С уважением,
        Ольга Соколова
        """,
        charset="koi8-r",
        encoding="8bit",
    ),
    Letter(
        "museum-answer",
        MIRA,
        (OLGA,),
        "37 20:10",
        "Re: Чертежи деревянной лодки",
        """
        Dear Ms Sokolova,

        please send everything, above all the nails: where they sit says where the frames were. I'll draw what I see and you
        tell me what you know. I attach an example, so that you see what to expect.
        """,
        answers="museum",
        things=(Thing("example.png", "image/png", lambda: plan("fishing boat, reconstructed")),),
    ),
    Letter(
        "brush",
        HARUTO,
        (MIRA,),
        "35 08:30",
        "ニス刷毛の件",
        """
        コワルスカ様

        こんにちは。船大工の森です。
        先日お話しした馬毛の刷毛を三本お送りしました。
        使う前に一晩、水に浸してください。
        漆ではなくニスなら、毛が長く持ちます。

        春の進水式の写真を楽しみにしています。

        森 春斗
        """,
        charset="iso-2022-jp",
        encoding="7bit",
        verbatim=True,
    ),
    Letter(
        "fittings",
        WANG,
        (MIRA,),
        "31 10:45",
        "关于青铜配件的报价",
        """
        尊敬的科瓦尔斯卡女士:

        您好!附件是您询问的青铜配件报价单。
        羊角 6 件,导缆孔 4 件,舵栓 1 副。
        我们按您的图纸铸造,大约需要三个星期。

        祝工作顺利!
        王小明
        """,
        charset="gb18030",
        encoding="base64",
        verbatim=True,
        things=(
            Thing(
                "报价单.pdf",
                "application/pdf",
                lambda: pdf("Quotation", ["6 cleats", "4 fairleads", "1 pair of rudder fittings", "", "cast in bronze"]),
            ),
        ),
    ),
    Letter(
        "cousin",
        ELENI,
        (THEO,),
        "29 22:00",
        "Χρόνια πολλά, ξάδελφε!",
        """
        Αγαπημένε μου Θόδωρε,

        χρόνια πολλά! Εδώ στον Πειραιά έχει ακόμα ζέστη και η γιαγιά λέει ότι σε περιμένει το καλοκαίρι. Η χορωδία σας ακόμα
        τραγουδάει; Στείλε μας κάτι να ακούσουμε, έστω και παράφωνο.

        Φιλιά από όλους
        Ελένη
        """,
        charset="iso-8859-7",
        words="B",
        encoding="base64",
    ),
    Letter(
        "cousin-answer",
        THEO,
        (ELENI,),
        "28 06:40",
        "Απ: Χρόνια πολλά, ξάδελφε!",
        """
        Ελένη μου,

        ευχαριστώ! Τραγουδάμε, και μάλιστα σωστά, εκτός από τους μπάσους. Το καλοκαίρι έρχομαι, πες στη γιαγιά να βάλει
        μελιτζάνες.

        Θόδωρος
        """,
        answers="cousin",
    ),
    Letter(
        "dhow",
        LAYLA,
        (MIRA,),
        "24 13:15",
        "دعوة إلى ورشة السفن الخشبية",
        """
        السيدة ميرا المحترمة،

        تحية طيبة من دار السفن. نقيم في الربيع ورشة عن بناء السفن الخشبية،
        ويسعدنا أن تشاركينا بخبرتك في ثني الألواح بالبخار.

        السفر والإقامة على حسابنا، وأهلا بك في أي وقت.

        مع أطيب التحيات
        ليلى حداد
        """,
        encoding="base64",
        verbatim=True,
        flagged=True,
    ),
    Letter(
        "haifa",
        NOA,
        (THEO,),
        "20 20:20",
        "מקהלה אורחת בקיץ",
        """
        שלום תאו,

        שמענו את ההקלטה שלכם ומאוד נהנינו. המקהלה שלנו תהיה באזור בקיץ הבא, ונשמח לשיר יחד ערב אחד.

        אנחנו עשרים ושניים, וארבעה מאיתנו בסים. אולי זה יעזור?

        בברכה,
        נועה לוי
        """,
        charset="iso-8859-8",
        encoding="base64",
        verbatim=True,
    ),
    Letter(
        "haifa-answer",
        THEO,
        (NOA,),
        "19 07:00",
        "Re: מקהלה אורחת בקיץ",
        """
        Dear Noa,

        four basses! You are most welcome. The net loft holds sixty if nobody brings a cello.
        """,
        cc=(LEA,),
        answers="haifa",
    ),
    Letter(
        "raga",
        RAVI,
        (LEA,),
        "16 18:45",
        "सुबह का राग और आपकी लोरी",
        """
        नमस्ते लेआ,

        आपने जो लोरी भेजी थी, वह मुझे बहुत अच्छी लगी। मैंने उसे सुबह के राग में गाकर देखा, और मेरी बेटी तुरंत सो गई।

        क्या आपकी मंडली इसे दोनों रूपों में गाना चाहेगी? मैं स्वरलिपि भेज सकता हूँ।

        रवि
        """,
        encoding="base64",
        verbatim=True,
        keywords=("$label1",),
    ),
    Letter(
        "raga-answer",
        LEA,
        (RAVI,),
        "14 19:00",
        "Re: सुबह का राग और आपकी लोरी",
        """
        धन्यवाद, Ravi! Yes, please send the notation; we shall be slow but honest.
        """,
        cc=(THEO,),
        answers="raga",
    ),
    Letter(
        "utf8",
        OLGA,
        (ANNA,),
        "13 12:30",
        "Письма для класса: Привет, 7b!",
        """
        Дорогая Анна,

        Мира рассказала нам о вашем классе. Дети из кружка при музее хотят написать вам о нашей реке: зимой она замерзает, и
        по ней ходят пешком. Пишите по-английски, они как раз учатся.

        Ольга
        """,
        encoding="8bit",
        words="",
    ),
    Letter(
        "many",
        LEA,
        (ANNA,),
        "4 17:17",
        "“Good tide” in eleven languages, for your wall",
        """
        Français      Bonne marée !
        Deutsch       Gute Tide!
        Polski        Pomyślnej fali!
        Ελληνικά      Καλή παλίρροια!
        Русский       Доброго прилива!
        العربية       مد طيب!
        עברית         גאות טובה!
        日本語         よい潮を！
        中文           潮平帆顺！
        हिन्दी          शुभ ज्वार!
        Emoji         🌊👍
        """,
        verbatim=True,
        flagged=True,
        encoding="8bit",
    ),
)
