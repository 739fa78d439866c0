"""Bars and lines as SVG in the page's colours: Altair draws them, and the style sheet's variables colour them."""

import io
import re
from collections.abc import Callable
from itertools import accumulate
from math import ceil, floor, log10
from typing import Any

import altair as alt

Row = dict[str, Any]
WIDTHS = {"wide": 620, "narrow": 250}  # for a laptop and for a phone: the style sheet shows the one that fits
HEIGHT, LINE, NAME = 300, 15, 75  # of a chart, of a line of text, and the width that a tool's name takes
FIGURE = 65  # the width that a bar's figure takes
STYLE = {
    "font": "system-ui, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink)",
        "titleFontWeight": "normal",
        "domainColor": "var(--soft)",
        "tickColor": "var(--soft)",
        "gridColor": "var(--rule)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelSeparation": 6,
    },
}
"""For Altair: the colours are variables of the style sheet, so that one picture serves for light and dark ground."""


def point(tool: str, x: float, y: float, told: str) -> Row:
    """A point of a tool's line, and what is said of it to screen readers and to whom points at it."""
    return {"tool": tool.capitalize(), "x": x, "y": y, "told": f"{tool}, {told}"}


def bar(tool: str, value: float, unit: str, of: str = "") -> Row:
    """A tool's bar in the group `of`, with its figure."""
    label = f"{value:.3g} {unit}"
    return {
        "tool": tool.capitalize(),
        "of": of,
        "x": value,
        "label": label,
        "told": f"{tool}, {of or 'one run'}: {label}",
    }


def lines(rows: list[Row], x: str, y: str) -> str:
    """A line for each tool on two logarithmic axes, its name to the left of its first point."""
    values = sorted({row["x"] for row in rows})
    first, last = values[0], values[-1]

    def draw(width: int) -> alt.LayerChart:
        room = alt.Scale(type="log", nice=False, domain=[first * (first / last) ** (NAME / (width - NAME)), last])
        drawn = chart(rows).encode(
            x=alt.X("x:Q", title=x, scale=room, axis=alt.Axis(values=values, format=",", labelOverlap="parity")),
            y=alt.Y("y:Q", title=y, scale=alt.Scale(type="log", nice=True)),
        )
        names = drawn.mark_text(align="right", dx=-9, fontSize=13, aria=False).encode(text="tool:N")
        points = drawn.mark_point(filled=True, size=60, opacity=1).encode(description="told:N")
        layers = drawn.mark_line(aria=False) + points + names.properties(data=alt.InlineData(apart(rows)))
        return layers.properties(width=width, height=HEIGHT)

    return in_widths(draw)


def apart(rows: list[Row]) -> list[Row]:
    """Where the names stand: at the first point of each line, but no two closer than a line of text."""
    heights = [log10(row["y"]) for row in rows]
    least = 10 ** ((ceil(max(heights)) - floor(min(heights))) * LINE / HEIGHT)
    first = sorted((row for row in rows if row["x"] == min(each["x"] for each in rows)), key=lambda row: row["y"])
    places = accumulate((row["y"] for row in first), lambda below, y: max(y, below * least))
    return [row | {"y": y} for row, y in zip(first, places, strict=True)]


def bars(rows: list[Row], x: str) -> str:
    """A group of bars for each `of`, with the figures at their ends, for which the longest bar leaves room."""
    longest = max(row["x"] for row in rows)
    header = alt.Header(labelColor="var(--ink)", labelFontSize=13, labelOrient="top", labelAnchor="start", title=None)

    def draw(width: int) -> alt.FacetChart:
        room = alt.Scale(nice=False, domain=[0, longest * width / (width - FIGURE)])
        drawn = chart(rows).encode(x=alt.X("x:Q", title=x, scale=room), y=alt.Y("tool:N", title=None, sort=named(rows)))
        figures = drawn.mark_text(align="left", dx=5, fontSize=12, aria=False).encode(text="label:N")
        both = drawn.mark_bar().encode(description="told:N") + figures
        return both.properties(width=width).facet(row=alt.Row("of:N", header=header, sort=None))

    return in_widths(draw)


def chart(rows: list[Row]) -> alt.Chart:
    tools = named(rows)
    scale = alt.Scale(domain=tools, range=[f"var(--{tool.lower()})" for tool in tools])
    return alt.Chart(alt.InlineData(rows)).encode(color=alt.Color("tool:N", scale=scale, legend=None))


def named(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["tool"] for row in rows))


def in_widths(draw: Callable[[int], alt.TopLevelMixin]) -> str:
    """The picture in each width, of which the page shows one."""
    return "".join(f'<div class="{name}">{svg(draw(width))}</div>' for name, width in WIDTHS.items())


def svg(drawn: alt.TopLevelMixin) -> str:
    """Each figure, which Altair names for screen readers, shows its name also to whom points at it."""
    file = io.StringIO()
    drawn.configure(**STYLE).save(file, format="svg")
    return re.sub(r'(<path aria-label="([^"]*)"[^>]*)/>', r"\1><title>\2</title></path>", file.getvalue())
