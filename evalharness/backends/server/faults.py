"""What can go wrong with a request, by what is to be done about it."""

from evalharness.errors import DataError

_LONGEST_QUOTE = 300


class ServerError(DataError):
    """No request of this run can be answered: the run ends, with what is stored kept."""


class UnreachableError(ServerError):
    """There is nobody at the address."""


class RequestError(Exception):
    """One request cannot be answered; others may be."""


class RefusedError(RequestError):
    """The server understood and will not: another attempt would be refused as well."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(f"the server refused the request (HTTP {status}): {message}")
        self.status = status
        self.message = message
        self.code = code

    @property
    def is_too_long(self) -> bool:
        """Was the prompt longer than the context? Servers say so in words of their own."""
        said = f"{self.code} {self.message}".lower()
        return self.status in {400, 413, 422} and any(
            words in said
            for words in (
                "context_length",
                "context length",
                "context size",
                "context window",
                "maximum context",
                "max_model_len",
                "too long",
                "exceed_context",
            )
        )


class GaveUpError(RequestError):
    """No attempt succeeded; `status` is that of the last answer, None if there was none."""

    def __init__(self, reason: str, status: int | None) -> None:
        super().__init__(reason)
        self.status = status


class TransientError(Exception):
    """Another attempt may succeed.

    wait       seconds for which the server wants to be left alone
    status     that of the answer, None if there was none
    connected  somebody was at the address
    """

    def __init__(
        self,
        reason: str,
        wait: float = 0.0,
        *,
        status: int | None = None,
        connected: bool = True,
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.status = status
        self.connected = connected


def quoted(text: str) -> str:
    """What a stranger said, short and on one line."""
    line = " ".join(mended(text).split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}..."


def mended(text: str) -> str:
    """The same text with a replacement character for each half of a surrogate pair.

    JSON can spell them, and servers that cut texts off between the halves do; no file takes them.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
