"""The marks of a document's text: `**bold**`, `*italic*`, `` `code` ``, `[words](address)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

Kind = Literal["text", "bold", "italic", "code", "link"]
# (kind, words or parts in the output's language, address of a link) -> the output's language
Write = Callable[[Kind, str, str], str]

# An asterisk beside a space or a letter is itself, as in `2 * 3`. Addresses are of the web or of
# this report, nothing that could run.
MARK = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\*\*(?=\S)(?P<bold>.+?)(?<=\S)\*\*"
    r"|(?<![\w*])\*(?=[^\s*])(?P<italic>[^*]+?)(?<=\S)\*(?![\w*])"
    r"|\[(?P<link>[^\]]+)\]\((?P<address>(?:https?://|#)[^)\s]+)\)"
)


def convert(text: str, write: Write) -> str:
    """`text` in another language, part by part.

    Args:
        text: with marks.
        write: writes a part in that language; words inside bold or italic are in it already.
    """
    parts, at = [], 0
    for match in MARK.finditer(text):
        parts.append(write("text", text[at : match.start()], ""))
        parts.append(_marked(match, write))
        at = match.end()
    parts.append(write("text", text[at:], ""))
    return "".join(parts)


def plain(text: str) -> str:
    """The words alone; an address of the web stays behind them in brackets."""

    def write(kind: Kind, words: str, address: str) -> str:
        return f"{words} ({address})" if is_web(address) else words

    return convert(text, write)


def is_web(address: str) -> bool:
    """Whether it leads somewhere from wherever it is read, and not only beside the report."""
    return address.startswith(("https://", "http://"))


def html(text: str) -> str:
    """As HTML."""
    tags = {"bold": "strong", "italic": "em", "code": "code"}

    def write(kind: Kind, words: str, address: str) -> str:
        content = words if kind in ("bold", "italic") else escape(words)
        if kind == "link":
            return f'<a href="{escape(address)}">{content}</a>'
        return f"<{tags[kind]}>{content}</{tags[kind]}>" if kind in tags else content

    return convert(text, write)


def escape(text: str) -> str:
    """Safe in HTML and in what looks like it, in attributes too."""
    replaced: Mapping[int, str] = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
    return text.translate({**replaced, ord('"'): "&quot;", ord("'"): "&#39;"})


def _marked(match: re.Match[str], write: Write) -> str:
    if match["code"]:
        return write("code", match["code"], "")
    if match["link"]:
        return write("link", match["link"], match["address"])
    kind: Kind = "bold" if match["bold"] else "italic"
    return write(kind, convert(match[kind], write), "")
