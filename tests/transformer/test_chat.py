"""Chat templates, as strangers write them."""

import pytest

from evalharness.errors import DataError
from evalharness.records import Message
from evalharness.transformer.chat import ChatTemplate

TURNS = (Message("system", "Be brief."), Message("user", "What is 2+2?\n"))
# As templates of models that see images are written: a turn is a list of parts.
PARTS = (
    "{% for message in messages %}{{ message.role }}:{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% elif part['type'] == 'image' %}<image>"
    "{% endif %}{% endfor %}|{% endfor %}assistant:"
)
EITHER = (
    "{% for message in messages %}{% if message.content is string %}[{{ message.content }}]"
    "{% else %}{{ message.content[0].text }}{% endif %}{% endfor %}"
)


def test_a_template_that_reads_parts_alone_is_given_parts() -> None:
    """A text has no parts, so that nothing of the prompt was in what the model was given."""
    rendered = ChatTemplate(PARTS, {}).render(TURNS)
    assert rendered == "system:Be brief.|user:What is 2+2?\n|assistant:"


def test_a_template_that_reads_texts_is_given_texts() -> None:
    assert ChatTemplate(EITHER, {}).render(TURNS) == "[Be brief.][What is 2+2?\n]"
    trimmed = "{{ messages[-1].content | trim }}"
    assert ChatTemplate(trimmed, {}).render(TURNS) == "What is 2+2?"


def test_a_template_that_changes_a_text_is_left_to_do_so() -> None:
    """It shows the text, though not as it was; parts would be an error here."""
    assert ChatTemplate("{{ messages[-1].content | upper }}", {}).render(TURNS) == "WHAT IS 2+2?\n"


@pytest.mark.parametrize("source", ["", "{{ messages[0].content }}", "a fixed text"])
def test_a_template_that_loses_the_question_is_refused(source: str) -> None:
    with pytest.raises(DataError, match="it leaves it out"):
        ChatTemplate(source, {}).render(TURNS)


def test_a_template_that_refuses_a_text_is_not_given_parts_instead() -> None:
    """It would not find in them what it refuses."""
    source = "{% if '2+2' in messages[1].content %}{{ raise_exception('no sums') }}{% endif %}"
    with pytest.raises(DataError, match="no sums"):
        ChatTemplate(f"{source}{{{{ messages }}}}", {}).render(TURNS)


def test_the_words_of_a_template_that_refuses_are_told() -> None:
    source = "{{ raise_exception('no system prompt here') }}"
    with pytest.raises(DataError, match=r"cannot render the prompt: no system prompt here\."):
        ChatTemplate(source, {}).render(TURNS)
