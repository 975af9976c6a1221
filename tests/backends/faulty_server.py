"""A small server on this machine that answers as an OpenAI-compatible one does, or fails to.

Its model is a toy: a token is a word with the space before it, the log-probability of a token is
minus its number of letters, and one of four letters and a space is the likeliest. What goes wrong
is said by a test, call by call.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "toy"
LIKELIEST = " four"


@dataclass(frozen=True)
class Call:
    """What the server was asked."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What it answers: JSON, or bytes as they are; `drop` closes the connection instead."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    seconds: float = 0.0
    endless: bool = False


Behaviour = Callable[[Call], Reply]


class FaultyServer:
    """`faults` are the replies to the next generations and scores, then `behaviour` answers.

    `calls` are all that came; the first token, asked for when a model is opened, is always given,
    unless `behaviour` says otherwise.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[Reply] = []
        self.behaviour: Behaviour = honest
        self.answering = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def spec(self, options: str = "retries=3") -> str:
        return f"server:{MODEL}@{self.url}?{options}"

    def start(self) -> None:
        self._thread.start()

    def hang_up(self) -> None:
        """No new connection is taken."""
        self._http.socket.close()

    def stop(self) -> None:
        """Nobody listens any more at the address."""
        self._http.shutdown()
        self._http.server_close()

    def reply(self, call: Call) -> Reply:
        with self.answering:
            self.calls.append(call)
            probing = call.path == "/v1/models" or "Hello" in json.dumps(call.body)
            if self.faults and not probing:
                return self.faults.pop(0)
        return self.behaviour(call)

    def asked(self) -> list[Call]:
        """The calls after those that open a model."""
        return [
            call
            for call in self.calls
            if call.path != "/v1/models" and "Hello" not in json.dumps(call.body)
        ]


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: dict[str, Any]) -> None:
        reply = self.owner.reply(
            Call(self.path, body, {name.lower(): value for name, value in self.headers.items()})
        )
        time.sleep(reply.seconds)
        try:
            if reply.drop:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif reply.endless:
                self._send_without_end()
            else:
                self._send(reply)
        except OSError:
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _send_without_end(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b" " * 2**20)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running() -> Iterator[FaultyServer]:
    server = FaultyServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def error(status: int, message: str, code: str = "", **headers: str) -> Reply:
    return Reply(status, {"error": {"message": message, "code": code}}, headers)


def usage(prompt: str, written: int) -> dict[str, Any]:
    return {"prompt_tokens": len(tokens(prompt)), "completion_tokens": written}


def tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def honest(call: Call) -> Reply:
    """Completions with echo, chat, and a list of models: what the best of servers gives."""
    if call.path == "/v1/models":
        return Reply(body={"data": [{"id": MODEL, "max_model_len": 2048}]})
    if call.body["model"] != MODEL:
        return error(404, f"The model `{call.body['model']}` does not exist")
    if call.path == "/v1/chat/completions":
        said = call.body["messages"][-1]["content"]
        choice = {"message": {"content": f"to {said}"}, "finish_reason": "stop"}
        return Reply(body={"choices": [choice], "usage": usage(said, 3)})
    if call.path != "/v1/completions":
        return error(404, "Not Found")
    prompt = call.body["prompt"]
    if call.body.get("echo"):
        return Reply(body={"choices": [echo(prompt)], "usage": usage(prompt, 0)})
    if call.body.get("max_tokens") == 1:
        choice = {"text": LIKELIEST, "finish_reason": "length"}
        return Reply(body={"choices": [choice], "usage": usage(prompt, 1)})
    choice = {"text": f" after {prompt[-40:]}", "finish_reason": "stop"}
    return Reply(body={"choices": [choice], "usage": usage(prompt, 3)})


def echo(prompt: str, *, start: str = "", offsets: bool = True) -> dict[str, Any]:
    """A text that was read; `start` is a token before it that is not in the text."""
    read = ([start] if start else []) + tokens(prompt)
    places = [sum(map(len, read[:number])) for number in range(len(read))]
    values = [None, *(-float(len(token)) for token in read[1:])]
    return {
        "text": prompt,
        "finish_reason": "length",
        "logprobs": {
            "tokens": read,
            "text_offset": places if offsets else [-1] * len(read),
            "token_logprobs": values,
            "top_logprobs": [
                None,
                *({LIKELIEST: -5.0 if len(token) == 5 else -0.5} for token in read[1:]),
            ],
        },
    }


def without_scores(call: Call) -> Reply:
    """As hosted services are: an unknown field is ignored."""
    return honest(Call(call.path, {k: v for k, v in call.body.items() if k != "echo"}, {}))


def chat_only(call: Call) -> Reply:
    """As hosted chat models are."""
    if call.path == "/v1/completions":
        return error(404, "This is a chat model and not supported in the v1/completions endpoint.")
    return honest(call)


@dataclass(frozen=True)
class LlamaCpp:
    """As llama.cpp's server b11549 answers: it scores no text that it reads, takes any name, cuts
    texts into tokens, and says how likely a token that it was told to write is without being told.

    meta: what it says of its file
    """

    meta: Mapping[str, Any] = field(default_factory=lambda: {"n_ctx": 4096, "ftype": "Q4_1"})

    def __call__(self, call: Call) -> Reply:
        if call.path == "/v1/models":
            own = {"id": MODEL, "aliases": ["game"], "owned_by": "llamacpp", "meta": self.meta}
            return Reply(body={"data": [own]})
        if call.path == "/tokenize":
            return Reply(body={"tokens": [_listed(one) for one in pieces(call.body["content"])]})
        if bias := call.body.get("logit_bias"):
            choice = _told(bias[0][0], call.body["logprobs"])
            return Reply(body={"choices": [choice], "usage": {"prompt_tokens": 9}})
        reply = honest(Call(call.path, {**call.body, "model": MODEL, "echo": False}, {}))
        reply.body["model"] = MODEL
        if "logprobs" in call.body:
            reply.body["choices"][0]["logprobs"] = {"content": [_likely(LIKELIEST.encode(), -0.5)]}
        return reply


def pieces(text: str) -> list[bytes]:
    """The tokens of a text; one that has a letter of several bytes is cut within the first."""
    found = []
    for token in tokens(text):
        place = next((n for n, letter in enumerate(token) if not letter.isascii()), None)
        cut = 0 if place is None else len(token[:place].encode()) + 1
        found += [part for part in (token.encode()[:cut], token.encode()[cut:]) if part]
    return found


def number_of(piece: bytes) -> int:
    return int.from_bytes(b"\1" + piece)


def _listed(piece: bytes) -> dict[str, Any]:
    try:
        return {"id": number_of(piece), "piece": piece.decode()}
    except UnicodeDecodeError:
        return {"id": number_of(piece), "piece": list(piece)}


def _likely(piece: bytes, value: float) -> dict[str, Any]:
    return {"id": number_of(piece), "token": piece.decode("utf-8", "replace"), "logprob": value}


def _told(number: int, named: int) -> dict[str, Any]:
    """A token that was written since it was told to; nothing is said if it ends within a letter."""
    piece = number.to_bytes((number.bit_length() + 7) // 8)[1:]
    own = _likely(piece, -float(len(piece)))
    top = [own if len(piece) == 5 else _likely(LIKELIEST.encode(), -0.5)]
    if named > 5:  # all that there are, of which a text of a test may have these
        top += [_likely(one, -float(len(one))) for one in (b" \xc3", b"\xe6", b" four")]
    written = {"content": [own | {"top_logprobs": top}]}
    ends_within = piece[-1] >= 0xC0
    text = piece.decode("utf-8", "replace")
    return {"text": text, "finish_reason": "length", "logprobs": None if ends_within else written}
