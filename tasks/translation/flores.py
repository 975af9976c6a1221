"""FLORES: the same sentences of Wikinews, Wikijunior, Wikivoyage in 200 languages, any direction.

flores200:SOURCE-TARGET FLORES-200 as released in 2022 (NLLB Team, arXiv 2207.04672; before it
    Goyal et al. 2022, FLORES-101), 204 codes: devtest, 1,012 sentences, CC BY-SA 4.0; examples
    from dev, 997 sentences. facebook/flores itself is a script, which `datasets` no longer runs:
    the data is mteb/FloresBitextMining, the same sentences with a column for each language, at the
    commit that the task file of the MTEB project pins (id and commit were checked against
    that file, columns against code that reads them):

    {"eng_Latn": "The storm passed in the night.", "deu_Latn": "Der Sturm zog in der Nacht vorbei."}

    Rows as facebook/flores and lm-evaluation-harness have them (id, sentence_eng_Latn, ...) can be
    given by --data TASK=FILE, and the files of the official archive by
    --data TASK=src=devtest/eng_Latn.devtest,ref=devtest/deu_Latn.devtest.

flores-plus:SOURCE-TARGET   FLORES+ (https://oldi.org, the maintained continuation: corrected texts,
    more languages, some codes renamed, zho_Hans to cmn_Hans among them; scores of the two differ):
    openlanguagedata/flores_plus, a configuration for each language, CC BY-SA 4.0. Its terms must be
    accepted on the hub first (`hf auth login`). Two configurations are joined by `id`:

    {"id": 12, "iso_639_3": "deu", "iso_15924": "Latn", "glottocode": "stan1295",
     "text": "Der Sturm zog in der Nacht vorbei.", "url": "https://...", "domain": "wikinews",
     "topic": "weather", "has_image": "no", "has_hyperlink": "no", "last_updated": "1.0"}

    Sentences of one page are one group for the intervals. Fields were checked against code of
    others that reads them. Which languages there are changes with its versions, so that any code
    of its form is accepted and looked for.

Prompt: the one of all translation tasks here. That of lm-evaluation-harness's flores tasks is
"English sentence: ...", a line break, "German sentence:". Primary metric is chrF++; spBLEU
needs FLORES-200's SentencePiece model and says so where it is missing. MTEB's copy does not tell
which page a sentence is from, so that the intervals of flores200 take sentences as independent.

Not checked against the hub from a closed network.
"""

from collections.abc import Callable
from functools import partial

from evalharness.errors import UsageError
from evalharness.languages import (
    choose_direction,
    did_you_mean_code,
    language_name,
    read_direction,
)
from evalharness.metrics.translation import spbleu, translation_metrics
from evalharness.records import Row, Sample, Source, Task, TaskTemplate
from evalharness.samples import translation, translation_of_row
from evalharness.sources import HubDataset, Joined, Numbered

MTEB = "mteb/FloresBitextMining"
COMMIT = "2144d16cc15edd22d4a9237d12bff5f31f5c07fc"
PLUS = "openlanguagedata/flores_plus"
SIZE = 1012
_CODES = """
ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi apc_Arab
arb_Arab arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn
bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn
bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn
dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn
fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr
hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn
isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor
kaz_Cyrl kbp_Latn kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kmr_Latn knc_Arab
knc_Latn kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn
lua_Latn lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Arab min_Latn
mkd_Cyrl mlt_Latn mni_Beng mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn
nus_Latn nya_Latn oci_Latn ory_Orya pag_Latn pan_Guru pap_Latn pbt_Arab pes_Arab plt_Latn pol_Latn
por_Latn prs_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Olck scn_Latn shn_Mymr
sin_Sinh slk_Latn slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl
ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl
tgl_Latn tha_Thai tir_Ethi tpi_Latn tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng
uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr
yor_Latn yue_Hant zho_Hans zho_Hant zsm_Latn zul_Latn
"""
CODES = tuple(_CODES.split())
# What FLORES+ calls otherwise, and what it adds, as far as its change log up to 2.0 says.
RENAMED = {
    "aka_Latn": "twi_Latn_asan1239",
    "ajp_Arab": "apc_Arab_sout3123",
    "apc_Arab": "apc_Arab_nort3139",
    "est_Latn": "ekk_Latn",
    "grn_Latn": "gug_Latn",
    "kon_Latn": "ktu_Latn",
    "tgl_Latn": "fil_Latn",
    "twi_Latn": "twi_Latn_akua1239",
    "tzm_Tfng": "zgh_Tfng",
    "zho_Hans": "cmn_Hans",
    "zho_Hant": "cmn_Hant",
}
PLUS_CODES = (*(RENAMED.get(code, code) for code in CODES), "nqo_Nkoo")


def flores200_sample(row: Row, languages: tuple[str, str]) -> Sample:
    """A row of one column a language, or of one that the user gave instead."""
    if "refs" in row:
        return translation_of_row(row, languages)
    source, target = (
        f"sentence_{code}" if f"sentence_{code}" in row else code for code in languages
    )
    return translation(
        id=row["row_number"],
        languages=languages,
        source=row[source],
        references=[row[target]],
        group=row["URL"] if "URL" in row else None,  # noqa: SIM401 (a Row's get() would raise)
    )


def plus_sample(row: Row, languages: tuple[str, str]) -> Sample:
    """A row of each of two languages."""
    if "refs" in row:
        return translation_of_row(row, languages)
    source, target = (Row(row[side], row.location) for side in ("source", "target"))
    return translation(
        id=str(source["id"]),
        languages=languages,
        source=source["text"],
        references=[target["text"]],
        group=source["url"],
        slices={"domain": source["domain"]},
    )


def flores200(argument: str, _find: Callable[[str], Task]) -> Task:
    """Raises UsageError for a code that FLORES-200 has not, with the nearest one."""
    languages = choose_direction(argument, CODES)

    def split(name: str) -> Source:
        return Numbered(HubDataset(MTEB, split=name, revision=COMMIT))

    sample = partial(flores200_sample, languages=languages)
    return _task(f"flores200:{argument}", languages, split, sample)


def flores_plus(argument: str, _find: Callable[[str], Task]) -> Task:
    """Raises UsageError for what is no code of the form xxx_Xxxx, and for one that was renamed."""
    for code in argument.split("-"):
        if code in RENAMED:
            raise UsageError(f"FLORES+ has no {code!r}. Did you mean {RENAMED[code]!r}?")
        if "_" not in code:
            hint = did_you_mean_code(code, PLUS_CODES)
            raise UsageError(
                f"a code of FLORES+ has a script, as eng_Latn has, not {code!r}.{hint}"
            )
    source, target = languages = read_direction(argument)

    def split(name: str) -> Source:
        return Joined(HubDataset(PLUS, source, name), HubDataset(PLUS, target, name), key="id")

    sample = partial(plus_sample, languages=languages)
    return _task(f"flores-plus:{argument}", languages, split, sample)


def _task(
    name: str,
    languages: tuple[str, str],
    split: Callable[[str], Source],
    sample: Callable[[Row], Sample],
) -> Task:
    asked, wanted = map(language_name, languages)
    return Task(
        name=name,
        family="translation",
        version=1,
        data=split("devtest"),
        shots=split("dev"),
        sample=sample,
        metrics=(*translation_metrics(languages[1]), spbleu()),
        languages=languages,
        licence="CC-BY-SA-4.0",
        description=f"Sentences of news, children's books and travel, from {asked} into {wanted}.",
        size=SIZE,
    )


TASKS = tuple(
    TaskTemplate(
        name=name,
        family="translation",
        argument="SOURCE-TARGET",
        examples=examples,
        make=make,
        description=f"{title}: devtest in any direction, by codes such as eng_Latn.",
    )
    for name, title, make, examples in (
        ("flores200", "FLORES-200", flores200, ("eng_Latn-deu_Latn", "jpn_Jpan-zho_Hans")),
        ("flores-plus", "FLORES+", flores_plus, ("eng_Latn-deu_Latn",)),
    )
)
