"""The starter sets, which are written here, are what their READMEs promise."""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from evalharness.discovery import bundled_folder


def rows(family: str, name: str) -> list[dict[str, Any]]:
    path: Path = bundled_folder("tasks") / family / "data" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_starter_reading_answers_are_spans_and_a_quarter_is_unanswerable() -> None:
    found = rows("question_answering", "starter_reading")
    for row in found:
        assert all(answer in row["passage"] for answer in row["answers"]), row["id"]
    unanswerable = sum(not row["answers"] for row in found)
    assert unanswerable * 4 == len(found)
    assert len({row["question"] for row in found}) == len(found)


def test_starter_translations_are_in_their_scripts_and_tidy() -> None:
    found = rows("translation", "starter_translation")
    for language in ("en", "de", "fr", "es", "ja", "zh"):
        texts = [row[language] for row in found]
        assert len(set(texts)) == len(texts)
        for text in texts:
            assert text == unicodedata.normalize("NFC", text).strip()
            kana = re.search("[\u3040-\u30ff]", text) is not None
            han = re.search("[\u4e00-\u9fff]", text) is not None
            assert (kana, han) == {"ja": (True, han), "zh": (False, True)}.get(
                language, (False, False)
            )
            assert not (language == "fr" and re.search(r"[a-zé][;:!?»]", text)), text


def test_starter_summaries_name_nothing_that_the_article_does_not() -> None:
    for row in rows("summarization", "starter_summaries"):
        for number in re.findall(r"\d+", row["summary"]):
            assert number in row["document"], row["id"]
        names = re.findall(r"(?<=[a-z,] )[A-Z][a-zé]+", row["summary"])
        assert all(name in row["document"] for name in names), row["id"]
        assert row["summary"].count("\n") == 1


def test_starter_pairs_differ_in_the_group_only_and_are_balanced() -> None:
    found = rows("bias", "starter_pairs")
    categories = Counter(row["category"] for row in found)
    assert len(categories) >= 6
    assert len(set(categories.values())) == 1
    for row in found:
        assert len({row[key] for key in row if key.endswith(("_more", "_less"))}) == 4
        for kind in ("stereotype", "counter"):
            more, less = row[f"{kind}_more"].split(), row[f"{kind}_less"].split()
            assert abs(len(more) - len(less)) <= 1, row["id"]
        both = Counter(f"{row['stereotype_more']} {row['counter_more']}".lower().split())
        other = Counter(f"{row['stereotype_less']} {row['counter_less']}".lower().split())
        assert both == other, row["id"]
