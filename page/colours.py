"""One colour for each tool, on light and on dark ground.

Each has a contrast of at least 5 to 1 with its ground, and the three stay apart for people who see colours differently.
"""

ACCENTS = {
    "plain": ("#4a5260", "#b4bdc9"),
    "airflow": ("#00705b", "#4fd1ae"),
    "prefect": ("#3547b8", "#9fb4ff"),
    "dagster": ("#b04a00", "#ffab70"),
}
"""By tool: for light and for dark ground."""


def css() -> str:
    """The colours as variables of the style sheet: `var(--airflow)`."""
    lines = [f"  --{tool}: light-dark({light}, {dark});" for tool, (light, dark) in ACCENTS.items()]
    return "\n".join([":root {", *lines, "}\n"])
