"""The marks of a document's text."""

from __future__ import annotations

import pytest

from analysis.writers.inline_markup import html, plain


@pytest.mark.parametrize(
    ("text", "as_html", "as_words"),
    [
        ("**bold** word", "<strong>bold</strong> word", "bold word"),
        ("an *italic* word", "an <em>italic</em> word", "an italic word"),
        ("**a *b* c**", "<strong>a <em>b</em> c</strong>", "a b c"),
        ("`a_b*c*`", "<code>a_b*c*</code>", "a_b*c*"),
        ("2 * 3 * 4 and a*b*c", "2 * 3 * 4 and a*b*c", "2 * 3 * 4 and a*b*c"),
        ("mnist_auto_encoder", "mnist_auto_encoder", "mnist_auto_encoder"),
        (
            "[x](https://a.b/?c=1&d)",
            '<a href="https://a.b/?c=1&amp;d">x</a>',
            "x (https://a.b/?c=1&d)",
        ),
        ("[x](#summary)", '<a href="#summary">x</a>', "x"),
        *(
            (f"[x]({address})",) * 3
            for address in ("a.html", "../a.html", "/a.html", "a.html:x", "data:a.html", "a.js")
        ),
        ("[x](javascript:alert)", "[x](javascript:alert)", "[x](javascript:alert)"),
        ('[x](http://a"b)', '<a href="http://a&quot;b">x</a>', 'x (http://a"b)'),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d", "a < b & c > d"),
        ("`<b>`", "<code>&lt;b&gt;</code>", "<b>"),
        ("**", "**", "**"),
        ("", "", ""),
    ],
)
def test_marks(text: str, as_html: str, as_words: str) -> None:
    assert html(text) == as_html
    assert plain(text) == as_words
