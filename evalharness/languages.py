"""Languages by their codes, as data sets write them: en, eng_Latn, pt_BR, cmn-Hans.

The codes are those of ISO 639, with a script (ISO 15924) or a country behind them; what they mean
is looked up in the package langcodes, which carries the IANA and CLDR registries.
"""

import re
from collections.abc import Collection

from evalharness.errors import UsageError, did_you_mean

_VARIETY = re.compile(r"[_-][a-z]{4}\d{4}$")
"""A Glottolog code behind the others, by which FLORES+ tells varieties apart."""


def language_name(code: str) -> str:
    """The English name, with the script where it is not the usual one, and the country if given.

    deu_Latn is German, zho_Hant is Chinese (Traditional), pt_BR is Portuguese (Brazil); a code of
    the main language of a group has the name of the group (cmn: Chinese).
    Raises UsageError for a code that no registry has, with the nearest one.
    """
    import langcodes

    language = langcodes.Language.get(_known(code)).prefer_macrolanguage()
    plain = langcodes.Language.make(language=language.language)
    usual = plain.maximize().script, "Hang"  # CLDR calls Korean's, Hangul and Hanja, Kore
    if language.script in usual and language.language != "zh":
        language = language.update_dict({"script": None})
    return str(language.display_name())


def macrolanguage(code: str) -> str:
    """The code of the language, or of the group of varieties that it is one of, without a script.

    Groups are the macrolanguages of ISO 639-3: cmn and yue are zh, arz and arb are ar, nb and nn
    are no, hr and sr are sh, id and zsm are ms. Raises UsageError for a code that no registry has.
    """
    from langcodes import Language
    from langcodes.data_dicts import MACROLANGUAGES

    language = str(Language.get(_known(code)).language)
    return MACROLANGUAGES.get(language) or language


def read_direction(argument: str) -> tuple[str, str]:
    """The two codes of SOURCE-TARGET. Raises UsageError for another form or an unknown code."""
    source, dash, target = argument.partition("-")
    if not (source and dash and target) or "-" in target:
        raise UsageError(
            f"{argument!r} should be the codes of two languages, SOURCE-TARGET, such as en-de; "
            "a script or a country is joined by an underscore (zh_Hant)."
        )
    for code in (source, target):
        _known(code)
    if source == target:
        raise UsageError(f"{argument!r}: source and target are one language.")
    return source, target


def choose_direction(argument: str, codes: Collection[str]) -> tuple[str, str]:
    """The two codes of SOURCE-TARGET, of which the data has `codes`, in any direction.

    Raises UsageError for another form, and for a code that is not there with the nearest one.
    """
    source, _, target = argument.partition("-")
    for code in (source, target):
        if code not in codes:
            raise UsageError(
                f"{argument!r} should be SOURCE-TARGET, but the data has no language {code!r}."
                f"{did_you_mean_code(code, codes)}"
            )
    if source == target:
        raise UsageError(f"{argument!r}: source and target are one language.")
    return source, target


def did_you_mean_code(code: str, codes: Collection[str]) -> str:
    """Return " Did you mean 'x'?" for the first code that means the same, else the nearest one."""
    try:
        wanted = macrolanguage(code)
    except UsageError:
        return did_you_mean(code, codes)
    same = [one for one in codes if macrolanguage(one) == wanted]
    return f" Did you mean {same[0]!r}?" if same else did_you_mean(code, codes)


def _known(code: str) -> str:
    """The code without what langcodes does not read. Raises UsageError for an unknown one."""
    from langcodes.data_dicts import LANGUAGE_ALPHA3

    plain = _VARIETY.sub("", code)
    if _exists(plain):
        return plain
    language = re.split("[_-]", plain)[0]
    if _exists(language):
        raise UsageError(f"there is no language {code!r}: what follows {language!r} is unknown.")
    near = did_you_mean(language, [*LANGUAGE_ALPHA3, *LANGUAGE_ALPHA3.values()])
    raise UsageError(f"there is no language {code!r}.{near}")


def _exists(code: str) -> bool:
    """Is it registered, and not for private use (qaa to qtz)?"""
    import langcodes

    if not langcodes.tag_is_valid(code):
        return False
    return not str(langcodes.Language.get(code).language_name()).startswith("Unknown language")
