"""Sentences and code as HTML: `backticks`, links to the glossary, and highlighted Python with line numbers."""

import re
from collections.abc import Iterable

from markupsafe import Markup, escape
from pygments import highlight as highlighted
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from page.glossary import Term


def inline(text: str) -> Markup:
    """A sentence as HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def with_terms(text: str, terms: Iterable[Term], root: str = "") -> Markup:
    """The same, each term linked to the glossary where it first stands."""
    by_word = {word: term for term in terms for word in term.words}
    html, seen = str(inline(text)), set[str]()

    def link(found: re.Match[str]) -> str:
        term = by_word[found[0]]
        if term.id in seen:
            return found[0]
        seen.add(term.id)
        return f'<a class="term" href="{root}glossary.html#{term.id}" title="{escape(term.meaning)}">{found[0]}</a>'

    words = "|".join(sorted((re.escape(str(escape(word))) for word in by_word), key=len, reverse=True))
    return Markup(re.sub(rf"(?<![\w@.-])(?:{words})(?![\w-])", link, html) if words else html)


def code(text: str, first_line: int = 1) -> Markup:
    """Python with colours, a span a line: the style sheet numbers them, and wraps the long ones under their indent."""
    lines = highlighted(text, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).splitlines()
    indents = [len(line) - len(line.lstrip()) for line in text.splitlines()]
    spans = [
        f'<span class="line" style="--indent:{indent}">{without_indent(line)}\n</span>'
        for line, indent in zip(lines, indents, strict=True)
    ]
    return Markup(f'<pre class="code" style="--before:{first_line - 1}"><code>{"".join(spans)}</code></pre>')


def without_indent(line: str) -> str:
    """A line of highlighted code without its first blanks, which may stand within a span."""
    return re.sub(r"^((?:<[^>]*>)*)\s+", r"\1", line).rstrip() or " "
