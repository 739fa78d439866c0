"""The calibration and ROC plots as SVG, for the tools' pages and for MLflow."""

from base64 import b64encode

from shared.contracts import Evaluation, Scores

CALIBRATION, ROC = "calibration.svg", "roc.svg"
Points = tuple[tuple[float, float], ...]
SIZE, MARGIN, DOT = 300, 40, 2
COLOURS = {"challenger": "#d95f02", "champion": "#1b9e77"}


def calibration(evaluation: Evaluation) -> str:
    """Share of late flights (upwards) against predicted probability (to the right); the diagonal is perfect."""
    curves = [
        (model, f"Brier score {scores.brier:.4f}", scores.calibration_curve) for model, scores in models(evaluation)
    ]
    return diagram(
        curves, "predicted probability of a late arrival, 0 to 1", f"late flights, 0 to 1, in {evaluation.month}"
    )


def roc(evaluation: Evaluation) -> str:
    """True positive rate (upwards) against false positive rate (to the right); the diagonal is a guess."""
    curves = [
        (model, f"AUC {scores.auc:.4f}", scores.roc_curve)
        for model, scores in models(evaluation)
        if scores.auc is not None
    ]
    return diagram(
        curves,
        "punctual flights that are called late, 0 to 1",
        f"late flights called late, 0 to 1, in {evaluation.month}",
    )


def models(evaluation: Evaluation) -> list[tuple[str, Scores]]:
    """The challenger, and the champion if it has scores."""
    both = [("challenger", evaluation.challenger), ("champion", evaluation.champion)]
    return [(model, scores) for model, scores in both if scores]


def diagram(curves: list[tuple[str, str, Points]], to_the_right: str, upwards: str) -> str:
    """A square with the diagonal and a curve for each model, with its score in the legend."""
    drawn = [
        curve(points, COLOURS[model]) + label(f"{model}, {score}", n, COLOURS[model])
        for n, (model, score, points) in enumerate(curves)
    ]
    side = SIZE + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" height="{side}" '
        f'font-family="sans-serif" font-size="12"><rect width="{side}" height="{side}" fill="white"/>'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIZE}" height="{SIZE}" fill="none" stroke="grey"/>'
        f"{line(((0, 0), (1, 1)), 'grey')}{''.join(drawn)}"
        f'<text x="{MARGIN}" y="{side - 12}">{to_the_right}</text>'
        f'<text x="{MARGIN}" y="{MARGIN - 12}">{upwards}</text></svg>'
    )


def curve(points: Points, colour: str) -> str:
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{DOT}" fill="{colour}"/>' for x, y in map(place, points))
    return line(points, colour) + dots


def line(points: Points, colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, points))
    return f'<polyline points="{path}" fill="none" stroke="{colour}"/>'


def place(point: tuple[float, float]) -> tuple[float, float]:
    """From shares to pixels."""
    return MARGIN + SIZE * point[0], MARGIN + SIZE * (1 - point[1])


def label(text: str, row: int, colour: str) -> str:
    return f'<text x="{MARGIN + 10}" y="{MARGIN + 20 + 16 * row}" fill="{colour}">{text}</text>'


def data_url(svg: str) -> str:
    """The picture as a URL that needs no server."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
