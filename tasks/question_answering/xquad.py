"""XQuAD: 240 paragraphs of SQuAD 1.1 in twelve languages (Artetxe et al. 2020).

Data: https://github.com/google-deepmind/xquad, CC BY-SA 4.0. Hub: google/xquad, a configuration
xquad.LANGUAGE each, 1,190 questions (split "validation", of which all is test data), one accepted
answer each. There is no training split, and so are no few-shot examples.

    {"id": "56beb4343aeaaa14008c925b", "context": "Die Verteidigung der Panthers gab nur ...",
     "question": "Wie viele Punkte gab die Verteidigung der Panthers ab?",
     "answers": {"text": ["308"], "answer_start": [38]}}

The published files are read as they are, too (`--data xquad:de=xquad.de.json`); see squad.py.
Prompt as lm-evaluation-harness (xquad_LANGUAGE): context, question, answer, each after its name in
the language (its Arabic name for the context lacks the last letter, which is kept). The answer is
the first line. Metrics: those of SQuAD 1.1, whose articles are English in every language. In
Chinese and Thai, which put no space between words, f1 is near exact match; f1_characters, where
each letter is a token, is the primary one there. lm-evaluation-harness reports f1 only. Ids and
fields checked against lm-evaluation-harness; not checked against the hub from a closed network.
"""

from collections.abc import Callable
from functools import partial

from evalharness.errors import UsageError, did_you_mean
from evalharness.extraction import first_line
from evalharness.metrics.question_answering import CHARACTER_F1, EXACT_MATCH, TOKEN_F1
from evalharness.records import Row, Sample, Task, TaskTemplate
from evalharness.samples import generation
from evalharness.samples.published import accepted_answers, passage_group
from evalharness.sources import HubDataset, Questions

# The words for context, question and answer in the prompt.
WORDS = {
    "ar": ("سيا", "سؤال", "إجابة"),
    "de": ("Kontext", "Frage", "Antwort"),
    "el": ("Συμφραζόμενα", "Ερώτηση", "Απάντηση"),
    "en": ("Context", "Question", "Answer"),
    "es": ("Contexto", "Pregunta", "Respuesta"),
    "hi": ("प्रसंग", "सवाल", "उत्तर"),
    "ro": ("Context", "Întrebare", "Răspuns"),
    "ru": ("Контекст", "Вопрос", "Ответ"),
    "th": ("บริบท", "คำถาม", "คำตอบ"),
    "tr": ("Bağlam", "Soru", "Cevap"),
    "vi": ("Bối cảnh", "Câu hỏi", "Trả lời"),
    "zh": ("语境", "问题", "回答"),
}
UNSPACED = ("th", "zh")


def sample(row: Row, language: str) -> Sample:
    context, question, answer = WORDS[language]
    return generation(
        id=row["id"],
        prompt=f"{context}: {row['context']}\n\n{question}: {row['question']}\n\n{answer}:",
        references=accepted_answers(row["answers"]["text"]),
        max_tokens=64,
        stop=("\n",),
        source=row["context"],
        group=passage_group(row["context"]),
    )


def make(language: str, _find: Callable[[str], Task]) -> Task:
    """The task of one language. Raises UsageError for one that XQuAD has not."""
    if language not in WORDS:
        raise UsageError(
            f"xquad:{language}: XQuAD is in the languages {', '.join(WORDS)}."
            f"{did_you_mean(language, WORDS)}"
        )
    metrics = (TOKEN_F1, EXACT_MATCH)
    return Task(
        name=f"xquad:{language}",
        family="question_answering",
        version=1,
        data=Questions(HubDataset("google/xquad", f"xquad.{language}", split="validation")),
        sample=partial(sample, language=language),
        extract=first_line,
        metrics=(CHARACTER_F1, *metrics) if language in UNSPACED else metrics,
        languages=(language,),
        licence="CC BY-SA 4.0",
        description="Questions about paragraphs of Wikipedia, translated by professionals.",
        size=1190,
    )


TASKS = (
    TaskTemplate(
        name="xquad",
        family="question_answering",
        argument="LANGUAGE",
        examples=("en", "de", "zh"),
        make=make,
        description="SQuAD's questions in twelve languages.",
    ),
)
