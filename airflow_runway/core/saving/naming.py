"""How saved files are named: a pattern with fields of ours, filled in after Jinja.

A name is a relative path of plain segments. Whatever a template was rendered to, it cannot leave the destination.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import Final

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.media.types import EXTENSIONS
from airflow_runway.core.redaction import redact

#: What may stand in single braces.
FIELDS: Final = ("runway_task_id", "index", "extension")
DEFAULT_PATTERN: Final = "{runway_task_id}-{index}{extension}"
#: Bytes of one segment; storage allows 255, and a temporary name is longer.
LONGEST_SEGMENT: Final = 200
#: Bytes of a whole name; S3 allows 1024 for folder and name together.
LONGEST_NAME: Final = 700

_MANIFEST_SUFFIX: Final = ".manifest.json"
_ODD_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")
# Storage libraries read these as patterns, queries or chains of file systems.
_SPECIAL = re.compile(r"[\x00-\x1f\x7f\\*?#\[\]<>|\"]|::")
_INDEX_FORMAT = re.compile(r"0?[1-9]?d?")


@dataclass(frozen=True, slots=True)
class FileName:
    """A checked pattern; make it with :meth:`parse`."""

    pattern: str
    fields: frozenset[str]

    @classmethod
    def parse(cls, pattern: str) -> FileName:
        """Check a pattern as far as it can be without a generation.

        :param pattern: e.g. ``{runway_task_id}-{index}{extension}``; ``{index:03}`` pads with zeros.
        :raises CoreError: naming what is wrong with it; nothing has been fetched.
        """
        if not isinstance(pattern, str):
            raise _wrong(pattern, "is not a string")
        try:
            parts = list(Formatter().parse(pattern))
        except ValueError:
            raise _wrong(pattern, "has a brace without its partner") from None
        fields = [(name, form or "", conversion) for _, name, form, conversion in parts if name is not None]
        for name, form, conversion in fields:
            if name not in FIELDS:
                known = ", ".join(f"{{{field}}}" for field in FIELDS)
                raise _wrong(
                    pattern, f"has the unknown field {{{redact(name, limit=40)}}}: known are {known}"
                )
            if conversion or (form and not (name == "index" and _INDEX_FORMAT.fullmatch(form))):
                raise _wrong(pattern, f"formats {{{name}}} in a way that is not supported")
        if "{extension" in pattern.rpartition("/")[0]:
            raise _wrong(pattern, "uses {extension} in a folder's name")
        checked = cls(pattern, frozenset(name for name, _, _ in fields))
        checked.stem("x", 0)
        checked.manifest("x")
        return checked

    def check_tasks(self, count: int) -> None:
        """Whether as many generations get different names.

        :param count: how many generations.
        :raises CoreError: if they would overwrite each other.
        """
        if count > 1 and "runway_task_id" not in self.fields:
            raise _wrong(self.pattern, f"gives {count} generations one name: it needs {{runway_task_id}}")

    def check_outputs(self, count: int) -> None:
        """Whether as many outputs of one generation get different names.

        :param count: how many outputs.
        :raises CoreError: if they would overwrite each other.
        """
        if count > 1 and "index" not in self.fields:
            raise _wrong(self.pattern, f"gives {count} outputs one name: it needs {{index}}")

    def name(self, runway_task_id: str, index: int, media_type: str) -> str:
        """The name of an output.

        :param runway_task_id: the generation.
        :param index: which of its outputs, from 0.
        :param media_type: what its first bytes say it is.
        :raises CoreError: if the pattern itself ends in an extension of another type.
        """
        extension = EXTENSIONS[media_type]
        name = self._filled(runway_task_id, index, extension)
        suffix = f".{name.rpartition('.')[2]}".lower()
        if suffix != extension and suffix in EXTENSIONS.values():
            raise core_error(
                ErrorKind.TRANSFER_REFUSED,
                f"Output {index} of Runway task {runway_task_id} is {media_type}, and file_name would call it "
                f"{suffix}. Nothing was saved, and the generation itself is untouched. End file_name with "
                "{extension}, then clear this task.",
                summary=f"file_name would call {media_type} {suffix}",
                next_step="End it with {extension}, then clear",
            )
        return name

    def stem(self, runway_task_id: str, index: int) -> str:
        """The name of an output without its extension, known before its first byte.

        :param runway_task_id: the generation.
        :param index: which of its outputs, from 0.
        :raises CoreError: if the filled pattern is no safe name.
        """
        return self._filled(runway_task_id, index, "")

    def still(self, runway_task_id: str, index: int, kind: str) -> str:
        """The name of a picture by which a person knows an output.

        :param runway_task_id: the generation.
        :param index: which of its outputs, from 0.
        :param kind: ``poster`` or ``sheet``.
        :raises CoreError: if the filled pattern is no safe name.
        """
        ending = f".{kind}.jpg"
        stem = self.stem(runway_task_id, index)
        return self._checked(f"{stem}{ending}", LONGEST_SEGMENT + len(ending))

    def manifest(self, runway_task_id: str) -> str:
        """The name of a generation's manifest: the pattern without index and extension, ``.manifest.json``.

        :param runway_task_id: the generation.
        :raises CoreError: if the filled pattern is no safe name.
        """
        bare = re.sub(r"\{index(:[^}]*)?\}", "", self.pattern)
        filled = bare.format(runway_task_id=_harmless(runway_task_id), extension="")
        segments = [segment for segment in filled.split("/") if segment]
        last = segments.pop().strip("-_. ") if segments and not filled.endswith("/") else ""
        name = "/".join([*segments, f"{last or _harmless(runway_task_id)}{_MANIFEST_SUFFIX}"])
        # Without its index a part may be another one: "..{index}" would climb. It may be longer, too: its suffix is.
        return self._checked(name, LONGEST_SEGMENT + len(_MANIFEST_SUFFIX))

    def _filled(self, runway_task_id: str, index: int, extension: str) -> str:
        name = self.pattern.format(runway_task_id=_harmless(runway_task_id), index=index, extension=extension)
        return self._checked(name)

    def _checked(self, name: str, longest: int = LONGEST_SEGMENT) -> str:
        if why := _unsafe(name, longest):
            raise _wrong(self.pattern, f"gives the name {redact(name, limit=120)!r}, which {why}")
        return name


def _harmless(runway_task_id: str) -> str:
    return _ODD_IN_IDS.sub("_", runway_task_id)


def _unsafe(name: str, longest: int) -> str:
    """What is wrong with a relative name whose parts may have so many bytes; empty if nothing."""
    if found := _SPECIAL.search(name):
        return f"holds {found[0]!r}"
    if name.startswith("/"):
        return "is absolute"
    if name.lower().startswith("data:"):
        return "storage libraries take for a data: URI"
    segments = name.split("/")
    if not all(segment.strip() for segment in segments):
        return "has an empty part"
    if any(segment.strip() in {".", ".."} for segment in segments):
        return "climbs between folders"
    if any(segment != segment.strip() for segment in segments):
        return "has a part with blanks around it"
    try:
        lengths = [len(segment.encode()) for segment in segments]
    except UnicodeEncodeError:
        return "is no readable text"
    if max(lengths) > longest or sum(lengths) + len(lengths) > LONGEST_NAME:
        return f"is too long (a part may have {longest} bytes, all of it {LONGEST_NAME})"
    return ""


def _wrong(pattern: object, what: str) -> CoreError:
    return core_error(
        ErrorKind.CONFIGURATION,
        f"file_name {redact(pattern, limit=120)!r} {what}. Nothing was fetched or saved; correct it, then clear "
        "this task.",
    )
