"""Chat templates: where a checkpoint keeps its template, and the sandbox in which it runs.

What a template may use is what transformers offers it (transformers.utils.chat_template_utils).
Its own function is not called, since importing it takes longer than everything else at the start.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evalharness.errors import DataError
from evalharness.records import Message
from evalharness.transformer.values import remedy


class ChatTemplate:
    """Turns of a chat -> the text that the model continues."""

    def __init__(self, source: str, variables: Mapping[str, str | bool]) -> None:
        """`variables` are what the template may use, such as bos_token or enable_thinking."""
        self._source = source
        self._variables = variables

    def uses(self, variable: str) -> bool:
        """Does the template speak of the variable?"""
        return variable in self._source

    def render(self, messages: Sequence[Message]) -> str:
        """Turns as texts; where the template loses the last one, each as a list of one part.

        Templates of models that see images may read parts alone, and pass over a text in silence.
        Raises DataError when the template is broken, refuses the turns, or leaves them out.
        """
        text, last = self._rendered(messages, str), messages[-1].content.strip()
        # A template that changes a text before it shows it has not lost it.
        without = [*messages[:-1], replace(messages[-1], content="")]
        if last in text or self._rendered(without, str) != text:
            return text
        of_parts = self._rendered(messages, _parts)
        if last not in of_parts:
            raise DataError("the chat template cannot render the prompt: it leaves it out.")
        return of_parts

    def _rendered(self, messages: Sequence[Message], content: Callable[[str], Any]) -> str:
        try:
            return self._compiled.render(
                messages=[
                    {"role": turn.role, "content": content(turn.content)} for turn in messages
                ],
                add_generation_prompt=True,
                tools=None,
                documents=None,
                **self._variables,
            )
        except Exception as error:  # a stranger's program can fail in every way
            raise DataError(f"the chat template cannot render the prompt: {error}.") from None

    @cached_property
    def _compiled(self) -> Template:
        # A template comes with the weights, from strangers, and is run in a sandbox.
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        return environment.from_string(self._source)


def _parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


class _GenerationBlock(Extension):
    """`{% generation %}...{% endgeneration %}` marks the model's own words for training."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja2's own filter escapes what is special in HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    """Today's date, which some templates tell the model."""
    return datetime.now().strftime(form)


def read_source(folder: Path, settings: Mapping[str, Any], chosen: Path | None) -> str | None:
    """The text of the template: the `chosen` file, else the checkpoint's own, else None.

    `settings` is tokenizer_config.json. A checkpoint keeps its template in one of four places;
    files of their own come first, as in transformers. Raises DataError for several templates none
    of which is called "default".
    """
    if chosen is not None:
        return _text(chosen)
    for name in ("chat_template.jinja", "additional_chat_templates/default.jinja"):
        if (folder / name).exists():
            return _text(folder / name)
    if (template := settings.get("chat_template")) is not None:
        return _default(template, folder / "tokenizer_config.json")
    path = folder / "chat_template.json"
    return _default(read_json(path).get("chat_template"), path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"chat_template: there is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"chat_template: {path} cannot be read: {error}. It should be a text file in UTF-8."
        ) from None


def _default(template: Any, path: Path) -> str | None:
    """A template, or the one called "default" of several."""
    if template is None or isinstance(template, str):
        return template
    try:
        named = dict(
            template
            if isinstance(template, dict)
            else ((each["name"], each["template"]) for each in template)
        )
    except (TypeError, KeyError):
        raise DataError(f"{path}: chat_template should be a text or named texts.") from None
    if "default" not in named:
        raise DataError(
            f"{path} has the chat templates {', '.join(sorted(named))}, and none of them is called "
            "'default'. Put the one to use into a file and give it as chat_template."
        )
    return str(named["default"])


def read_json(path: Path) -> dict[str, Any]:
    """An object in a file; empty where there is no file. Raises DataError for a damaged one."""
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {error}. {remedy(path)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise DataError(f"{path} should hold one JSON object. {remedy(path)}")
    return values
