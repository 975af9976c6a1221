"""Tasks as a model is asked them: prompts of plain text become chats where the user wants that.

Preparation makes one list of samples for all models. Whether their prompts go through a chat
template depends on the model, and is decided here, before anything is computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.errors import DataError, UsageError
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import (
    Backend,
    Generation,
    LogLikelihood,
    Message,
    Request,
    Shot,
    WholeText,
)
from evalharness.results import ChatForm, ChatMode, RunConfiguration
from evalharness.samples.shots import solved_in_turns

# Published figures of multiple choice are those of plain text, of chat models as well.
_KINDS: Mapping[ChatMode, tuple[type[Request], ...]] = {
    "off": (),
    "auto": (Generation,),
    "on": (Generation, LogLikelihood),
}


def ask_in_chat(
    backend: Backend, tasks: Sequence[PreparedTask], configuration: RunConfiguration
) -> list[PreparedTask]:
    """The same tasks with their prompts as this model is to be given them.

    A prompt of plain text becomes a user's turn, after the system prompt and the few-shot examples.
    Texts that are scored as a whole, and those scored without a prompt, stay as they are, and so
    does everything for a model without a template and for baselines. Turns of a task's own are
    kept. Raises UsageError when the model has not the chat template that is needed, when that
    refuses the turns, and for a system prompt without chats.
    """
    _check_model(backend, configuration)
    kinds = _KINDS[configuration.chat] if backend.has_chat_template else ()
    asked = [_converted(task, kinds, configuration) for task in tasks]
    for task in asked:
        _check_template(backend, task, configuration)
    return asked


def _check_model(backend: Backend, configuration: RunConfiguration) -> None:
    if configuration.system_prompt and configuration.chat == "off":
        raise UsageError(
            "a system prompt is given, but with --chat off prompts stay plain text, which has "
            "none; leave one of both out."
        )
    # What does not look at the request alone, such as a baseline, reads no prompts.
    if backend.has_chat_template or not backend.model.reusable:
        return
    advice = "Give a checkpoint one with ?chat_template=FILE, or run it"
    if configuration.chat == "on":
        raise UsageError(
            f"{backend.model.name} has no chat template, which --chat on needs. {advice} with "
            "--chat auto or --chat off."
        )
    if configuration.system_prompt:
        raise UsageError(
            f"{backend.model.name} has no chat template, and plain text has no system prompt. "
            f"{advice} without --system-prompt."
        )


def _check_template(backend: Backend, task: PreparedTask, configuration: RunConfiguration) -> None:
    """Render one chat of the task, so that a template that refuses such turns is known before."""
    chats = (instance.request for instance in task.instances() if _is_chat(instance.request))
    request = next(chats, None)
    if request is None or not backend.has_chat_template:
        return
    try:
        backend.render(request)
    except DataError as error:
        advice = "Run it with --chat off"
        if configuration.system_prompt:
            advice += ", or without --system-prompt, which some templates refuse"
        raise UsageError(f"{backend.model.name}: task {task.name!r}: {error} {advice}.") from None


def _is_chat(request: Request) -> bool:
    return not isinstance(request, WholeText) and not isinstance(request.prompt, str)


def _converted(
    task: PreparedTask, kinds: tuple[type[Request], ...], configuration: RunConfiguration
) -> PreparedTask:
    turns: tuple[Shot, ...] = ()
    if configuration.fewshot_as == "turns":
        turns = tuple(solved_in_turns(example) for example in task.examples)
    system = configuration.system_prompt

    def converted(request: Request) -> Request:
        return _with_system(_in_turns(request, kinds, turns), system)

    samples = tuple(
        replace(sample, requests=tuple(converted(request) for request in sample.requests))
        for sample in task.samples
    )
    if not any(_is_chat(request) for sample in samples for request in sample.requests):
        return task
    form = ChatForm(
        system_prompt=system, fewshot_as=configuration.fewshot_as if task.examples else None
    )
    return replace(task, samples=samples, record=task.record.model_copy(update={"chat": form}))


def _in_turns(
    request: Request, kinds: tuple[type[Request], ...], turns: tuple[Shot, ...]
) -> Request:
    """A prompt of plain text as a user's turn; `turns` are its first shots, asked and answered."""
    if not isinstance(request, kinds) or isinstance(request, WholeText):
        return request
    # A text without a prompt is scored as it stands, and is nobody's answer.
    if not isinstance(request.prompt, str) or not request.prompt:
        return request
    shots = (*turns, *request.shots[len(turns) :])
    return replace(request, prompt=(Message("user", request.prompt),), shots=shots)


def _with_system(request: Request, system_prompt: str) -> Request:
    """A chat ready to be answered: with the system prompt, unless the task has one of its own.

    A continuation loses the white space that joins it to plain text: after the template's opening
    of a turn an answer begins with its first word, and would be another, unlikely token after a
    space.
    """
    if isinstance(request, WholeText) or isinstance(request.prompt, str):
        return request
    if system_prompt and request.prompt[0].role != "system":
        request = replace(request, prompt=(Message("system", system_prompt), *request.prompt))
    if isinstance(request, LogLikelihood):
        return replace(request, continuation=request.continuation.lstrip() or request.continuation)
    return request
