"""What mail servers say when they refuse, row by row: the cause, and the patterns it is known by.

A line is one pattern; lines that begin with more white space go on with the one above. Case does not matter, white space
stands for one blank. Rows are tried in their order, so what tells more stands first. No pattern repeats what repeats.
"""

from __future__ import annotations

from pymaild.message.bounces_causes import Cause

SAID: tuple[tuple[Cause, str], ...] = (
    (
        Cause.REJECTED,
        r"""
        sender(?:'s)?(?: e-?mail)? (?:address |is |was |domain )?(?:rejected|denied|blocked|refused|verif|
          unknown|invalid|not )
        groups\.google\.com/support
        topic=25838
        permissions? to post
        you are not (?:a )?member
        (?:sending|send) (?:to/from|from) an address that
        (?:sender|from|return)\b.{0,40}domain\b.{0,40}(?:exist|resolve|found|valid)
        (?:sender|mail from|return path)\b.{0,60}(?:does not exist|doesn't exist|not exist|unknown user)
        """,
    ),
    (
        Cause.CONTENT,
        r"""
        due to spam
        ofr_?506
        """,
    ),
    (
        Cause.BLOCKED,
        r"""
        client host (?:blocked|rejected)
        refused to talk to me
        very low reputation
        smtp server of your isp
        \bsc-00\d\b
        """,
    ),
    (
        Cause.RELAYING,
        r"""
        relaying denied
        """,
    ),
    (
        Cause.EXPIRED,
        r"""
        delivered for too long
        """,
    ),
    (
        Cause.SYSTEM,
        r"""
        mailer error
        operating system error
        permission denied
        duplicated message-id
        unable to contact
        """,
    ),
    (
        Cause.NETWORK,
        r"""
        host not found, try again
        """,
    ),
    (
        Cause.RATE,
        r"""
        frequency limited
        rate limit(?!.{0,40}reputation)
        too many recipients
        receiving mail at a rate
        """,
    ),
    (
        Cause.USER_UNKNOWN,
        r"""
        recipient address rejected: access denied
        recip\w*notfound
        <\S{1,200}@\S{1,200}>\W{1,4}user unknown
        not listed in
        \brcp-p\d
        (?<!sender )address(?:es)? rejected\W{0,3}(?:\S{1,200}@\S{1,200})?\W{0,3}$
        """,
    ),
    (
        Cause.AUTH_FAILURE,
        r"""
        \bdmarc\b
        \bspf\b.{0,60}(?:fail|reject|not pass|softfail|deny|denied|record|check|validat|violat|block)
        (?:fail|reject|violat|forbid|not allowed).{0,60}\bspf\b
        \bdkim\b.{0,60}(?:fail|not pass|invalid|reject|required)
        unauthenticated (?:e-?mail|mail|message)
        authentication information
        sender policy framework
        not authori[sz]ed to (?:use|send) .{0,60}from
        5\.7\.509
        5\.7\.515
        sender authentication
        not (?:meet|pass).{0,30}authentication
        """,
    ),
    (
        Cause.CONTENT,
        r"""
        \bvirus\b
        malware
        \binfected\b
        \bspam\b(?!haus|cop|rats| ?rbl)(?!.{0,40}(?:\bip\b|dnsbl|blacklist))
        spam-?like
        unsolicited (?:bulk |mass |commercial )?(?:e-?mail|mail|messages?)
        content rejected
        message content
        illegal attachment
        attachment (?:type )?(?:is )?(?:not allowed|blocked|forbidden)
        blacklisted url
        \buribl\b
        \bsurbl\b
        8-bit data in
        headers? too large
        multiple .{0,20}headers
        duplicate header
        not rfc ?(?:2822|5322) compliant
        multiple addresses in from
        media error
        messagefilter
        \bube\b
        likely (?:suspicious|unsolicited)(?!.{0,40}reputation)
        mcspam
        bad message header
        bare (?:lf|cr)
        spamsignature
        potential(?:ly)?\s+(?:a )?security issue
        conversion (?:required|not)
        header error
        """,
    ),
    (
        Cause.BLOCKED,
        r"""
        \bptr\b
        reverse[ -]?(?:dns|address|name|lookup|map)
        \brdns\b
        name lookup failed
        block ?list
        black ?list
        \brbl\b
        dnsbl
        spamhaus
        spamcop
        barracudacentral
        \bsorbs\b
        uceprotect
        abuseat
        reputation
        listed (?:at|by|in|on)\b
        blocked using
        (?:ip|address|host|network|server|client)\b.{0,50} (?:is |was |has been |been )+(?:blocked|banned|
          blacklisted|listed|denied)
        (?:blocked|banned|bad|denied) (?:ip|host|sender ip|client|sending|server)
        client host (?:rejected|blocked)
        \[?tss\d\d
        s31\d\d\b
        ip frequency
        mail server you are using
        dynamic(?:ally)?[ -](?:ip|assigned|address)
        generic (?:rdns|hostname)
        does not (?:resolve|match)
        connections? (?:not accepted|refused|rejected|blocked|denied) (?:from|for)
        host network not allowed
        access denied.{0,40}\b(?:ip|host|connect)
        you are not allowed to connect
        message blocked
        mismatches client ip
        banned sending
        unresolvable
        bad dns
        no ptr
        domain name resolv
        helo (?:command )?rejected
        invalid helo
        bad ehlo
        server access .{0,60}forbidden
        service permits?
        (?:\d{1,3}\.){3}\d{1,3}\S{0,3} (?:is |was |has been )*(?:blocked|listed|banned)
        not accepting connections
        invalid ip for
        my name was rejected
        service refus
        access denied\.\.\.
        (?<![?&\w])ip=\d
        refused\. your ip
        not accepting .{0,40}from your
        """,
    ),
    (
        Cause.MAILBOX_FULL,
        r"""
        over ?quota
        quota.{0,40}(?:exceed|full|violat|limit|reached)
        exceed\w*.{0,40}quota
        (?:mail ?box|mail ?folder|in ?box|mail ?drop|message ?store|account|user'?s? \w+|storage)\S* (?:is |
          was |has )?(?:already |currently )?(?:too )?(?:full|over)\b
        (?:mail ?box|storage|inbox|mailfolder)[^.\n]{0,60}(?:full|exceed|limit reached)
        out of (?:storage|disk) ?(?:space)?
        insufficient (?:mailbox|storage|quota|user)
        mailboxfull
        mailbox_?full
        (?:max\w*|exceed\w*).{0,30}mailbox size
        exceed\w*.{0,40}(?:storage|mailbox)
        too (?:many|much) (?:messages|mails?|mail data) (?:in|on|for)
        number of messages.{0,40}exceed
        disk full
        over the (?:maximum|allowed) (?:size|space|storage)
        メールボックスが一杯
        boîte .{0,20}pleine
        user has too many messages
        not enough (?:storage|space)
        reached .{0,20}quota
        disk quota
        """,
    ),
    (
        Cause.RATE,
        r"""
        too many (?:connections?|recipients|messages|sessions|concurrent|emails|mails|invalid)
        rate.{0,20}(?:limit|exceed|prevent)
        (?:frequency|concurrency|volume|hourly|daily) (?:limit|exceed)
        receiving mail at a rate
        sent too many
        too fast
        slow down
        thrott?l
        exceeded .{0,30}(?:connections|messages per|recipients)
        sent to too many
        """,
    ),
    (
        Cause.TOO_LARGE,
        r"""
        (?:message|mail|size|length|line)\b.{0,40}(?:exceed|too (?:big|large|long))
        too (?:big|large) (?:for|message|mail)
        size ?limit
        line limit
        exceeds? (?:the )?(?:max|size|fixed|limit)
        larger than
        maximum (?:allowed )?(?:message )?size
        messagesize
        """,
    ),
    (
        Cause.MOVED,
        r"""
        has moved
        no longer (?:works|with us|at this|employed|on (?:this )?server|valid)
        not our (?:user|customer)
        address (?:has )?changed
        please (?:use|update|forward).{0,60}new
        user has left
        new address
        """,
    ),
    (
        Cause.RELAYING,
        r"""
        relay(?:ing)? (?:access )?(?:is )?(?:denied|not|prohibit|forbid|refused|from)
        (?:unable|not|no|cannot|denied|deny|refus\w+|prohibit\w*)\b.{0,30} relay
        not (?:a )?(?:local|gateway|rcpthosts)\b.{0,20}(?:domain|host)?
        rcpthosts
        we do not relay
        insecure mail relay
        that domain isn't in my list
        not permitted to relay
        no relaying
        """,
    ),
    (
        Cause.DISABLED,
        r"""
        (?:account|mail ?box|user|recipient|address|domain|alias)\b.{0,90}(?:disabled|suspended|inactive|
          deactivated|locked|expired|not active|terminated|frozen|discontinued|temporarily (?:un|re)|
          has been closed|unavailable or)
        (?:disabled|suspended|inactive|deactivated|locked|dormant|expired|closed)(?: e?-?mail)? (?:account|
          mailbox|user|recipient|address)
        temporarily suspended
        not accepting (?:mail|messages) (?:at|from)?
        account is (?:not|temporar)
        recipient.{0,20}suspend
        (?:delivery|mail) (?:is )?suspended
        """,
    ),
    (
        Cause.NO_MAIL,
        r"""
        no smtp service
        does not accept (?:any )?(?:e?-?mail|messages)
        doesn't (?:receive|accept) e?-?mail
        null mx
        no mx (?:record )?(?:found|for)
        not accepting network messages
        couldn't find a mail exchanger
        name service error.{0,60}malformed
        \bnullmx\b
        host/domain does not accept
        smtp service not (?:available|supported) (?:on|for) (?:this|the)
        """,
    ),
    (
        Cause.HOST_UNKNOWN,
        r"""
        (?:host|domain)(?: name)? (?:or domain name )?(?:is )?(?:unknown|not found|does(?:n't| not) exist|
          not exist|could not be (?:found|resolved))
        (?:unknown|invalid|illegal|bad|no such|unrouteable|unroutable|nonexistent) (?:mail )?(?:host|domain)
        nxdomain
        couldn't find any host
        unrout(?:e)?able (?:mail )?domain
        (?:recipient )?domain must exist
        can'?not resolve
        host or domain name not found
        name or service not known
        no (?:route to )?(?:such )?domain
        domain .{0,80}(?:couldn't|could not) be found
        no such host
        dns (?:error|lookup).{0,40}(?:nxdomain|not found|does not)
        unrouteable address
        all relevant mx records point to non-existent
        domain is not reachable
        (?<![@\w.-])[\w-]{1,63}\.[\w.-]{1,200} does not exist
        host unknown
        name server: .{0,60}not found
        illegal host
        domain name not found
        no valid hosts
        does not exist.{0,40}dns
        """,
    ),
    (
        Cause.USER_UNKNOWN,
        r"""
        (?:user|recipient|mail ?box|account|address|alias|addressee|local ?part|name|customer|userid|
          destination)\b[^\n]{0,100}(?:unknown|not found|does(?:n't| not) exist|not exist|isn't|invalid|
          not (?:known|listed|recogni|a valid)|nonexistent|could ?n.t be found|no longer available|inconnu|
          unbekannt|not have)
        (?:unknown|invalid|illegal|no such|not a valid|non-?existent|bad|no|incorrect)[ -](?:or illegal |
          final delivery |local |destination |recipient |email |valid |e-mail |rcpt |to )*(?:user|recipient|
          mail ?box|account|address|alias|addressee|local ?part|userid|person|customer)
        recip\w*notfound
        recipientnotfound
        user ?unknown
        unknown recipient
        no mailbox here
        doesn't have a .{0,60}account
        not listed in
        there is no (?:such|user|one)
        nobody by that name
        badrcptto
        not our user
        mailbox unavailable
        user [^ ]{1,80} (?:is )?(?:not|unknown)
        undeliverable address
        recipients? (?:rejected|refused)
        access denied.{0,20}541
        no valid recipients
        not a known user
        unknown (?:or illegal )?(?:user|alias)
        no user with this name
        ユーザー?.{0,40}見つかりません
        リストにありません
        unable to find recipient
        address not found
        check if (?:the )?address is correct
        recipient address rejected: access denied
        no such (?:person|user|recipient)
        user .{0,80} not (?:listed|known)
        rcp-p[12]
        not a registered
        """,
    ),
    (
        Cause.EXPIRED,
        r"""
        (?:too old|expired|has been in the queue|queue too long|retry time(?:out)? (?:not reached|exceeded)|
          message timed? ?out|retry timeout)
        (?:delivery|lifetime|maximum).{0,40}(?:time|expired|exceeded)\b.{0,20}(?:expir|exceed|elaps)?
        cannot send message (?:for|within)
        could not (?:be )?(?:send|deliver)\w*.{0,30}for (?:more than |the last )?\d+ (?:day|hour)
        giv(?:en|ing) up
        multiple retries
        for the last \d+
        within \d+ days?
        for a long time
        \b\d+ attempts
        undelivered after
        was aborted after
        not yet been delivered
        will be retried
        i'm not going to try again
        this message has been in the queue too long
        delivery time expired
        """,
    ),
    (
        Cause.NETWORK,
        r"""
        accept our requests to connect
        did not respond
        network error
        could not find a gateway
        remote host is not responding
        not reachable
        connect\w* (?:to .{0,80})?(?:timed? ?out|refused|reset|failed|lost|dropped)
        no route to host
        network (?:is )?unreachable
        lost connection
        timed? ?out
        couldn't (?:connect|establish)
        host (?:is )?(?:not )?(?:un)?reachable
        mail (?:for .{0,80})?loop
        loops? back
        too many hops
        hop count
        routing loop
        dns (?:error|failure|server)
        name server
        tls (?:handshake|negotiation|required|is required|not)
        starttls
        connection (?:was )?(?:closed|dropped|reset|failed)
        no answer from host
        bad connection
        could not connect
        cname lookup failed
        host not responding
        unable to connect
        communication error
        greeting (?:failed|error)
        """,
    ),
    (
        Cause.REJECTED,
        r"""
        sender (?:address |is |was |domain )?(?:reject|denied|not|block|verif|refus|unknown|invalid|forbidden)
        (?:rejected|denied|refused|blocked|forbidden|prohibited|restrict\w*|not (?:allowed|authori[sz]ed|
          permitted|accepted))
        polic(?:y|ies)
        access denied
        authenticat
        not accept
        unacceptable
        mail from
        security
        bad sender
        invalid sender
        protocol violation
        """,
    ),
    (
        Cause.PROTOCOL,
        r"""
        syntax error
        bad sequence
        improper sequence
        command (?:unrecogni|not|parameter)
        malformed address
        unrecogni[sz]ed command
        need (?:mail|rcpt)
        bad command
        parameter not
        """,
    ),
    (
        Cause.SYSTEM,
        r"""
        does not support tls
        (?:local|server|system|configuration|internal|resources?|temporary|service|operating|mailer|i/o|
          software|program|upstream|processing) (?:\S+ )?(?:error|failure|problem|unavailable|busy|
          not available)
        insufficient (?:system|disk)
        \bprocmail\b
        \bpipe\b
        queue file
        try again later
        can't (?:create|open)
        disk (?:error|space)
        cannot open
        lock failure
        system failure
        busy
        died with
        command (?:failed|died)
        transaction failed
        could not load
        unable to contact
        deferred
        temporar
        """,
    ),
)
