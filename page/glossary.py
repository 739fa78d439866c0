"""What the tools' words mean, from texts/glossary.toml, whose `checked` is for its test."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

TEXT = Path(__file__).parent / "texts" / "glossary.toml"


@dataclass(frozen=True)
class Term:
    """A thing that each tool has a word for; `words` are those that are linked to it in other texts."""

    id: str
    meaning: str
    airflow: str
    prefect: str
    dagster: str
    words: list[str]


def terms() -> list[Term]:
    """All terms, in the file's order."""
    entries = tomllib.loads(TEXT.read_text("utf-8"))["term"]
    return [Term(**{field.name: entry[field.name] for field in fields(Term)}) for entry in entries]
