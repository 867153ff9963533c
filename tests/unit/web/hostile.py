"""Mail that attacks its reader, written for these tests after the classes of THREATS T160 to T166; `CANARY` must never run or load."""

from __future__ import annotations

CANARY = "canary.example"
_RUN = "window.top.canary=1;fetch('//canary.example/x')"

BODIES = {
    "script": f"<script>{_RUN}</script><p>text</p>",
    "script in pieces": f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    "handler": f'<img src=x onerror="{_RUN}"><body onload="{_RUN}"><p onmouseover={_RUN}>text',
    "handler without spaces": f"<img/src=x/onerror={_RUN}>",
    "handler with controls": f'<img src=x on\x00error="{_RUN}" \x0conerror="{_RUN}">',
    "javascript link": '<a href="javascript:top.canary=1">go</a><a href="java&#9;script:top.canary=1">go</a><a href=" &#1;javascript:x">go</a>',
    "data link": '<a href="data:text/html,<script>top.canary=1</script>">go</a><iframe src="data:text/html,x"></iframe>',
    "vbscript": "<a href='vbscript:x'>go</a>",
    "svg": f'<svg onload="{_RUN}"><animate attributeName="href" values="javascript:top.canary=1"/><image href="//canary.example/i"/></svg>',
    "svg style": '<svg><style><img src=//canary.example/1></style><use href="//canary.example/2#x"/><rect fill="url(//canary.example/3)"/></svg>',
    "svg foreign": f"<svg><foreignObject><img src=x onerror={_RUN}></foreignObject></svg>",
    "mathml": f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={_RUN}&gt;'>",
    "noscript": f'<noscript><p title="</noscript><img src=x onerror={_RUN}>">',
    "template": f"<template><img src=//canary.example/t onerror={_RUN}></template>",
    "comment": f"<!--><img src=x onerror={_RUN}>--><![CDATA[<img src=x onerror={_RUN}>]]>",
    "xmp": f"<xmp><p title='</xmp><img src=x onerror={_RUN}>'>",
    "plaintext": f"<plaintext><img src=x onerror={_RUN}>",
    "frame": "<iframe srcdoc='<script>top.canary=1</script>'></iframe><frameset><frame src=//canary.example/f></frameset>",
    "object": "<object data=//canary.example/o></object><embed src=//canary.example/e><applet code=//canary.example/a></applet>",
    "base": "<base href=//canary.example/><img src=relative.png><a href=relative>x</a>",
    "meta": "<meta http-equiv=refresh content='0;url=//canary.example/m'><meta http-equiv=Set-Cookie content='a=b'>",
    "link": "<link rel=stylesheet href=//canary.example/s><link rel=preload as=image href=//canary.example/p><link rel=dns-prefetch href=//canary.example>",
    "form": "<form action=//canary.example/f><input autofocus onfocus=top.canary=1><button formaction='javascript:top.canary=1'>x</button></form>",
    "image": "<img src=http://canary.example/i><img srcset='//canary.example/2 2x'><img lowsrc=//canary.example/3 dynsrc=//canary.example/4>",
    "media": "<video poster=//canary.example/v src=//canary.example/w autoplay></video><audio src=//canary.example/a autoplay></audio><track src=//canary.example/t>",
    "background": "<table background=//canary.example/b><td background=http://canary.example/c></table><body background='http://canary.example/d'>",
    "style url": "<p style=\"background:url(//canary.example/1)\">a<p style='background-image:u\\72l(//canary.example/2)'>b<p style='list-style:url(\"//canary.example/3'>c",
    "style import": "<style>@import '//canary.example/1';@\\69mport url(//canary.example/2);body{background:url(//canary.example/3)}</style>",
    "style var": "<p style='--x:url(//canary.example/1);background:var(--x)'>a<p style='background:image-set(\"//canary.example/2\" 1x)'>b",
    "style font": "<style>@font-face{font-family:x;src:url(//canary.example/f);unicode-range:U+41}*{font-family:x}</style>A",
    "style place": "<div style='position:fixed!important;inset:0;z-index:9999;background:red'>Your session has ended: log in <a href=http://canary.example/>here</a></div>",
    "expression": "<p style='width:expression(top.canary=1);behavior:url(//canary.example/h);-moz-binding:url(//canary.example/z)'>x",
    "ping": "<a href=https://example.org ping=//canary.example/p>x</a>",
    "clobber": "<form id=document><input name=cookie></form><a id=token name=token href=x>x</a><img name=getElementById>",
    "entities": f"<img src=x one&#114;ror={_RUN}><a href='&#106;avascript&colon;top.canary=1'>x</a>",
    "quotes": f"<img alt='`><img src=x onerror={_RUN}>`'><p title=\"a'>&lt;script&gt;top.canary=1&lt;/script&gt;\">x",
    "deep": "<div>" * 3000 + f"<img src=x onerror={_RUN}>",
    "end of frame": f"</main></body></html><script>{_RUN}</script>",
    "cid": "<img src='cid:a\" onerror=\"top.canary=1'><img src='cid:%22%3E%3Cscript%3E'><img src=cid:missing>",
}

# Header fields that reach pages as text, in lists, titles, attributes and forms.
WORDS = {
    "tag": "<script>top.canary=1</script>",
    "attribute": '" autofocus onfocus="top.canary=1" x="',
    "single": "' onmouseover='top.canary=1' '",
    "backquote": "` onerror=top.canary=1 `",
    "template": "$token ${token} $$ {{7*7}}",
    "title": "</title><script>top.canary=1</script>",
    "textarea": "</textarea><script>top.canary=1</script>",
    "entity": "&lt;script&gt;top.canary=1&lt;/script&gt;",
    "direction": "\u202eevil\u2066",
    "surrogate": "=?utf-7?Q?+2AA-?= \ufffd",
}
