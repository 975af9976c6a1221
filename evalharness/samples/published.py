"""Forms in which several benchmarks publish their questions and answers, and how they are read."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from evalharness.records import Row
from evalharness.samples.choices import LETTERS


def accepted_answers(answers: Sequence[str]) -> list[str]:
    """The same answers. Raises ValueError where none of them says anything, or one is no text.

    An empty one beside others is kept: SQuAD 1.1 has such a list, and its script counts it.
    """
    if isinstance(answers, str) or not all(isinstance(answer, str) for answer in answers):
        raise ValueError(f"the accepted answers should be a list of texts, not {answers!r:.80}")
    if not any(answer.strip() for answer in answers):
        raise ValueError(f"no accepted answer says anything: {list(answers)}")
    return list(answers)


def reading_prompt(row: Row) -> str:
    """A question of SQuAD after its passage, as lm-evaluation-harness asks SQuAD 2.0."""
    return (
        f"Title: {row['title']}\n\nBackground: {row['context']}\n\n"
        f"Question: {row['question']}\n\nAnswer:"
    )


def passage_group(passage: str) -> str:
    """The group of the questions about one passage, which are not independent."""
    return sha256(passage.encode()).hexdigest()[:16]


def labelled_question(row: Row) -> tuple[str, list[str], int]:
    """Question, options and the index of the right one, of AI2's ARC, OpenBookQA, CommonsenseQA.

    On the hub the options are {"text": [...], "label": [...]}, and the question stands beside them;
    in the files that AI2 publishes they are [{"text": ..., "label": ...}, ...] within the question.
    Raises ValueError when `answerKey` is the label of no option.
    """
    question = row["question_stem" if "question_stem" in row else "question"]
    if isinstance(question, Mapping):
        options = [(option["label"], option["text"]) for option in question["choices"]]
        question = question["stem"]
    else:
        choices = row["choices"]
        options = list(zip(choices["label"], choices["text"], strict=True))
    labels = [label for label, _ in options]
    answer = row["answerKey"].strip()
    if answer not in labels:
        raise ValueError(f"answerKey is {answer!r}, but the options are {', '.join(labels)}")
    return question, [text for _, text in options], labels.index(answer)


def lettered_question(text: str, answer: str) -> tuple[str, list[str], int]:
    r"""Question, options and the index of the right one, where all is one text.

    text: the question, a line break, and the options as "A. a marsh\nB. a tundra"
    answer: the right option with its letter, "B. a tundra"

    Raises ValueError when the answer is none of the options.
    """
    question, options = split_options(text)
    lettered = [
        f"{letter}. {option}"
        for letter, option in zip(LETTERS[: len(options)], options, strict=True)
    ]
    if answer not in lettered:
        raise ValueError(f"the right answer {answer!r} is none of the options {lettered}")
    return question, options, lettered.index(answer)


def split_options(text: str) -> tuple[str, list[str]]:
    r"""What stands before the line "A. ...", and the options without their letters.

    An option may have several lines: it ends where the next letter begins one. The opposite of
    samples.listed_options().
    """
    parts: list[str] = []
    rest = f"\n{text}"
    for letter in LETTERS:
        before, mark, after = rest.partition(f"\n{letter}. ")
        if not mark:
            break
        parts.append(before)
        rest = after
    question, *options = [*parts, rest]
    return question.removeprefix("\n"), options
