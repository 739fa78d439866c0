"""The calibration plot as SVG, for the tools' pages and for MLflow."""

from base64 import b64encode

from shared.contracts import Evaluation

SIZE, MARGIN = 300, 40
COLOURS = {"challenger": "#d95f02", "champion": "#1b9e77"}


def calibration(evaluation: Evaluation) -> str:
    """Share of late flights (upwards) against predicted probability (to the right); the diagonal is perfect."""
    models = {"challenger": evaluation.challenger, "champion": evaluation.champion}
    curves = [
        curve(scores.calibration_curve, COLOURS[model])
        + label(f"{model}, Brier score {scores.brier:.4f}", n, COLOURS[model])
        for n, (model, scores) in enumerate(models.items())
        if scores
    ]
    side = SIZE + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" height="{side}" '
        f'font-family="sans-serif" font-size="12"><rect width="{side}" height="{side}" fill="white"/>'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIZE}" height="{SIZE}" fill="none" stroke="grey"/>'
        f"{line([(0, 0), (1, 1)], 'grey')}{''.join(curves)}"
        f'<text x="{MARGIN}" y="{side - 12}">predicted probability of a late arrival, 0 to 1</text>'
        f'<text x="{MARGIN}" y="{MARGIN - 12}">late flights, 0 to 1, in {evaluation.month}</text></svg>'
    )


def curve(points: tuple[tuple[float, float], ...], colour: str) -> str:
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in map(place, points))
    return line(list(points), colour) + dots


def line(points: list[tuple[float, float]], colour: str) -> str:
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
