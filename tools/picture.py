"""Draws the pipeline as SVG: the stages and what passes between them are read from shared/stages."""

import ast

from shared.runtime import records
from shared.settings import ROOT

WIDTH, HEIGHT, GAP = 104, 46, 40
MIDDLE, STEP = 112, 58  # of the row of stages, and between the candidates of `train`
BLUE, GREEN, GREY = "#2b6cb0", "#2f855a", "#4a5568"


def pipeline() -> str:
    """Seven stages from left to right, `train` once for each candidate; above the arrows what each stage returns."""
    parts, left = [box(8, MIDDLE, "source", GREY, "monthly drop")], 8 + WIDTH + GAP
    handed_on = ""
    for stage in records.STAGES:
        rows = (MIDDLE - STEP, MIDDLE, MIDDLE + STEP) if stage == "train" else (MIDDLE,)
        before = (MIDDLE - STEP, MIDDLE, MIDDLE + STEP) if stage == "evaluate" else (MIDDLE,)
        parts += [arrow(left - GAP, start, left, end) for start in before for end in rows]
        top = MIDDLE - STEP if stage in ("train", "evaluate") else MIDDLE
        parts.append(text(left - GAP / 2, top - HEIGHT / 2 - 8, handed_on))
        labels = ("EWR/logistic", "…", "LGA/boosting60") if stage == "train" else ("",)
        parts += [box(left, row, stage, BLUE, label) for row, label in zip(rows, labels, strict=True)]
        left, handed_on = left + WIDTH + GAP, returned_by(stage)
    parts += [arrow(left - GAP, MIDDLE, left, MIDDLE), box(left, MIDDLE, "champion", GREEN, "served over HTTP")]
    parts.append(text(left - GAP / 2, MIDDLE - HEIGHT / 2 - 8, handed_on))
    size = f'width="100%" viewBox="0 0 {left + WIDTH + 8} {2 * MIDDLE}"'
    font = 'font-family="sans-serif" font-size="13" text-anchor="middle"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>', *parts, "</svg>\n"])


def returned_by(stage: str) -> str:
    """The contract that the stage's function returns."""
    tree = ast.parse((ROOT / "shared" / "stages" / f"{stage}.py").read_text("utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == stage)
    assert function.returns
    return ast.unparse(function.returns)


def box(x: float, y: float, name: str, colour: str, label: str = "") -> str:
    """A box with a name, and a label in small letters under it; y is its middle."""
    frame = f'<rect x="{x}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{colour}"/>'
    small = text(x + WIDTH / 2, y + 15, label, "white", 11) if label else ""
    return frame + text(x + WIDTH / 2, y - 2 if label else y + 5, name, "white") + small


def text(x: float, y: float, content: str, colour: str = GREY, size: int = 13) -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}">{content}</text>'


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with a head at its end."""
    head = f'<path d="M{x2 - 8} {y2 - 4} L{x2} {y2} L{x2 - 8} {y2 + 4} Z" fill="{GREY}"/>'
    return f'<line x1="{x1}" y1="{y1}" x2="{x2 - 6}" y2="{y2}" stroke="{GREY}" stroke-width="1.5"/>{head}'
