"""The vocabulary of evalharness: everything that crosses a module boundary.

A task turns the rows of a data set into samples; a sample asks a model requests; a backend answers
them with responses; a metric measures the responses of each sample and aggregates the measurements.
"""

from evalharness.records.backends import (
    Backend,
    Fitting,
    Model,
    Piece,
    Pieces,
    Rebatching,
    SourceReading,
    Tokenizing,
)
from evalharness.records.metrics import Groups, Metric, Statistics, Values, Weights
from evalharness.records.requests import (
    Generation,
    LogLikelihood,
    Message,
    Prompt,
    PseudoLogLikelihood,
    Request,
    Role,
    RollingLogLikelihood,
    Sampling,
    Shot,
    WholeText,
    as_text,
    whole_prompt,
)
from evalharness.records.responses import (
    Cost,
    Failure,
    GenerationResponse,
    LogLikelihoodResponse,
    Outcome,
    Response,
    TokenScore,
)
from evalharness.records.samples import Instance, Row, Sample
from evalharness.records.tasks import (
    Alternative,
    DataIdentity,
    Family,
    Placed,
    Source,
    Task,
    TaskTemplate,
)

__all__ = [
    "Alternative",
    "Backend",
    "Cost",
    "DataIdentity",
    "Failure",
    "Family",
    "Fitting",
    "Generation",
    "GenerationResponse",
    "Groups",
    "Instance",
    "LogLikelihood",
    "LogLikelihoodResponse",
    "Message",
    "Metric",
    "Model",
    "Outcome",
    "Piece",
    "Pieces",
    "Placed",
    "Prompt",
    "PseudoLogLikelihood",
    "Rebatching",
    "Request",
    "Response",
    "Role",
    "RollingLogLikelihood",
    "Row",
    "Sample",
    "Sampling",
    "Shot",
    "Source",
    "SourceReading",
    "Statistics",
    "Task",
    "TaskTemplate",
    "TokenScore",
    "Tokenizing",
    "Values",
    "Weights",
    "WholeText",
    "as_text",
    "whole_prompt",
]
