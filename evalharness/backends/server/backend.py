"""A server as a backend: several requests at once, each answer handed on as it comes."""

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from evalharness.backends.checkpoint import fingerprint
from evalharness.backends.refusals import NOT_MASKED
from evalharness.backends.server.address import Address, Key, find_key, parse_address
from evalharness.backends.server.client import Client, Patience
from evalharness.backends.server.faults import RequestError
from evalharness.backends.server.opening import Opened, answers_messages, open_server_model
from evalharness.backends.server.options import NEUTRAL_OPTIONS, ServerOptions
from evalharness.backends.server.scoring import CHATS_ARE_NOT_SCORED, Reader, find_reader, ways_of
from evalharness.backends.server.writing import Writer
from evalharness.backends.spec import ModelSpec, parse_options
from evalharness.canonical import canonical
from evalharness.records import (
    Cost,
    Failure,
    Generation,
    Instance,
    LogLikelihood,
    Model,
    Outcome,
    PseudoLogLikelihood,
    Request,
    Scorable,
    TokenScores,
    as_text,
    whole_prompt,
)

_Given = TypeVar("_Given")
_Answer = TypeVar("_Answer")
# Raised when requests or the reading of answers change in a way that changes answers.
SERVER_VERSION = 2
# Requests at once where other batches are asked for; the second where the first is usual.
_OTHER_CONCURRENCY = (1, 4)


def open_server(spec: ModelSpec) -> "ServerBackend":
    """Find the server, and ask it for one token.

    Raises UsageError for a spec, an option or a key variable that cannot be used, and ServerError,
    a DataError, for a server that is not there, does not let us in, or has no such model.
    """
    address = parse_address(spec)
    # Options are left out of errors: someone may have put a key there.
    shown = replace(spec, text=f"server:{address.model}@{address.url}")
    options = parse_options(shown, ServerOptions)
    key = find_key(address, options.key_variable)
    patience = Patience(options.timeout, options.retries)

    async def open_it() -> Opened:
        async with Client(address, key, patience) as client:
            return await open_server_model(client, address, options)

    started = time.perf_counter()
    opened = asyncio.run(open_it())
    return ServerBackend(spec, address, key, options, opened, time.perf_counter() - started)


class ServerBackend:
    """Asks a server. Its answers depend on the request, so that they are kept in the store."""

    peak_memory_bytes = 0

    def __init__(
        self,
        spec: ModelSpec,
        address: Address,
        key: Key | None,
        options: ServerOptions,
        opened: Opened,
        load_seconds: float,
    ) -> None:
        self._address = address
        self._key = key
        self._options = options
        self._writer = Writer(opened.dialect, options.marks)
        self._llama_cpp = opened.llama_cpp
        self._chats: bool | None = None
        self._scoring: tuple[Reader | None, str] | None = None
        self.load_seconds = load_seconds
        state = options.revision if options.revision is not None else opened.system_fingerprint
        settings = {
            "backend": f"server {SERVER_VERSION}",
            "model": address.model,
            "url": address.url,
            "root": opened.loaded,
            "state": state,
            "plain_texts": opened.dialect.plain_texts,
            "temperature": options.temperature,
            "start": options.start,
            "extra_body": canonical(options.extra_body).decode(),
            "thinking_marks": options.thinking_marks or "",
        }
        self.model = Model(
            spec=spec.text,
            name=_name(spec, address),
            fingerprint=fingerprint({}, settings),
            architecture=f"server, plain text by {opened.dialect.plain_texts}",
            parameters=0,
            dtype="unknown",
            device="server",
            max_length=opened.max_length,
        )

    @property
    def has_chat_template(self) -> bool:
        """Does the server answer messages, which it renders itself? Found out when first needed.

        Raises ServerError as `answers_messages` does.
        """
        if self._chats is None:
            self._chats = asyncio.run(self._find_chats())
        return self._chats

    async def _find_chats(self) -> bool:
        if self._options.api == "completions":
            return False
        if self._writer.dialect.plain_texts == "chat":
            return True
        async with self._client() as client:
            return await answers_messages(client, self._writer)

    def render(self, request: Request) -> str:
        """What is sent. The text that the server makes of messages is not known here."""
        return as_text(whole_prompt(request))

    def unsupported(self, instance: Instance) -> str | None:
        """Chats where only completions are wanted; scores where the server gives none."""
        request = instance.request
        if isinstance(request, Generation):
            chat = not isinstance(request.prompt, str)
            if chat and self._options.api == "completions":
                return "the prompts are chats, and api=completions has none"
            return None
        if isinstance(request, PseudoLogLikelihood):
            return NOT_MASKED
        if isinstance(request, LogLikelihood) and not isinstance(request.prompt, str):
            return CHATS_ARE_NOT_SCORED
        reader, reason = self._reader()
        if reader is None:
            return f"this server gives no log-probabilities of a text that it reads ({reason})"
        return None

    def _reader(self) -> tuple[Reader | None, str]:
        """How this server scores texts, found out when it is first needed."""
        if self._scoring is None:
            self._scoring = asyncio.run(self._find_reader())
        return self._scoring

    async def _find_reader(self) -> tuple[Reader | None, str]:
        if self._options.api == "chat":
            return None, "api=chat has none"
        async with self._client() as client:
            return await find_reader(
                client,
                ways_of(self._llama_cpp),
                self._address.model,
                self._options.start,
                self._options.extra_body,
            )

    def _client(self) -> Client:
        patience = Patience(self._options.timeout, self._options.retries)
        return Client(self._address, self._key, patience)

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """Each outcome as soon as it is there; when the caller stops, so do all requests.

        Raises ServerError when no request can be answered any more.
        """
        if not instances:
            return
        unscored = Generation | PseudoLogLikelihood
        needs_scores = not all(isinstance(one.request, unscored) for one in instances)
        reader = self._reader()[0] if needs_scores else None
        client = self._client()
        answering = _Answering(client, self._writer, reader, self._prices())
        yield from self._ask_all(client, instances, answering.ask)

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        """As TokenScoring says. Raises ServerError as `answer` does."""
        if not requests:
            return
        reader, reason = self._reader()
        if reader is None:
            yield from ((index, Failure(reason)) for index, _ in enumerate(requests))
            return
        client = self._client()

        async def ask(request: Scorable) -> TokenScores | Failure:
            try:
                return await reader.score_tokens(client, request)
            except RequestError as error:
                return Failure(str(error))

        yield from self._ask_all(client, requests, ask)

    def _ask_all(
        self, client: Client, given: Sequence[_Given], ask: Callable[[_Given], Awaitable[_Answer]]
    ) -> Iterator[tuple[int, _Answer]]:
        """Each answer with the index of what was asked; when the caller stops, so do all."""
        with asyncio.Runner() as runner:
            asked = _Asked(client, ask)
            runner.run(asked.start(given, self._options.concurrency))
            try:
                for _ in given:
                    yield runner.run(asked.next())
            finally:
                runner.run(asked.stop())

    def in_other_batches(self) -> "ServerBackend":
        """One request at a time, or several where one is usual: how the server puts those of all
        its users together is its own.
        """
        other = copy.copy(self)
        concurrency = next(some for some in _OTHER_CONCURRENCY if some != self._options.concurrency)
        other._options = self._options.model_copy(update={"concurrency": concurrency})
        return other

    def _prices(self) -> tuple[float, float]:
        return self._options.input_price / 1e6, self._options.output_price / 1e6


class _Asked(Generic[_Given, _Answer]):
    """Requests on their way, in one event loop that runs only while `next` waits."""

    def __init__(self, client: Client, ask: Callable[[_Given], Awaitable[_Answer]]) -> None:
        self._client = client
        self._ask = ask
        self._done: asyncio.Queue[tuple[int, _Answer] | Exception] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    async def start(self, given: Sequence[_Given], concurrency: int) -> None:
        await self._client.__aenter__()
        waiting = iter(enumerate(given))
        self._workers = [
            asyncio.create_task(self._work(waiting)) for _ in range(min(concurrency, len(given)))
        ]

    async def next(self) -> tuple[int, _Answer]:
        """The next answer. Raises what a worker raised, which ends the run."""
        found = await self._done.get()
        if isinstance(found, Exception):
            raise found
        return found

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._client.__aexit__(None, None, None)

    async def _work(self, waiting: Iterator[tuple[int, _Given]]) -> None:
        try:
            for index, given in waiting:
                self._done.put_nowait((index, await self._ask(given)))
        except Exception as error:
            self._done.put_nowait(error)


class _Answering:
    """Answers instances one by one, and says what each of them cost."""

    def __init__(
        self, client: Client, writer: Writer, reader: Reader | None, prices: tuple[float, float]
    ) -> None:
        self._client = client
        self._writer = writer
        self._reader = reader
        self._prices = prices
        self._clock = _SharedClock()

    async def ask(self, instance: Instance) -> Outcome:
        """The outcome; whatever makes one request fail is a Failure."""
        started = self._clock.begin()
        try:
            outcome = await self._outcome(instance.request)
        except RequestError as error:
            return Failure(str(error))
        finally:
            seconds = self._clock.end(started)
        if isinstance(outcome, Failure):
            return outcome
        return replace(outcome, cost=self._priced(outcome.cost, seconds))

    async def _outcome(self, request: Request) -> Outcome:
        if isinstance(request, Generation):
            return await self._writer.write(self._client, request)
        if isinstance(request, PseudoLogLikelihood):
            return Failure(NOT_MASKED)
        if self._reader is None:
            return Failure("this server gives no log-probabilities of a text that it reads")
        if isinstance(request, LogLikelihood):
            return await self._reader.score(self._client, request)
        return await self._reader.score_whole(self._client, request)

    def _priced(self, cost: Cost, seconds: float) -> Cost:
        given, written = self._prices
        price = cost.prompt_tokens * given + cost.generated_tokens * written
        return replace(cost, seconds=seconds, price=price)


class _SharedClock:
    """A clock that goes slower the more requests are on their way: each gets its share of time."""

    def __init__(self) -> None:
        self._active = 0
        self._shown = 0.0
        self._last = time.perf_counter()

    def begin(self) -> float:
        self._go()
        self._active += 1
        return self._shown

    def end(self, started: float) -> float:
        """Seconds that fall to a request that began when the clock showed `started`."""
        self._go()
        self._active -= 1
        return self._shown - started

    def _go(self) -> None:
        now = time.perf_counter()
        if self._active:
            self._shown += (now - self._last) / self._active
        self._last = now


def _name(spec: ModelSpec, address: Address) -> str:
    """What tables call the model: the end of its name, and the options that change answers."""
    name = address.model.rstrip("/").rpartition("/")[2] or address.model
    shown = [f"{key}={value}" for key, value in spec.options.items() if key not in NEUTRAL_OPTIONS]
    return f"{name} ({', '.join(shown)})" if shown else name
