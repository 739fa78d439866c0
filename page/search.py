"""What the search box finds: scenarios, stages, claims, mistakes and the words of the glossary, as one small script."""

import json
from collections.abc import Iterator
from typing import Any


def script(content: dict[str, Any]) -> str:
    """Assigns the list of entries to a variable, as a page that is opened from a disk may load scripts, but no data."""
    return f"const ENTRIES = {json.dumps(list(entries(content)), ensure_ascii=False)};\n"


def entries(content: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Each with its kind, title, text, address relative to the page's folder, and more words to find it by."""
    for each in content["scenarios"]:
        title, address = f"{each.id} {each.text['title']}", f"scenarios/{each.id.lower()}.html"
        words = " ".join([each.text["why"], each.text["setup"], *each.text["answers"].values()])
        yield entry("scenario", title, each.text["question"], address, words)
    for stage in content["stages"]:
        yield entry("stage", stage.name, stage.same, f"stages.html#{stage.name}")
    for claim in content["claims"]:
        yield entry("claim", claim.text, claim.verdict, f"claims.html#{claim.id.lower()}")
    for id, mistake in content["mistakes"].items():
        yield entry("mistake", mistake["title"], mistake["what"], f"mistakes.html#{id}")
    for term in content["terms"]:
        yield entry("word", ", ".join(term.words), term.meaning, f"glossary.html#{term.id}")


def entry(kind: str, title: str, text: str, address: str, words: str = "") -> dict[str, str]:
    return {"kind": kind, "title": title, "text": text.replace("`", ""), "address": address, "words": words}
