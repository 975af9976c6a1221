"""Where a server is, which model of it is meant, and the key that opens it."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evalharness.backends.spec import ModelSpec
from evalharness.errors import UsageError

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
# Shorter keys, such as "EMPTY", are placeholders that occur in honest texts as well.
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class Address:
    """A model of a server; `url` is the base of its paths, without a slash at its end."""

    model: str
    url: str

    @property
    def is_private(self) -> bool:
        """Can nobody listen on the way there? Over https, or on this machine."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "https" or host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that no repr shows; `variable` is the environment's name for it."""

    variable: str
    secret: str = field(repr=False)

    def hide(self, text: str) -> str:
        """The same text without the key, which a server may have put into it."""
        return text.replace(self.secret, "***") if len(self.secret) >= _SHORTEST_SECRET else text


def parse_address(spec: ModelSpec) -> Address:
    """The model and the address of a spec. Raises UsageError, which repeats no password."""
    found = re.fullmatch(r"(?P<model>.+?)@(?P<url>https?://.+)", spec.reference, re.DOTALL)
    if found is None:
        raise UsageError(
            "a server is given as server:MODEL@http://HOST:PORT/v1, with the name that the server "
            "has for the model, such as server:gpt-4.1-mini@https://api.openai.com/v1."
        )
    model, url = found["model"], found["url"].rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the address of the model {model!r} is none: {error}.") from None
    if "@" in parts.netloc:
        raise UsageError(
            f"the address of the model {model!r} has a user or a password in it, which would be "
            f"written into results. Put the key into the environment variable "
            f"{DEFAULT_KEY_VARIABLE}, or into another one and name that by key_variable=NAME."
        )
    if not host or parts.fragment or re.search(r"\s", url):
        raise UsageError(
            f"the address {url!r} of the model {model!r} is none; expected http://HOST:PORT/v1."
        )
    return Address(model, url)


def find_key(
    address: Address, variable: str | None, environment: Mapping[str, str] = os.environ
) -> Key | None:
    """The key from the environment, or None where there is none to be sent.

    A key that is not asked for by name does not go over an open network, where it could be read.
    Raises UsageError, without the value, for a named variable that holds no key.
    """
    if variable is None:
        secret = environment.get(DEFAULT_KEY_VARIABLE, "").strip()
        if not secret or not address.is_private:
            return None
        return _checked(Key(DEFAULT_KEY_VARIABLE, secret))
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", variable):
        raise UsageError(
            "key_variable should be the name of an environment variable, such as MY_KEY, in "
            "capital letters; what is given is none. The key itself must not be in a spec, which "
            "is written into results."
        )
    secret = environment.get(variable, "").strip()
    if not secret:
        raise UsageError(
            f"key_variable: the environment variable {variable} is not set; put the key of "
            f"{address.url} there: export {variable}=..."
        )
    return _checked(Key(variable, secret))


def _checked(key: Key) -> Key:
    if not re.fullmatch(r"[!-~]+", key.secret):
        raise UsageError(
            f"the environment variable {key.variable} holds no key: it has a space, a line break "
            "or a letter outside ASCII in it."
        )
    return key
