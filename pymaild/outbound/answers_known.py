"""Answers of mail servers that are known: what they mean, and who has to do what. The first row that fits counts.

A row fits by the name of the server that spoke (`host`) and by its answer as one line, "550 5.1.1 no such "
        "user" (`said`).
Rows of one provider stand before those that fit everybody; a row says something only where it is sure of it.
{to} is the address. "Whoever runs this mail server" is the reader's own administrator, "theirs" is the recipient's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_GMAIL = r"google\.com$|googlemail\.com$|psmtp\.com$"
_MICROSOFT = r"outlook\.com$|hotmail\.com$|office365\.us$|outlook\.(?:de|cn)$"
_YAHOO = r"yahoodns\.net$|yahoo\.|aol\.com$"
_APPLE = r"icloud\.com$|me\.com$|apple\.com$"
_UNITED = r"gmx\.(?:net|de|com)$|web\.de$|kundenserver\.de$|1and1\.|mail\.com$"
_TONLINE = r"t-online\.de$"
_COMCAST = r"comcast\.net$"
_PROOFPOINT = r"pphosted\.com$|ppe-hosted\.com$|gpphosted\.com$"
_MIMECAST = r"mimecast\."
_ORANGE = r"orange\.fr$|wanadoo\.fr$|laposte\.net$"
_BARRACUDA = r"barracudanetworks\.com$|ess\.barracuda"


@dataclass(frozen=True, slots=True)
class Known:
    """One answer."""

    name: str
    host: str  # pattern for the server's name; empty: any
    said: str  # pattern for "code status text"
    what: str
    advice: str

    def fits(self, host: str, said: str) -> bool:
        """Whether it is this answer."""
        if self.host and not re.search(self.host, host, re.IGNORECASE):
            return False
        return re.search(self.said, said, re.IGNORECASE) is not None


def _listed(name: str, said: str, whose: str, page: str) -> Known:
    """A blocklist names this server."""
    return Known(
        name, "", said,
        f"The server of {{to}} refuses mail from this server, because it is on the blocklist of {whose}.",
        f"Whoever runs this mail server has to look its address up at {page}, remove the cause, and ask "
        f"there to be taken off.",
    )  # fmt: skip


_OWN = "whoever runs this mail server has to "
_ASK_OWN = "Whoever runs this mail server has to "
_ASK_THEIRS = "Only they, or who runs their mail server, can change that: "

KNOWN: tuple[Known, ...] = (
    # ---- Gmail and Google Workspace
    Known("gmail-unauthenticated", _GMAIL, r"5\.7\.26|unauthenticated",
          "Google does not take the message for {to}, since it cannot tell that it really comes from your domain.",
          _ASK_OWN + "publish SPF and DKIM records for your domain; pymaild domain add printed them."),
    Known("gmail-no-ptr", _GMAIL, r"[45]\.7\.25|ptr record",
          "Google does not take the message for {to}, because the address of this server has no name that "
          "leads back to it.",
          _ASK_OWN + "have a PTR record set by the provider of the line, and an address record for that name."),
    Known("gmail-spf-dkim-rate", _GMAIL, r"4\.7\.(?:26|27|30)",
          "Google puts mail to {to} off, since mail of your domain does not pass its checks of SPF and DKIM.",
          _ASK_OWN + "publish SPF and DKIM records for your domain; pymaild domain add printed them."),
    Known("gmail-tls", _GMAIL, r"[45]\.7\.29|tls connection",
          "Google takes mail for {to} over encrypted connections only.",
          _ASK_OWN + "find out why this one was not encrypted; pymaild queue show tells how the server was "
          "spoken to."),
    Known("gmail-rate-ip", _GMAIL, r"[45]\.7\.28|unusual rate of unsolicited",
          "Google has seen unusually much unwanted mail from this server and slows it down.",
          _ASK_OWN + "find out whether an account or a forward sends spam, and have it stopped; Google "
          "forgets after some days."),
    Known("gmail-reputation", _GMAIL, r"low reputation|likely (?:suspicious|unsolicited)|5\.7\.1 .*unsolicited mail",
          "Google takes the message for {to} for spam, because of what it has seen of this server or domain before.",
          "Write to {to} another way; " + _OWN + "look at Google's Postmaster Tools for the reason."),
    Known("gmail-receiving-rate", _GMAIL, r"receiving mail (?:at a rate|too quickly)|4\.2\.1 .*rate",
          "{to} gets more mail at the moment than Google allows.",
          "Nobody has to do anything but wait: send it again tomorrow."),
    Known("gmail-full", _GMAIL, r"[45]\.2\.2|out of storage|over quota",
          "The Google account of {to} is out of storage space.",
          "They have to make room in Gmail, Drive or Photos; tell them another way, and send it again later."),
    Known("gmail-disabled", _GMAIL, r"5\.2\.1.*(?:disabled|inactive)|account .*(?:disabled|inactive)",
          "The Google account of {to} is switched off.",
          _ASK_THEIRS + "ask them for another address."),
    Known("gmail-unknown", _GMAIL, r"5\.1\.1|does not exist|nosuchuser",
          "There is no Google account with the address {to}.",
          "Look for a typing error, a missing dot or a space in the address, or ask the person for the right one."),
    Known("gmail-content", _GMAIL, r"5\.7\.0|illegal attachment|potential security issue",
          "Google does not let attachments of this kind through to {to}.",
          "Put the file where it can be fetched and send the link; archives with programs inside are refused, too."),
    Known("gmail-rfc", _GMAIL, r"not rfc 5322 compliant|multiple (?:from|subject)|missing a valid.*header",
          "Google finds a header field of the message missing or twice, and does not take it.",
          "Whoever made the program that wrote the message has to mend it; send it with another program."),
    Known("gmail-group", _GMAIL, r"group .*(?:may not exist|permission)|permission to post",
          "{to} is a Google group that is not there or does not let you write to it.",
          "Ask who runs the group to let you in."),
    # ---- Microsoft
    Known("microsoft-listed", _MICROSOFT, r"s3140|s3150|part of their network is on our block list",
          "Microsoft refuses all mail from the address of this server.",
          _ASK_OWN + "ask for its removal with Microsoft's form for senders (sender information for "
          "Outlook.com delivery)."),
    Known("microsoft-banned", _MICROSOFT, r"5\.7\.(?:511|606|607|608)|banned sending ip|access denied.*banned",
          "Microsoft has banned the address of this server.",
          _ASK_OWN + "ask for its removal at sender.office.com."),
    Known("microsoft-spamhaus", _MICROSOFT, r"5\.7\.1 .*client host.*blocked|blocked using spamhaus",
          "Microsoft refuses mail from this server because Spamhaus lists its address.",
          _ASK_OWN + "look it up at check.spamhaus.org, remove the cause, and ask there to be taken off."),
    Known("microsoft-authentication", _MICROSOFT, r"5\.7\.(?:515|509)|required authentication level|dmarc",
          "Microsoft refuses the message for {to}: your domain does not prove that it comes from there.",
          _ASK_OWN + "publish SPF, DKIM and DMARC records for your domain; pymaild domain add printed them."),
    Known("microsoft-reputation", _MICROSOFT, r"[45]\.7\.650|ip reputation|rp-00\d",
          "Microsoft slows mail from this server down, since it does not know it well enough or has seen "
          "spam from it.",
          _ASK_OWN + "keep what is sent there low for some days; an address that is new is trusted slowly."),
    Known("microsoft-full", _MICROSOFT, r"5\.2\.(?:2|122)|mailbox.*full|quotaexceeded",
          "The mailbox of {to} is full, or gets more mail than Microsoft allows.",
          "They have to make room; tell them another way, and send it again later."),
    Known("microsoft-unknown", _MICROSOFT, r"5\.1\.(?:1|10)|recip\w*notfound|5\.4\.1 .*access denied|"
          r"5\.5\.0 .*mailbox unavailable",
          "There is no mailbox {to} at Microsoft.",
          "Look for a typing error in the address, or ask the person for the right one."),
    Known("microsoft-restricted", _MICROSOFT, r"5\.7\.(?:124|133|134|136|193)|notauthorized|restrict.*recipient",
          "{to} takes mail only from people of its own organisation, or from those who are let in.",
          _ASK_THEIRS + "ask them to allow your address."),
    Known("microsoft-disabled", _MICROSOFT, r"5\.2\.1|mailbox.*disabled",
          "The mailbox of {to} is switched off.",
          _ASK_THEIRS + "ask them for another address."),
    Known("microsoft-large", _MICROSOFT, r"5\.2\.3|5\.3\.4|recipsizelimit|message too large",
          "The message is larger than {to} may receive at Microsoft.",
          "Send it without its attachments, or give a link to them."),
    Known("microsoft-spam", _MICROSOFT, r"sc-00\d|5\.7\.1 .*(?:spam|policy|content)",
          "Microsoft refuses the message for {to} by its rules about spam.",
          "Write it in other words, without links, or tell the person another way; whoever runs this mail "
          "server sees the reason in SNDS."),
    # ---- Yahoo and AOL
    Known("yahoo-complaints", _YAHOO, r"tss0[1-9]|ts0[1-9]|unexpected volume or user complaints",
          "Yahoo puts mail from this server off for some hours, because of its amount or of complaints.",
          "It is tried again by itself; whoever runs this mail server has to find out who sends so much, "
          "if it goes on."),
    Known("yahoo-policy", _YAHOO, r"5\.7\.9|policy reasons|message not allowed",
          "Yahoo refuses the message for {to}, since it does not pass the DMARC rules of the domain it "
          "says it comes from.",
          _ASK_OWN + "sign mail with DKIM for that domain; who writes with an address of another provider "
          "has to send through it."),
    Known("yahoo-blocked", _YAHOO, r"bl2[0-9]|ph01|\[(?:gl|is|hs)\d+\]",
          "Yahoo refuses mail from the address of this server.",
          _ASK_OWN + "ask Yahoo's postmaster pages for a review."),
    Known("yahoo-unknown", _YAHOO, r"doesn't have a .*account|554 .*delivery error: dd|5\.1\.1",
          "There is no mailbox {to} at Yahoo or AOL.",
          "Look for a typing error in the address, or ask the person for the right one."),
    Known("yahoo-disabled", _YAHOO, r"mailbox (?:is )?(?:disabled|inactive)|5\.2\.1|account .*(?:disabled|inactive)",
          "The mailbox of {to} at Yahoo or AOL is switched off.",
          _ASK_THEIRS + "ask them for another address."),
    # ---- Apple
    Known("apple-local-policy", _APPLE, r"hm08|\[?cs01\]?|local policy",
          "Apple refuses the message for {to} by its rules, mostly because of its content or of what this "
          "server sent before.",
          "Send it in other words and without links; " + _OWN + "write to Apple's iCloud postmaster if all "
          "mail is refused."),
    Known("apple-full", _APPLE, r"[45]\.2\.2|over quota|mailbox full",
          "The iCloud storage of {to} is full.",
          "They have to make room in iCloud; tell them another way, and send it again later."),
    Known("apple-unknown", _APPLE, r"5\.1\.[16]|unknown or illegal|inactive email address|user does not exist",
          "There is no iCloud mailbox {to}, or it is not used any more.",
          "Look for a typing error in the address, or ask the person for the right one."),
    Known("apple-connections", _APPLE, r"not accepting connections|421 .*too many",
          "Apple lets this server connect no more for a while.",
          "It is tried again by itself; whoever runs this mail server can lower the number of connections "
          "to one destination."),
    # ---- GMX, WEB.DE, 1&1, mail.com
    Known("united-no-ptr", _UNITED, r"bad dns ptr|ptr resource record",
          "GMX, WEB.DE and mail.com take no mail from a server whose address has no proper name.",
          _ASK_OWN + "have a PTR record set by the provider of the line; it must not look like a dial-up line's."),
    Known("united-listed", _UNITED, r"ip address is (?:black)?listed|reject.*(?:black|block)list|"
          r"bad reputation|no smtp service.*ip",
          "GMX, WEB.DE and mail.com refuse mail from the address of this server.",
          _ASK_OWN + "follow the link in their answer and ask for a review at postmaster.gmx.net."),
    Known("united-policy", _UNITED, r"transaction failed.*(?:reject|policy)|for explanation visit.*(?:spf|"
          r"dmarc|hi)|nemesis",
          "GMX, WEB.DE and mail.com do not take the message by their rules.",
          _ASK_OWN + "open the link in their answer: it names the rule and what to change."),
    # ---- T-Online, Comcast, Orange
    Known("t-online-contact", _TONLINE, r"ask your postmaster for help|\(bl\)|a problem occurred",
          "T-Online takes mail only from servers it knows, and it does not know this one.",
          _ASK_OWN + "have a web page with a name and address on the server's domain, and write to "
          "tosa@rx.t-online.de."),
    Known("comcast-blocked", _COMCAST, r"[br]l0000\d\d|blocked",
          "Comcast refuses mail from the address of this server.",
          _ASK_OWN + "ask for its removal at postmaster.comcast.net."),
    Known("comcast-no-ptr", _COMCAST, r"ptr|reverse dns|fcrdns",
          "Comcast takes no mail from a server whose address has no name.",
          _ASK_OWN + "have a PTR record set by the provider of the line."),
    Known("orange-refused", _ORANGE, r"ofr_?\d|lpn\d|service refus|mail rejet",
          "Orange or La Poste refuses the message for {to}; the code in its answer names the rule.",
          _ASK_OWN + "look the code up on their postmaster pages, mostly it is about the number of "
          "messages or complaints."),
    # ---- filters that organisations put in front of their servers
    Known("proofpoint-listed", _PROOFPOINT, r"blocked|ipcheck\.proofpoint|dynamic reputation",
          "The filter of {to} (Proofpoint) refuses mail from the address of this server.",
          _ASK_OWN + "ask for its removal at ipcheck.proofpoint.com."),
    Known("mimecast-listed", _MIMECAST, r"host network not allowed|rejected by header|poor reputation|"
          r"black ?list|rbl",
          "The filter of {to} (Mimecast) refuses mail from this server.",
          "Ask the person to have their administrator permit your address in Mimecast."),
    Known("mimecast-policy", _MIMECAST, r"security polic|envelope rejected|anti-spoofing|signature",
          "The filter of {to} (Mimecast) refuses the message by a rule of that organisation.",
          "Ask the person to have their administrator look for the message in Mimecast, and permit it."),
    Known("mimecast-greylisted", _MIMECAST, r"greylist|internal resources are temporarily",
          "The filter of {to} (Mimecast) wants to see the message a second time.",
          "Nobody has to do anything: it is tried again by itself."),
    Known("barracuda-filter", _BARRACUDA, r"blocked|rejected|reputation",
          "The filter of {to} (Barracuda) refuses the message.",
          _ASK_OWN + "look the server's address up at barracudacentral.org/lookups; else their "
          "administrator has to permit it."),
    # ---- blocklists, whoever uses them
    _listed("spamhaus-pbl", r"\bpbl\b|spamhaus.*/pbl", "Spamhaus (PBL: lines that should not send mail by "
        "themselves)", "check.spamhaus.org"),
    _listed("spamhaus", r"spamhaus|\bsbl\b|\bxbl\b|\bzen\.", "Spamhaus", "check.spamhaus.org"),
    _listed("barracuda", r"barracudacentral|b\.barracuda", "Barracuda", "barracudacentral.org/lookups"),
    _listed("spamcop", r"spamcop", "SpamCop", "spamcop.net/bl.shtml"),
    _listed("sorbs", r"\bsorbs\b", "SORBS, which ended in 2024: they still ask a list that nobody keeps", "sorbs.net"),
    _listed("uceprotect", r"uceprotect", "UCEPROTECT, which may mean no more than a bad neighbourhood", "uceprotect.net"),
    _listed("abusix", r"abusix", "Abusix", "lookup.abusix.com"),
    _listed("cloudmark", r"cloudmark|csi\.cloudmark", "Cloudmark", "csi.cloudmark.com/reset-request"),
    _listed("other-list", r"blocked using|listed (?:at|by|in|on) |dnsbl|\brbl\b|block ?list|black ?list",
            "a provider named in its words", "the page named in its words"),
    # ---- everybody: who we are
    Known("no-ptr", "", r"\bptr\b|reverse (?:dns|lookup|hostname)|cannot find your (?:reverse )?hostname|"
          r"fcrdns|5\.7\.25",
          "The server of {to} takes no mail from a server whose address has no name.",
          _ASK_OWN + "have a PTR record set by the provider of the line, and an address record for that name."),
    Known("helo", "", r"(?:helo|ehlo).{0,60}(?:reject|invalid|not found|does not|denied|mismatch)",
          "The server of {to} does not like the name that this server says it has.",
          _ASK_OWN + "set [server] hostname to a name that leads to the server's address."),
    Known("dmarc", "", r"dmarc",
          "The server of {to} refuses the message because of the DMARC record of the domain in its From field.",
          _ASK_OWN + "sign mail with DKIM for that domain; who writes with an address of another provider "
          "has to send through it."),
    Known("spf", "", r"\bspf\b|sender policy framework|5\.7\.23",
          "The server of {to} refuses the message: by its SPF record your domain does not send from this server.",
          _ASK_OWN + "put the server's address into the domain's SPF record; pymaild domain add printed it."),
    Known("dkim", "", r"\bdkim\b|5\.7\.20",
          "The server of {to} refuses the message since its DKIM signature is missing or does not fit.",
          _ASK_OWN + "compare the DKIM record in the DNS with the one that pymaild domain add printed."),
    Known("tls-required", "", r"must issue a starttls|tls (?:is )?required|encryption (?:is )?required|5\.7\.10",
          "The server of {to} takes mail over encrypted connections only, and this one was not.",
          _ASK_OWN + "find out why; pymaild queue show tells how the server was spoken to."),
    Known("relaying", "", r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not permitted|not allowed|"
          r"prohibited)|unable to relay|not permitted to relay|rcpthosts|we do not relay",
          "The server that the domain of {to} names does not take mail for it.",
          _ASK_THEIRS + "its MX record is wrong, or the domain is not set up there."),
    Known("sender-verify", "", r"sender verif|verify (?:the )?sender|callback",
          "The server of {to} tried to ask back whether your address exists, and got no answer it liked.",
          _ASK_OWN + "make sure that the server can be reached from outside on port 25."),
    Known("sender-refused", "", r"5\.1\.[78]|sender (?:address |domain )?(?:rejected|denied|blocked|"
          r"invalid|unknown)|bad sender",
          "The server of {to} refuses your address as a sender.",
          "If its domain is new, whoever runs this mail server has to check its MX and address records; "
          "else ask the person to let you in."),
    # ---- everybody: the recipient
    Known("quota", "", r"[45]\.2\.2|over ?quota|quota.{0,20}(?:exceed|full)|mailbox.{0,20}full|"
          r"full.{0,20}mailbox|out of storage|mailbox size limit",
          "The mailbox of {to} is full.",
          "The person has to make room; tell them another way, and send it again later."),
    Known("disabled", "", r"(?:account|mailbox|user|recipient|address)\b.{0,60}(?:disabled|suspended|"
          r"inactive|deactivated|locked|closed|expired)",
          "The mailbox of {to} is switched off.",
          _ASK_THEIRS + "ask them for another address."),
    Known("moved", "", r"5\.1\.6|has moved|no longer (?:with|at|employed|works)|address has changed",
          "{to} is not used any more.",
          "The words of the server may name the new address; else ask the person."),
    Known("members-only", "", r"not (?:a )?(?:member|subscribe)|members? only|not allowed to (?:post|send to)",
          "{to} is a list or group that takes mail of its members only.",
          "Ask who runs it to let you in, or write from the address you are a member with."),
    Known("no-mail", "", r"5\.1\.10|null mx|does not accept mail|no smtp service",
          "The domain of {to} takes no mail at all.",
          "Look for a typing error behind the @, or ask the person for another address."),
    Known("unknown-user", "", r"5\.1\.1\b|(?:user|recipient|mailbox|account|address|"
          r"alias)\b.{0,60}(?:unknown|not found|not exist|n't exist|invalid|no such)|(?:unknown|no such|"
          r"invalid) (?:user|recipient|mailbox|account|address)|no mailbox here",
          "{to} does not exist there.",
          "Look for a typing error in the address, or ask the person for the right one."),
    # ---- everybody: the message
    Known("too-large", "", r"[45]\.(?:2\.3|3\.4)|(?:message|mail|size).{0,30}(?:exceed|too (?:large|big))|too large",
          "The message is too large for the server of {to}.",
          "Send it without its attachments, or give a link to them."),
    Known("attachment", "", r"(?:attachment|file|extension).{0,60}(?:not allowed|blocked|forbidden|"
          r"rejected|banned|prohibited)|banned (?:file|attachment)",
          "The server of {to} takes no attachments of this kind.",
          "Put the file where it can be fetched and send the link."),
    Known("virus", "", r"\bvirus\b|malware|infected|trojan|phish",
          "The server of {to} found something dangerous in the message.",
          "Have your computer and the attachments checked; if it is a mistake, give a link instead of the file."),
    Known("links", "", r"\b(?:uribl|surbl|dbl)\b|(?:url|link|domain in).{0,40}(?:listed|blacklist|blocked)",
          "The server of {to} does not like a link in the message.",
          "Send it without its links; the domain of one of them is on a list of spam domains."),
    Known("spam", "", r"\bspam\b|unsolicited|bulk mail|junk|\bube\b|content rejected|looks like spam",
          "The server of {to} takes the message for spam.",
          "Write it in other words and with fewer links, or tell the person another way; they can ask for "
          "you to be let in."),
    Known("eight-bit", "", r"smtputf8|5\.6\.7|internationali[sz]ed|non-ascii",
          "The server of {to} cannot handle addresses or names with letters beyond ASCII.",
          "Write from, and to, a plain address if there is one."),
    # ---- everybody: not now
    Known("greylisted", "", r"gr[ea]y-?list|4\.7\.1 .*(?:try again|later)|come back (?:in|later)|"
          r"deferred.*(?:retry|again)",
          "The server of {to} does not know yours yet and wanted the message offered again later, but never took it.",
          "Nothing is wrong with the message: send it once more, or tell the person that their server "
          "keeps putting yours off."),
    Known("loop", "", r"5\.4\.6|\bloops?\b|too many hops|hop count",
          "Mail to {to} goes in a circle.",
          "Who runs their mail server has to put that right."),
    Known("rate", "", r"too many|rate limit|throttl|too fast|(?:hourly|daily|connection) limit|"
          r"exceeded.{0,30}(?:messages|connections|recipients)",
          "The server of {to} takes no more mail from this server for now.",
          "Send it again later; whoever runs this mail server can lower the number of connections to one "
          "destination."),
    Known("disk", "", r"4\.3\.1|insufficient (?:system|disk)|no space left|disk full",
          "The server of {to} has no room on its disk.",
          _ASK_THEIRS + "tell them another way, and send it again later."),
    Known("timeout", "", r"timed? ?out|connection (?:refused|reset|closed|lost)|no route to host|"
          r"network is unreachable",
          "The mail server of {to} could not be reached.",
          "Nothing is wrong with your message; look for a typing error behind the @, or try again another day."),
    Known("policy", "", r"polic(?:y|ies)|administrative(?:ly)? prohibi|security",
          "The server of {to} refuses the message by a rule of its own.",
          "Its words are below; the person can ask who runs their mail server for the reason."),
)  # fmt: skip


def find(host: str, said: str) -> Known | None:
    """The first row that fits."""
    return next((row for row in KNOWN if row.fits(host, said)), None)
