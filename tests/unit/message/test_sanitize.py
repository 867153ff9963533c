"""HTML of strangers: nothing runs, nothing loads, nothing leaves its place. What a browser does with it: tests/browser."""

from __future__ import annotations

import re
import time

import pytest

from pymaild.message.css import safe_style
from pymaild.message.sanitize import has_remote, safe_html, sanitize

ATTACKS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>",
    "<svg><animate href=#x attributeName=href values=javascript:alert(1) /></svg>", "<svg><a><rect fill='url(http://x.example/)'/></a></svg>",
    "<math><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>", "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", "<template><img src=x onerror=alert(1)></template>",
    "<xmp><img src=x onerror=alert(1)></xmp>", "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src=http://x.example/>", "<base href=http://x.example/>", "<meta http-equiv=refresh content='0;url=http://x.example/'>",
    "<link rel=stylesheet href=http://x.example/>", "<link rel=dns-prefetch href=//x.example>", "<form action=http://x.example/><input name=a autofocus onfocus=alert(1)><button>b</button></form>",
    "<a href='javascript:alert(1)'>a</a>", "<a href='java&#9;script:alert(1)'>a</a>", "<a href='&#1;javascript:alert(1)'>a</a>", "<a href='data:text/html,<script>alert(1)</script>'>a</a>",
    "<a href='vbscript:x'>a</a>", "<a href='//x.example'>a</a>", "<a ping=http://x.example/ href=#>a</a>", "<img src='data:image/svg+xml,<svg onload=alert(1)>'>", "<img srcset='http://x.example/ 1x'>",
    "<video src=http://x.example/ poster=http://x.example/></video>", "<audio src=http://x.example/></audio>", "<body background=http://x.example/><table background=http://x.example/>",
    "<div style='background:url(http://x.example/)'>", "<div style='background:\\75rl(http://x.example/)'>", "<div style='background:u/**/rl(http://x.example/)'>",
    "<div style='background-image:image-set(\"http://x.example/\" 1x)'>", "<div style='--x:url(http://x.example/);background:var(--x,url(http://x.example/))'>",
    "<style>@import 'http://x.example/';</style>", "<style>@\\69mport 'http://x.example/';</style>", "<div style='position:fixed!important;top:0'>", "<div style='behavior:url(x)'>", "<div style='width:expression(alert(1))'>",
    "<div style='margin-left:-9999px'>", "<div style='font:url(http://x.example/)'>", "<div style='list-style:url(http://x.example/)'>", "<p id=clobber name=clobber class=toolbar>", "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<!--><img src=x onerror=alert(1)>-->", "<div title='\"><img src=x onerror=alert(1)>'>", "<img alt='`onerror=alert(1)'>", "<textarea><img src=x onerror=alert(1)></textarea>", "<select><option><img src=x onerror=alert(1)></select>",
    "<frameset><frame src=javascript:alert(1)></frameset>", "<isindex action=javascript:alert(1) type=image>", "<marquee onstart=alert(1)>x</marquee>", "<details open ontoggle=alert(1)>", "<area href=javascript:alert(1)>",
    "<p style='color:red;}@import \"http://x.example/\";'>", "<p style='background:url(http://x.example/'>", "<img src='cid:unknown'>", "<img src='file:///etc/passwd'>",
]  # fmt: skip
FORBIDDEN = re.compile(
    r"<(?:script|svg|math|style|iframe|object|embed|base|meta|link|form|input|button|template|noscript|video|audio|frame|textarea|select)"
    r"|\son\w+\s*=|javascript:|vbscript:|x\.example|data:text|data:image/svg|url\(|expression|position|behavior|\sid=|\sclass=|\sname=|srcset|ping=|file:|@import|-9999",
    re.IGNORECASE,
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("remote", [False, True])
def test_attacks_leave_nothing_behind(attack: str, remote: bool) -> None:
    for source in (attack, f"<p>before</p>{attack}<p>after</p>", attack * 3):
        cleaned, _ = safe_html(source, allow_remote=remote, cid=lambda _: None)
        visible = re.sub(r'(?:title|alt)="[^"]*"', "", re.sub(r">[^<]*", ">", cleaned))  # text and titles may say anything
        if remote:
            visible = re.sub(r'(?:src|background)="https?://x\.example/"', "", visible)
        assert not FORBIDDEN.search(visible), cleaned
        again = safe_html(cleaned, allow_remote=remote, cid=lambda _: None)[0]
        assert sorted(again) == sorted(cleaned)  # the order of attributes may change, nothing else


def test_what_mail_needs_stays() -> None:
    source = (
        '<table width="600" bgcolor="#ffffff"><tbody><tr><td style="color: red; padding: 4px; font-family: Arial, \'Times New\'">'
        '<b>Hi</b> <a href="https://example.org/?a=1&amp;b=2">link</a></td></tr></tbody></table>'
    )
    cleaned = sanitize(source)
    assert "color: red; padding: 4px; font-family: Arial, 'Times New'" in cleaned
    assert 'href="https://example.org/?a=1&amp;b=2"' in cleaned and 'rel="noopener noreferrer"' in cleaned
    assert 'target="_blank"' in cleaned and 'width="600"' in cleaned and "<b>Hi</b>" in cleaned


def test_pictures() -> None:
    source = (
        '<img src="cid:a%40b"><img src="http://x.example/1"><img src="//x.example/2"><img src="data:image/png;base64,AAAA">'
    )
    cleaned, blocked = safe_html(source, allow_remote=False, cid={"a@b": "/part/2"}.get)
    assert cleaned == '<img src="/part/2"><img><img><img src="data:image/png;base64,AAAA">'
    assert blocked == 2
    assert safe_html('<img src="https://x.example/1">', allow_remote=True, cid=lambda _: None) == (
        '<img src="https://x.example/1">',
        0,
    )
    assert has_remote(source) and not has_remote('<img src="cid:a@b">')


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("color: #f00; background-color: rgb(1, 2, 3)", "color: #f00; background-color: rgb(1, 2, 3)"),
        ("COLOR:red !important", "color: red !important"),
        ("color: red; top: 0; z-index: 9; opacity: 0", "color: red"),
        ("display: none", "display: none"),
        ("display: grid", ""),
        ("margin: 0 -5px", ""),
        ("margin: 0 auto", "margin: 0 auto"),
        ("width: calc(100% - 1px)", ""),
        ("color:red;;;color", "color: red"),
        ("co\\6cor: red", ""),
        ("color: r\\65d", ""),
    ],
)
def test_styles(style: str, kept: str) -> None:
    assert safe_style(style) == kept


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 200_000,
        "<b><i>" * 50_000,
        "<table><tr><td>" * 20_000,
        "<" * 500_000,
        "<img src=" * 50_000,
        "<p style='" + "color:red;" * 100_000 + "'>",
        "<a href='" * 50_000,
        "&" * 500_000,
        "<p>" * 100_000,
    ],
)
def test_hostile_html_takes_bounded_time(source: str) -> None:
    start = time.process_time()
    safe_html(source, allow_remote=False, cid=lambda _: None)
    assert time.process_time() - start < 4
