"""Tasks as a model is asked them: as chats, and for a letter where it cannot compare options.

Multiple choice compares how likely each option is. A model that writes texts but scores none, such
as one behind a server without log-probabilities, is shown the options by letters and asked for one.
That is another measurement, by a metric of another name, which run.json and reports say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from evalharness.extraction import find_letter
from evalharness.metrics.multiple_choice import LETTER_ACCURACY
from evalharness.prompts.bare_sources import give_sources
from evalharness.prompts.chat import ask_in_chat
from evalharness.prompts.preparation import PreparedTask, prompt_hash, why_unsupported
from evalharness.records import Backend, Generation, LogLikelihood, Sample
from evalharness.results import Method, RunConfiguration
from evalharness.samples import LETTERS, listed_options, without_cue
from evalharness.samples.shots import with_shots


@dataclass(frozen=True, slots=True)
class Room:
    """How long an answer may be: a continued text goes on with the next question if it may."""

    max_tokens: int
    stop: tuple[str, ...]


_CONTINUED = Room(16, ("\n",))
# A model that is talked to ends its answer itself, and may think before it.
_TALKED_TO = Room(1024, ())


def as_asked(
    backend: Backend, tasks: Sequence[PreparedTask], configuration: RunConfiguration
) -> list[PreparedTask]:
    """The same tasks with their prompts as this model is to be given them.

    A model that takes no instructions is given bare sources (see bare_sources.py). Prompts become
    chats as `ask_in_chat` says, which also says what is raised. Multiple choice that
    the model cannot be asked so is asked for the letter; what is no multiple choice stays, for the
    run to skip it with the model's reason.
    """
    tasks = give_sources(backend, tasks)
    chats = ask_in_chat(backend, tasks, configuration)
    # What does not look at the request alone, such as a baseline, reads no prompts.
    if not backend.model.reusable:
        return chats
    pairs = zip(tasks, chats, strict=True)
    return [_or_letters(backend, task, chat, configuration) for task, chat in pairs]


def _or_letters(
    backend: Backend, task: PreparedTask, chat: PreparedTask, configuration: RunConfiguration
) -> PreparedTask:
    reason = why_unsupported(backend, chat)
    if reason is None:
        return chat
    talks = configuration.chat != "off" and backend.has_chat_template
    lettered = ask_for_letters(task, reason, _TALKED_TO if talks else _CONTINUED)
    if lettered is None:
        return chat
    (asked,) = ask_in_chat(backend, [lettered], configuration)
    return chat if why_unsupported(backend, asked) else asked


def ask_for_letters(task: PreparedTask, reason: str, room: Room) -> PreparedTask | None:
    """The task with options that stand in its prompts, or None if it is not multiple choice.

    reason: why it is not asked as its author wrote it

    Few-shot examples are shown in the same way. Its metric is that of letters, and none is left of
    its own. An answer without a letter is wrong, and counted as unparsed.
    """
    examples = [_lettered(example, room) for example in task.examples]
    samples = [_lettered(sample, room, len(examples)) for sample in task.samples]
    shots = [example for example in examples if example is not None]
    asked = [with_shots(sample, shots) for sample in samples if sample is not None]
    if len(asked) < len(samples) or len(shots) < len(examples):
        return None
    most = max(len(sample.choices) for sample in asked)
    return PreparedTask(
        replace(
            task.task,
            extract=partial(find_letter, letters=LETTERS[:most]),
            metrics=(LETTER_ACCURACY,),
        ),
        tuple(asked),
        task.record.model_copy(
            update={
                "prompt_hash": prompt_hash(asked),
                "method": Method(name="letter", reason=reason),
            }
        ),
        tuple(shots),
    )


def _lettered(sample: Sample, room: Room, examples: int = 0) -> Sample | None:
    """A sample that asks for a letter, without its first `examples` shots; None if none can be."""
    number = len(sample.choices)
    options = sample.requests[:number]
    scored = [one for one in options if isinstance(one, LogLikelihood)]
    if not sample.gold or not 1 < number <= len(LETTERS) or len(scored) < number:
        return None
    prompt, shots = scored[0].prompt, scored[0].shots[examples:]
    same = all((one.prompt, one.shots) == (prompt, scored[0].shots) for one in scored)
    if not isinstance(prompt, str) or not prompt or shots or not same:
        return None
    right = tuple(LETTERS[index] for index in sample.gold)
    listed = [one.continuation.strip() for one in scored] == list(LETTERS[:number])
    text = lettered_prompt(prompt, () if listed else sample.choices)
    return replace(
        sample,
        requests=(Generation(text, room.max_tokens, room.stop),),
        target=right[0],
        references=right,
        gold=(),
    )


def lettered_prompt(prompt: str, choices: Sequence[str]) -> str:
    """The prompt with its options, the question for a letter, and the cue that the answer follows.

    choices: none where the prompt lists them by letters already
    """
    body, cue = without_cue(prompt)
    question = (
        "Which option is right?" if cue or not choices else "Which option continues the text?"
    )
    options = [listed_options([choice.strip() for choice in choices])] if choices else []
    asked = f"{question} Answer with its letter."
    return "\n".join([body if cue else body.rstrip(), *options, asked, cue or "Answer:"])
