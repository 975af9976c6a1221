"""What is found out about a server before anything is asked of it."""

from dataclasses import dataclass, replace

from evalharness.backends.server.address import Address
from evalharness.backends.server.answers import Chat, Completion, ListedModel, ListedModels
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import (
    GaveUpError,
    RefusedError,
    RequestError,
    ServerError,
    quoted,
)
from evalharness.backends.server.options import ServerOptions
from evalharness.backends.server.writing import FIRST_WORD, Dialect, Writer, probe
from evalharness.errors import did_you_mean
from evalharness.records import Message

# Put after a model's name, it makes one that no server has.
_NOBODY = "which-does-not-exist"


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that answers: how it wants to be asked, and what it says of the model.

    system_fingerprint  the server's word for its state, "" if it has none
    loaded              what the server loaded under the model's name, "" if it does not say
    max_length          tokens of the context, 0 if it does not say
    llama_cpp           is it llama.cpp's own server?
    """

    dialect: Dialect
    system_fingerprint: str
    loaded: str
    max_length: int
    llama_cpp: bool


async def open_server_model(client: Client, address: Address, options: ServerOptions) -> Opened:
    """Ask for the list of models and for one token.

    Raises ServerError, which names the address and says what to do: nobody is there, the key is not
    the right one, the model is not known.
    """
    try:
        listed = (await client.get("models", ListedModels)).data
    except RequestError as error:
        _check_key(client, error)
        listed = []  # Some servers have no list; the token below says all that matters.
    writer, answer = await _first_token(client, address, options, listed)
    own = next((model for model in listed if address.model in model.names), None)
    if own is None:
        await _check_name(client, writer, address, listed, answer.model)
    return Opened(
        dialect=writer.dialect,
        system_fingerprint=answer.system_fingerprint or "",
        loaded=own.loaded if own else "",
        max_length=own.max_length if own else 0,
        llama_cpp=any(model.owned_by == "llamacpp" for model in listed),
    )


async def _first_token(
    client: Client, address: Address, options: ServerOptions, listed: list[ListedModel]
) -> tuple[Writer, Completion | Chat]:
    """Completions if the server has them for this model and the options allow, else chat."""
    problems = []
    for api in ("completions", "chat"):
        if options.api not in {"auto", api}:
            continue
        dialect = Dialect(
            address.model,
            plain_texts="completions" if api == "completions" else "chat",
            sends_temperature=options.temperature == "request",
            extra=options.extra_body,
        )
        writer = Writer(dialect)
        try:
            return writer, await probe(client, writer, FIRST_WORD)
        except RequestError as error:
            _check_key(client, error)
            problems.append(f"{api}: {error}")
    raise ServerError(
        f"{address.url} does not answer for the model {address.model!r}; {'; '.join(problems)}."
        f"{_known(address, listed)}"
    )


def _known(address: Address, listed: list[ListedModel]) -> str:
    """The names that the server lists, where the model's is not one of them; else ""."""
    names = [quoted(model.id) for model in listed]
    if not names or address.model in names:
        return ""
    some = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f" It lists the models {some}.{did_you_mean(address.model, names)}"


async def _check_name(
    client: Client,
    writer: Writer,
    address: Address,
    listed: list[ListedModel],
    answered: str | None,
) -> None:
    """Raises ServerError where `answered`, another model, answers whatever name is asked for.

    llama.cpp's server does: its figures would stand under the name of a model that never ran. A
    name that is not listed may be a second one of a listed model, as hosted services have them;
    those do not answer to a name that nobody has.
    """
    if answered == address.model or not any(answered in model.names for model in listed):
        return
    nobody = Writer(replace(writer.dialect, model=f"{address.model}-{_NOBODY}"))
    try:
        await probe(client, nobody, FIRST_WORD)
    except RequestError:
        return
    raise ServerError(
        f"{address.url} has no model {address.model!r}, and answers to any name with "
        f"{quoted(str(answered))!r}. Give its own name in the spec.{_known(address, listed)}"
    )


async def answers_messages(client: Client, writer: Writer) -> bool:
    """Is there chat beside completions? Servers refuse it for models without a chat template.

    Raises ServerError where that cannot be found out, as for a server that is busy.
    """
    try:
        await probe(client, writer, (Message("user", FIRST_WORD),))
    except RefusedError:
        return False
    except GaveUpError as error:
        # Of some servers, an error in the template that they lack.
        if error.status == 500:
            return False
        raise ServerError(
            f"whether {writer.dialect.model!r} answers messages could not be found out: {error}."
        ) from None
    return True


def _check_key(client: Client, error: RequestError) -> None:
    if isinstance(error, RefusedError) and error.status == 403:
        raise ServerError(client.wrong_key(error.status, error.message)) from None
