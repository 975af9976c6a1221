"""What run.json, results.json and samples/TASK.parquet hold (see run_folder.py)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from evalharness.records import TokenScore


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricResult(_Record):
    """A score and its 95 % interval; None where it is undefined (no samples, one sample).

    `method` is how the interval was found (statistics/summaries.py); runs from before there were
    several have percentile bootstrap intervals.
    """

    value: FiniteFloat | None
    interval: tuple[FiniteFloat, FiniteFloat] | None
    stderr: FiniteFloat | None
    method: str = "percentile bootstrap"
    higher_is_better: bool
    ideal: float | None = None
    bounds: tuple[float | None, float | None] = (0.0, 1.0)
    signature: str = ""


class SliceResult(_Record):
    """The scores of the samples that share one value of a slice."""

    n: int
    metrics: dict[str, MetricResult]


class Validity(_Record):
    """How many samples are to be read with care, out of `samples`.

    truncated    a prompt lost its beginning
    lost_shots   at least one few-shot example did not fit the model's context
    unfinished   a text was cut off at its limit of tokens
    unfinished_thinking  a model had not done thinking when its text ended, and gave no answer
    empty        nothing was written, thinking apart
    unparsed     something was written, and no answer could be found in it
    looped       a text ends by repeating itself
    doubled_start  a prompt begins with the token that starts a text twice

    Runs from before there were the last three counted an unparsed answer as an empty one.
    """

    samples: int
    failed: int = 0
    truncated: int = 0
    lost_shots: int = 0
    unfinished: int = 0
    unfinished_thinking: int = 0
    empty: int = 0
    unparsed: int = 0
    looped: int = 0
    doubled_start: int = 0


class TaskCost(_Record):
    """What the answers cost when they were computed; `from_store` of them were known before.

    `price` is in the currency of the prices that the user gave (input_price, output_price).
    """

    request_seconds: float
    prompt_tokens: int
    computed_tokens: int
    generated_tokens: int
    peak_memory_bytes: int
    from_store: int
    requests: int
    price: float = 0.0


ChatMode = Literal["auto", "on", "off"]
ShotForm = Literal["turns", "text"]


class ChatForm(_Record):
    """How the prompts of a task became chats; `fewshot_as` is None where there are no examples."""

    system_prompt: str
    fewshot_as: ShotForm | None


class Method(_Record):
    """How a task was asked in place of its author's way, and why; its metrics are the method's.

    letter  the options of multiple choice stand in the prompt, and the model is asked for a letter
    source  the model is given the source as it stands; the metrics are the task's own
    """

    name: Literal["letter", "source"]
    reason: str


class Jitter(_Record):
    """How far a score moved on the samples that were answered again, and may move on all of them.

    difference  score of the second answers minus that of the first, on the same samples
    half_width  of a 95 % interval around the score of all samples; None for fewer than two samples
    """

    difference: FiniteFloat | None
    half_width: FiniteFloat | None


class NoiseFloor(_Record):
    """How far a part of the samples moved when only the way of computing them changed (noise.py).

    way      "other batches", or another dtype
    samples  that were answered again
    changed  of them, those whose statistics of the first metric moved by more than a thousandth
    texts    of all texts written again, how many are others; None where none are written
    largest  change of a log-probability, in nats; None where none are scored
    """

    way: str
    samples: int
    changed: int
    texts: int | None
    largest: FiniteFloat | None
    metrics: dict[str, Jitter]


class TaskResult(_Record):
    """One task of a run.

    `prompt_hash` is equal for runs that asked exactly the same, whether as text or as chats; `chat`
    says how chats were made of it, and is None for plain text. `method` is None for a task that was
    asked as its author wrote it.
    `noise` is what `run --noise-floor` found.
    """

    version: int
    family: str
    n: int
    num_fewshot: int
    prompt_hash: str
    metrics: Annotated[dict[str, MetricResult], Field(min_length=1)]
    slices: dict[str, dict[str, SliceResult]]
    validity: Validity
    cost: TaskCost
    caveat: str = ""
    chat: ChatForm | None = None
    method: Method | None = None
    noise: tuple[NoiseFloor, ...] = ()


class ModelResult(_Record):
    """The model as it was run, and its place in a series of checkpoints where it has one."""

    spec: str
    name: str
    fingerprint: str
    architecture: str
    parameters: int
    dtype: str
    device: str
    max_length: int
    series: str = ""
    step: int | None = None
    quantisation: str = ""


class Results(_Record):
    """results.json: what a run found."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    model: ModelResult
    tasks: dict[str, TaskResult]
    load_seconds: float

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TaskRecord(_Record):
    """What a run knows of a task before it is answered; `chat` and `method` as in a TaskResult."""

    version: int
    family: str
    source: str
    revision: str
    n: int
    num_fewshot: int
    prompt_hash: str
    languages: tuple[str, ...] = ()
    licence: str = ""
    description: str = ""
    caveat: str = ""
    content_warning: str = ""
    chat: ChatForm | None = None
    method: Method | None = None


class RunConfiguration(_Record):
    """The resolved configuration of a run. Runs from before there were chats have plain text.

    `training_text` is sha256 over the texts that samples were looked for in, or "".
    `store_logprobs` says that token log-probabilities were asked for, of a model that has them.
    `data` says for which tasks it came from elsewhere, and from where (see sources/choice.py).
    """

    limit: int | None
    num_fewshot: int
    seed: int
    chat: ChatMode = "off"
    system_prompt: str = ""
    fewshot_as: ShotForm = "turns"
    data: dict[str, str] = {}
    training_text: str = ""
    store_logprobs: bool = False


class RunRecord(_Record):
    """run.json: what was asked, of which model, in which environment.

    `skipped` are the tasks that the model cannot answer, with the reason.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    command: tuple[str, ...]
    configuration: RunConfiguration
    model: ModelResult
    environment: dict[str, str]
    tasks: dict[str, TaskRecord]
    skipped: dict[str, str] = {}
    status: Literal["running", "complete"]
    started: datetime
    finished: datetime | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def limited_tasks(self) -> tuple[str, ...]:
        """The tasks that may have more samples than were asked: fewer than the limit are all."""
        limit = self.configuration.limit
        if limit is None:
            return ()
        return tuple(name for name, task in self.tasks.items() if task.n >= limit)


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of samples/TASK.parquet.

    `prompt_hash` is sha256 over all that the sample asks and that its score depends on, so that
    samples of two runs can be told to be the same. `prompts` are what the model was given, special
    tokens included and without the few-shot examples that did not fit; `responses` are what it
    wrote, thinking included. `statistics` is None where a request of the sample failed;
    `lost_shots` is the largest number of few-shot examples that a request of it lost.
    `choices` are the options of the sample, whose requests come first, and `gold` the right ones.
    `continuations` has, for each request, the text that was scored after its prompt, "" for others.
    `tokens` has, for each request, the tokens that it scored or wrote, where they were asked for
    (`run --store-logprobs`), none for one that failed. `min_k` is the mean log-probability of the
    least likely tokens of the sample's text (see min_k.py), where it was asked for as well. `words`
    is how many words the sample asks about (words.py). Runs from before there were these six do not
    have them.
    """

    id: str
    group: str | None
    slices: dict[str, str]
    prompt_hash: str
    prompts: list[str]
    target: str
    references: list[str]
    responses: list[str]
    extracted: list[str]
    statistics: dict[str, list[float]] | None
    truncated: bool
    lost_shots: int
    unfinished: bool
    unfinished_thinking: bool
    empty: bool
    unparsed: bool
    looped: bool
    doubled_start: bool
    failed: bool
    error: str
    choices: list[str] = field(default_factory=list)
    gold: list[int] = field(default_factory=list)
    continuations: list[str] = field(default_factory=list)
    tokens: list[list[TokenScore]] | None = None
    words: int | None = None
    min_k: float | None = None
