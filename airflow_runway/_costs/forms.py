"""Sums of costs as a table for people, as JSON and as CSV.

In none of them is a price that nobody knows 0: it is ``-`` in the table, ``null`` in JSON, nothing in CSV.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_runway.core.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.cost_sums import Sum

_UNKNOWN = "(unknown)"
_TOTAL = "all"
#: What makes a spreadsheet take a cell for a formula, also after blanks; the wide ones are read like the others.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


class SumFacts(TypedDict):
    """A sum in JSON, and the columns of CSV."""

    generations: int
    #: What gateways told that they charged; ``None`` where none told of any.
    charged_credits: float | None
    charged_generations: int
    #: The most that the others may cost, where that is known; ``None`` where it is of none.
    estimated_credits: float | None
    estimated_generations: int
    #: Generations of which nobody knows the price.
    unknown_generations: int
    #: Each may have been charged.
    lost_answers: int


def facts(one: Sum) -> SumFacts:
    """A sum as plain JSON values.

    :param one: the sum.
    """
    return {
        "generations": one.generations,
        "charged_credits": one.charged if one.charged_of else None,
        "charged_generations": one.charged_of,
        "estimated_credits": one.estimated if one.estimated_of else None,
        "estimated_generations": one.estimated_of,
        "unknown_generations": one.unknown,
        "lost_answers": one.lost,
    }


def as_json(
    by: str, asked: Mapping[str, Any], rows: Mapping[str, Sum], total: Sum, *, not_counted: int
) -> str:
    """One JSON document.

    :param by: what the rows are told apart by.
    :param asked: what was asked for besides.
    :param rows: by name.
    :param total: of all rows.
    :param not_counted: how many files or lines were not understood.
    """
    document = {
        "by": by,
        **asked,
        "rows": [{by: name or None, **facts(one)} for name, one in rows.items()],
        "total": facts(total),
        "not_counted": not_counted,
    }
    # ASCII: a name in it may hold what a terminal obeys.
    return json.dumps(document, indent=2, ensure_ascii=True)


def as_csv(by: str, rows: Mapping[str, Sum]) -> str:
    """Lines of CSV with a header, and no total: whoever sums up a column would count everything twice.

    :param by: what the rows are told apart by.
    :param rows: by name.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, [by, *SumFacts.__annotations__], lineterminator="\n")
    writer.writeheader()
    for name, one in rows.items():
        writer.writerow({by: _defused(printable(name, limit=250)), **facts(one)})
    return out.getvalue()


def _defused(name: str) -> str:
    return f"'{name}" if name.lstrip()[:1] in _FORMULA and name.strip() else name


def as_table(by: str, rows: Mapping[str, Sum], total: Sum) -> str:
    """A table for people.

    :param by: what the rows are told apart by.
    :param rows: by name.
    :param total: of all rows.
    """
    if not rows:
        return "Nothing was found: no generation, and no lost answer."
    lines = [[by, "generations", "charged", "estimated only", "unknown price", "lost answers"]]
    lines += [_line(printable(name) if name else _UNKNOWN, one) for name, one in rows.items()]
    if len(rows) > 1:
        lines.append(_line(_TOTAL, total))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in lines
    )


def _line(name: str, one: Sum) -> list[str]:
    return [
        name,
        str(one.generations),
        _credits(one.charged) if one.charged_of else "-",
        _credits(one.estimated) if one.estimated_of else "-",
        str(one.unknown),
        str(one.lost),
    ]


def _credits(amount: float) -> str:
    whole, _, rest = f"{amount:.2f}".partition(".")
    return f"{whole}.{rest}".rstrip("0").rstrip(".")


def notes(total: Sum, *, undated: int = 0) -> list[str]:
    """What has to be known to read the table.

    :param total: of all rows.
    :param undated: how many are in it although nobody knows when they were sent.
    """
    found = []
    if total.estimated_of:
        found.append(
            f"Estimated only: the most that {_many(total.estimated_of, 'generation')} may cost, of which nobody was "
            "told a charge."
        )
    if total.unknown:
        found.append(f"Unknown price: {_many(total.unknown, 'generation')}, in no sum.")
    if total.lost:
        found.append(f"Lost answers: {total.lost}. Each may have been charged; in no sum.")
    if undated:
        found.append(f"Of unknown date, and in the table all the same: {undated}.")
    return found


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
