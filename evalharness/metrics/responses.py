"""What a metric needs of responses, with their kind checked."""

from collections.abc import Sequence

from evalharness.records import GenerationResponse, LogLikelihoodResponse, Response


def text(responses: Sequence[Response]) -> str:
    """The generated text of the only response, without white space around it.

    Raises TypeError when the response is a log-likelihood.
    """
    (response,) = responses
    if not isinstance(response, GenerationResponse):
        raise TypeError("the metric measures a generated text, but the sample asks for likelihoods")
    return response.text.strip()


def log_likelihoods(responses: Sequence[Response]) -> list[LogLikelihoodResponse]:
    """All responses, which must be log-likelihoods. Raises TypeError for a generated text."""
    scored = [response for response in responses if isinstance(response, LogLikelihoodResponse)]
    if len(scored) != len(responses):
        raise TypeError("the metric measures likelihoods, but the sample asks for a text")
    return scored
