"""What the code cites exists: a number after § is a heading of one of two documents, a decision has a record.

Comments, docstrings and Markdown are read; other strings are not. A citation is written ``contracts §9``,
``airflow-facts §3`` or ``decision 13``, one at a time: a list or a range is several citations, each with its name.
Within ``docs/contracts.md`` and ``docs/airflow-facts.md`` a number without a name means that document itself.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("contracts", "airflow-facts")
PLACES = (
    "airflow_runway/**/*.py",
    "tests/**/*.py",
    "dags_examples/**/*.py",
    "*.md",
    "tests/**/*.md",
    "docs/**/*.md",
)

HEADING = re.compile(r"^#{2,4} (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
RECORD = re.compile(r"(\d{4})-[a-z0-9-]+\.md")

_NAME = rf"\b({'|'.join(DOCUMENTS)})"
_NUMBER = r"(\d+(?:\.\d+)*)"
SECTION = re.compile(rf"(?:{_NAME}\s+)?§\s*{_NUMBER}")
DECISION = re.compile(r"\bdecision\s+(\d+)", re.IGNORECASE)

#: What is no citation (any more) → why.
ANYWHERE = {
    rf"{_NAME}\.md[,:]?\s+(?:sections?\s+)?§?\d[\d.]*": "write § before the number, and no .md",
    rf"{_NAME}\s+\d[\d.]*": "write § before the number",
    rf"{_NAME}\b[^\n.]{{0,60}}?\bsections?\s+\d[\d.]*": "write § instead of the word",
    rf"\bsections?\s+\d[\d., to]*[^\n.]{{0,30}}?{_NAME}": "write the document first, then § and the number",
    rf"{_NAME}\s+§\s*{_NUMBER}\s*(?:,|to|and|or|-|\u2013|/)\s*§?\d": "cite one section at a time, each with its name",
    r"\bdecisions\s+\d": "cite one decision at a time: `decision 13`",
    r"\bdecision\s+\d+\s*(?:,|to|and|or|-|\u2013|/)\s*\d": "cite one decision at a time: `decision 13`",
    r"\bDESIGN\b": "cite a decision or docs/architecture.md",
    r"(?<![\w-])shared/\w": "that folder is not in this repository",
}
#: Tags of sources have their meaning in docs/contracts.md only.
IN_PYTHON = {
    r"(?<![\w/-])(?:SPEC(?:-old)?|CBlog|CB|CC|CG|GW|RD|RG|3P)(?![\w-])": "cite the section that has this source",
    r"[(,;]\s*(?:CA|SDK|US|M)\s*[),;]": "cite the section that has this source",
}


class Prose(NamedTuple):
    """Text for people, and where it begins."""

    line: int
    text: str


def prose_of_python(code: str) -> list[Prose]:
    """Docstrings, and comments, those of adjacent lines as one."""
    found = [
        Prose(node.lineno, node.value.value)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("#:").strip()
            if token.start[0] == last + 1:
                text = f"{found.pop().text}\n{text}"
            last = token.start[0]
            found.append(Prose(last - text.count("\n"), text))
    return found


def headings_of(markdown: str) -> set[str]:
    """Numbers of the headings."""
    return set(HEADING.findall(markdown))


def known() -> dict[str, set[str]]:
    """What may be cited: numbers by document."""
    there = {name: headings_of((ROOT / "docs" / f"{name}.md").read_text()) for name in DOCUMENTS}
    names = [RECORD.fullmatch(path.name) for path in (ROOT / "docs/decisions").iterdir()]
    return {**there, "decision": {str(int(name[1])) for name in names if name}}


def wrong_citations(text: str, there: dict[str, set[str]], *, within: str = "") -> list[tuple[int, str]]:
    """Offsets of citations that lead nowhere, and why.

    :param text: prose.
    :param there: see :func:`known`.
    :param within: the document that a § without a name belongs to.
    """
    wrong = []
    for found in SECTION.finditer(text):
        name, number = found[1] or within, found[2]
        if not name:
            wrong.append((found.start(), f"{found[0]!r} names no document"))
        elif number not in there[name]:
            wrong.append((found.start(), f"{name} has no §{number}"))
    wrong += [
        (found.start(), f"there is no record of decision {found[1]}")
        for found in DECISION.finditer(text)
        if found[1] not in there["decision"]
    ]
    return wrong


def no_citations(text: str, *, python: bool) -> list[tuple[int, str]]:
    """Offsets of forms that are no citation, and what to write.

    :param text: prose.
    :param python: whether it stands in code.
    """
    forbidden = {**ANYWHERE, **IN_PYTHON} if python else ANYWHERE
    return [
        (found.start(), f"{' '.join(found[0].split())!r}: {remedy}")
        for pattern, remedy in forbidden.items()
        for found in re.finditer(pattern, text)
    ]


def complaints(path: Path, there: dict[str, set[str]]) -> list[str]:
    """Everything that is wrong in a file, a line each."""
    python = path.suffix == ".py"
    within = path.stem if path.parent == ROOT / "docs" and path.stem in DOCUMENTS else ""
    text = path.read_text()
    return [
        f"{path.relative_to(ROOT)}:{prose.line + prose.text[:offset].count(chr(10))}: {what}"
        for prose in (prose_of_python(text) if python else [Prose(1, text)])
        for offset, what in (
            *wrong_citations(prose.text, there, within=within),
            *no_citations(prose.text, python=python),
        )
    ]


def test_every_citation_leads_somewhere():
    there = known()
    files = sorted({path for place in PLACES for path in ROOT.glob(place)})
    found = [line for path in files for line in complaints(path, there)]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_the_documents_are_found():
    there = known()
    assert {str(number) for number in range(20)} <= there["contracts"]
    assert {"1.1", "2.4", "3.6"} <= there["contracts"]
    assert {str(number) for number in range(17)} <= there["airflow-facts"]
    assert there["decision"] == {str(number) for number in range(1, len(there["decision"]) + 1)}


def test_the_index_lists_every_decision():
    folder = ROOT / "docs/decisions"
    listed = RECORD.findall((folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name[:4] for path in folder.iterdir() if RECORD.fullmatch(path.name))


THERE = {"contracts": {"9", "1.1"}, "airflow-facts": {"3"}, "decision": {"13"}}


@pytest.mark.parametrize(
    "text",
    [
        "see contracts §9",
        "(contracts §9, step 5)",
        "contracts\n§1.1 and airflow-facts §3: decision 13.",
        "Decision 13 says so",
        "the wire contracts of 3 gateways",
        "a decision of 2 people",
    ],
)
def test_what_is_there_may_be_cited(text):
    assert not wrong_citations(text, THERE)
    assert not no_citations(text, python=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contracts §20", "contracts has no §20"),
        ("contracts §1.7", "contracts has no §1.7"),
        ("contracts\n    §9.5.", "contracts has no §9.5"),
        ("airflow-facts §9", "airflow-facts has no §9"),
        ("decision 14", "no record of decision 14"),
        ("as §9 says", "names no document"),
        ("contracts §9 to §1.1", "names no document"),
    ],
)
def test_what_is_missing_is_found(text, said):
    assert any(said in what for _, what in wrong_citations(text, THERE))


def test_a_number_without_a_name_means_the_document_itself():
    assert not wrong_citations("as §9 says", THERE, within="contracts")
    assert wrong_citations("as §3 says", THERE, within="contracts")


@pytest.mark.parametrize(
    "text",
    [
        "(contracts.md, section 9)",
        "contracts.md: sections 11 (HTTP answers) and 12",
        "contracts.md, 2.4",
        "contracts.md, §9",
        "(contracts 1.3, 3.6, 6)",
        "The tables of contracts.md,\nsections 10 to 12",
        "section 12 of the contracts",
        "airflow-facts 3",
        "contracts §9 to 12",
        "contracts §9, §1.1",
        "contracts §9 and §1.1",
        "decisions 13 and 14",
        "decision 13 to 15",
        "DESIGN says so",
        "see ../shared/contracts",
    ],
)
def test_what_is_no_citation_is_found(text):
    assert no_citations(text, python=False)


@pytest.mark.parametrize(
    "text",
    [
        "(GW)",
        "(SPEC)",
        "(SPEC; GW for gateways)",
        "(CC)",
        "(CB)",
        "(RD/errors/troubleshooting)",
        "see RD/usage/tiers",
        "as RG says",
        "(3P)",
        "(SDK)",
        "(contracts §9, SDK)",
        "(US)",
    ],
)
def test_a_tag_of_a_source_is_found_in_code_only(text):
    assert no_citations(text, python=True)
    assert not no_citations(text, python=False)


@pytest.mark.parametrize(
    "text",
    [
        "the official SDK",
        "(official SDK 5.24.0)",
        "a CA bundle",
        "USD",
        "hardware",
        "(the SDK's types)",
        "RGB, RDF",
    ],
)
def test_ordinary_words_are_no_tags(text):
    assert not no_citations(text, python=True)


def test_comments_and_docstrings_are_read_and_other_strings_are_not():
    code = (
        '"""Of a module,\ncontracts §20."""\n'
        "#: A limit (contracts\n"
        "#: §21).\n"
        'LIMIT = "contracts §22"\n'
        "SIZE = 1  # contracts §23\n"
        "\n"
        "# Alone: contracts §24\n"
    )
    found = [
        (prose.line + prose.text[:offset].count("\n"), what)
        for prose in prose_of_python(code)
        for offset, what in wrong_citations(prose.text, THERE)
    ]
    assert [line for line, _ in found] == [2, 3, 6, 8]
    assert not any("22" in what for _, what in found)
