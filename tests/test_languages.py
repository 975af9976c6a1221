"""Language codes: names, groups, directions, and what does not exist."""

import pytest

from evalharness.errors import UsageError
from evalharness.languages import choose_direction, language_name, macrolanguage, read_direction


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("de", "German"),
        ("deu_Latn", "German"),
        ("kor_Hang", "Korean"),
        ("zh", "Chinese"),
        ("zho_Hans", "Chinese (Simplified)"),
        ("cmn_Hant", "Chinese (Traditional)"),
        ("npi_Deva", "Nepali"),
        ("sr_Latn", "Serbian (Latin)"),
        ("pt_BR", "Portuguese (Brazil)"),
        ("apc_Arab_nort3139", "North Levantine Arabic"),
    ],
)
def test_names_are_those_that_people_use(code: str, name: str) -> None:
    assert language_name(code) == name


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("deu_Latn", "de"),
        ("cmn_Hans", "zh"),
        ("arz", "ar"),
        ("nb", "no"),
        ("hr", "sh"),
        ("id", "ms"),
    ],
)
def test_varieties_belong_to_their_macrolanguage(code: str, group: str) -> None:
    assert macrolanguage(code) == group


def test_a_direction_is_two_codes_of_existing_languages() -> None:
    assert read_direction("en-zh_Hant") == ("en", "zh_Hant")
    assert read_direction("twi_Latn_akua1239-eng_Latn") == ("twi_Latn_akua1239", "eng_Latn")


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("en", "codes of two languages, SOURCE-TARGET"),
        ("en-de-fr", "codes of two languages"),
        ("-de", "codes of two languages"),
        ("en-en", "source and target are one language"),
        ("en-qqx_Latn", "there is no language 'qqx_Latn'"),
        ("enn-de_Lati", "what follows 'de' is unknown"),
        ("engl-de", "there is no language 'engl'. Did you mean 'eng'?"),
    ],
)
def test_what_is_no_direction_is_refused_with_the_nearest_code(argument: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_direction(argument)
    assert problem in str(refused.value)


def test_a_language_that_the_data_has_not_is_refused_with_the_nearest_that_it_has() -> None:
    codes = ("eng_Latn", "deu_Latn")
    assert choose_direction("eng_Latn-deu_Latn", codes) == codes
    with pytest.raises(UsageError, match=r"no language 'ger_Latn'. Did you mean 'deu_Latn'"):
        choose_direction("eng_Latn-ger_Latn", codes)
    with pytest.raises(UsageError, match="one language"):
        choose_direction("eng_Latn-eng_Latn", codes)
