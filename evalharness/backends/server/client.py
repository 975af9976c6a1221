"""One request to a server, tried again where that may help.

httpx2 and not the `openai` package: prompt log-probabilities and their like are fields of single
servers, which that package does not know, and its answers have no limit of size. httpx2 comes with
huggingface_hub, so that nothing is installed for it.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin

import httpx2
from pydantic import BaseModel

from evalharness.backends.server.address import Address, Key
from evalharness.backends.server.answers import InvalidAnswerError, read_answer
from evalharness.backends.server.faults import (
    GaveUpError,
    RefusedError,
    RequestError,
    ServerError,
    TransientError,
    UnreachableError,
    quoted,
)

# A server may send without end; the longest honest answers are log-probabilities of a long text.
LARGEST_ANSWER = 64 * 2**20
# Who is to wait longer than this for one answer had better know it.
LONGEST_WAIT = 600.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 60.0
_NOT_TRANSIENT = {501, 505}
_TRANSIENT = {408, 409, 425, 429}

_Kind = TypeVar("_Kind", bound=BaseModel)
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Patience:
    """`timeout` seconds for each attempt, and how many more there are after the first."""

    timeout: float
    retries: int


def delay(attempt: int, wait: float, draw: Callable[[], float] = random.random) -> float:
    """Seconds before the attempt after `attempt` (0, 1, ...): twice as long each time, scattered.

    Half of it is drawn, so that requests that failed together do not come back together; never
    shorter than the server's own `wait`.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("equal jitter")
    """
    longest: float = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt, 30))
    return max(wait, longest * (0.5 + 0.5 * draw()))


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3); else 0."""
    if value is None:
        return 0.0
    if re.fullmatch(r"[0-9]+", value.strip()):
        return float(value.strip()[:9])
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


class Client:
    """Asks one server. To be used within `async with`, in one event loop."""

    def __init__(
        self, address: Address, key: Key | None, patience: Patience, pause: Pause = asyncio.sleep
    ) -> None:
        self._address = address
        self._key = key
        self._patience = patience
        self._pause = pause
        self._answered = 0
        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        if key is not None:
            headers["authorization"] = f"Bearer {key.secret}"
        # A redirect is never followed: the key would go where it does not belong.
        self._http = httpx2.AsyncClient(
            headers=headers,
            timeout=patience.timeout,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=None),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    async def post(self, path: str, body: dict[str, Any], kind: type[_Kind]) -> _Kind:
        """The validated answer to `body`.

        Raises RequestError when this request cannot be answered, however often it is tried, and
        ServerError when no request can: a wrong key, a server that is gone.
        """
        answered = self._answered
        for attempt in range(self._patience.retries + 1):
            try:
                answer = await self._once("POST", path, body, kind)
            except TransientError as error:
                last = error
            else:
                self._answered += 1
                return answer
            if last.wait > LONGEST_WAIT:
                raise GaveUpError(
                    f"{last}, and asks to be left alone for {last.wait:.0f} seconds", last.status
                )
            if attempt < self._patience.retries:
                await self._pause(delay(attempt, last.wait))
        if not last.connected and answered == self._answered:
            raise UnreachableError(self._unreachable(str(last)))
        raise GaveUpError(
            f"gave up after {self._patience.retries + 1} attempts: {last}", last.status
        )

    async def get(self, path: str, kind: type[_Kind]) -> _Kind:
        """The validated answer, asked for once. Raises as `post` does."""
        try:
            return await self._once("GET", path, None, kind)
        except TransientError as error:
            if not error.connected:
                raise UnreachableError(self._unreachable(str(error))) from None
            raise GaveUpError(str(error), error.status) from None

    async def _once(
        self, method: str, path: str, body: dict[str, Any] | None, kind: type[_Kind]
    ) -> _Kind:
        # As ASCII, in which also half of a surrogate pair can be sent.
        content = None if body is None else json.dumps(body).encode("ascii")
        url = urljoin(f"{self._address.url}/", path)
        try:
            # The client's own timeout begins anew with every byte.
            async with (
                asyncio.timeout(self._patience.timeout),
                self._http.stream(method, url, content=content) as response,
            ):
                received = await _limited(response)
        except TimeoutError:
            raise TransientError(f"no answer within {self._patience.timeout:g} seconds") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            reason = self._hide(str(error)) or type(error).__name__
            raise TransientError(reason, connected=False) from None
        except httpx2.TimeoutException:
            raise TransientError(f"no answer within {self._patience.timeout:g} seconds") from None
        except httpx2.HTTPError as error:
            reason = self._hide(str(error)) or type(error).__name__
            raise TransientError(f"the connection broke ({reason})") from None
        except httpx2.InvalidURL as error:
            raise ServerError(f"{self._address.url} is no address: {error}.") from None
        text = self._hide(received.decode("utf-8", "replace"))
        if response.is_success:
            return _parsed(text, kind)
        raise self._fault(response, text)

    def _fault(self, response: httpx2.Response, text: str) -> Exception:
        """What a status that is no success means."""
        status = response.status_code
        message, code = _message(text)
        if response.is_redirect:
            target = quoted(self._hide(response.headers.get("location", "")))
            return ServerError(
                f"{self._address.url} sends elsewhere (HTTP {status}, to {target!r}), which is not "
                "followed, since the key would go along. Give the right address in the spec."
            )
        if status == 401:
            return ServerError(self.wrong_key(status, message))
        if code == "insufficient_quota" or status == 402:
            return ServerError(
                f"{self._address.url} answers no more requests of this key: {message}. What was "
                "answered is stored; run again when there is credit."
            )
        if status in _TRANSIENT or (status >= 500 and status not in _NOT_TRANSIENT):
            wait = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            return TransientError(f"HTTP {status}: {message}", wait, status=status)
        return RefusedError(status, message, code)

    def _hide(self, text: str) -> str:
        return text if self._key is None else self._key.hide(text)

    def wrong_key(self, status: int, message: str) -> str:
        """What is said where a key is missing or is not the right one."""
        if self._key is None:
            advice = (
                "No key was sent; put it into an environment variable and name that: "
                "key_variable=NAME"
            )
        else:
            advice = f"Check the key in the environment variable {self._key.variable}"
        return f"{self._address.url} lets nobody in (HTTP {status}): {message}. {advice}."

    def _unreachable(self, reason: str) -> str:
        return (
            f"nobody answers at {self._address.url} ({reason}). Start the server (see "
            "docs/serve-a-model.md) or correct the address; what was answered so far is stored."
        )


async def _limited(response: httpx2.Response) -> bytes:
    """The body as it is sent: what is packed could be small and grow without end."""
    received = bytearray()
    async for part in response.aiter_raw():
        received += part
        if len(received) > LARGEST_ANSWER:
            raise RequestError(
                f"the answer is longer than {LARGEST_ANSWER // 2**20} MiB, and was not read on"
            )
    return bytes(received)


def _parsed(text: str, kind: type[_Kind]) -> _Kind:
    try:
        return read_answer(kind, json.loads(text))
    except InvalidAnswerError as error:
        raise TransientError(f"the answer is not one ({error})", status=200) from None
    except (ValueError, RecursionError):
        raise TransientError("the answer is not JSON") from None


def _message(text: str) -> tuple[str, str]:
    """What an error says for people, and its code: each kind of server has a form of its own."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return quoted(text) or "no reason is given", ""
    value = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(value, dict):
        return quoted(str(value)), ""
    said = next((value[key] for key in ("message", "detail", "error") if value.get(key)), value)
    return quoted(str(said)).rstrip("."), str(value.get("code") or value.get("type") or "")
