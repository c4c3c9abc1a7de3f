"""The two steps of an upload: ``POST /v1/uploads``, then a form to the address that it names (contracts 1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse, Response

from airflow_runway.emulator import errors, strictjson
from airflow_runway.emulator.issues import BodyValidator, as_issues, issue
from airflow_runway.emulator.requestlog import entry_of, shortened
from airflow_runway.emulator.serving import Call
from airflow_runway.emulator.uploads import EXTENSIONS, LARGEST, SMALLEST

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.datastructures import FormData
    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.uploads import Slot

_CHUNK = 1 << 20
#: The form is a little larger than the file in it.
_FORM_EXTRA = 1 << 16
_BODY = BodyValidator(
    {
        "type": "object",
        "properties": {
            "filename": {"type": "string", "minLength": 3, "maxLength": 255},
            "type": {"type": "string", "const": "ephemeral"},
        },
        "required": ["filename", "type"],
    }
)


class _RefusedError(Exception):
    """A form that is not taken; its text is the text of the answer."""


async def reserve(emulator: Emulator, request: Request) -> Response:
    """``POST /v1/uploads``: names the address, the fields and the reference to be.

    :param request: the request in hand.
    """
    try:
        body = strictjson.loads(await request.body())
    except ValueError:
        body = None
    entry_of(request.scope).body = shortened(body)
    call = Call(emulator, request, "runway", ("upload",))
    refused = call.hindrance()
    if refused is not None:
        return refused
    if not isinstance(body, dict):
        return errors.malformed("runway")
    issues = as_issues(_BODY, body) or _extension_issues(body["filename"])
    if issues:
        return errors.validation_failed("runway", issues)
    slot = emulator.uploads.reserve(body["filename"])
    address = f"{request.base_url}_uploads/{slot.key}"
    answer = {"uploadUrl": address, "fields": slot.fields, "runwayUri": slot.uri}
    return call.answer(JSONResponse(answer))


async def fill(emulator: Emulator, request: Request) -> Response:
    """``POST`` of the form: every field of the slot first, the part ``file`` last, and no API key.

    :param request: the request in hand, with ``key`` in its path.
    """
    # A storage service checks neither key nor version; it takes a foreign Authorization for an error.
    call = Call(emulator, request, "runway", ("upload_file",))
    counted = _Counted(request)
    fault = call.fault()
    if fault is not None:
        await counted.drain()
        return fault
    try:
        await _take(emulator, request, counted)
    except _RefusedError as error:
        await counted.drain()
        return _refused(str(error))
    return call.answer(Response(status_code=204))


async def _take(emulator: Emulator, request: Request, counted: _Counted) -> None:
    slot = emulator.uploads.slot(request.path_params["key"])
    if slot is None:
        raise _RefusedError("The upload does not exist or has expired.")
    if "authorization" in request.headers:
        raise _RefusedError("Only one auth mechanism allowed: send no Authorization header.")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _RefusedError("The body must be multipart/form-data.")
    try:
        # Parts beyond 1 MB wait on the disk: memory does not grow with the file.
        form = await MultiPartParser(request.headers, counted.stream(), max_files=1).parse()
    except (MultiPartException, KeyError) as error:
        raise _RefusedError(f"The form cannot be read: {getattr(error, 'message', error)}.") from None
    try:
        await _keep(emulator, slot, _file_of(form, slot))
    finally:
        await form.close()


def _file_of(form: FormData, slot: Slot) -> UploadFile:
    items = form.multi_items()
    names = [name for name, _ in items]
    if not names or names[-1] != "file" or not isinstance(items[-1][1], UploadFile):
        raise _RefusedError("The last part must be the file, named 'file'.")
    fields = dict(items[:-1])
    for name, value in slot.fields.items():
        if fields.get(name) != value:
            raise _RefusedError(f"The field {name!r} is missing or wrong.")
    file = items[-1][1]
    if not SMALLEST <= (file.size or 0) <= LARGEST:
        raise _RefusedError(f"The file must have {SMALLEST} to {LARGEST} bytes.")
    return file


async def _keep(emulator: Emulator, slot: Slot, file: UploadFile) -> None:
    path = emulator.uploads.folder / uuid4().hex
    async with await anyio.open_file(path, "wb") as target:
        while piece := await file.read(_CHUNK):
            await target.write(piece)
    slot.file = path


class _Counted:
    """The body of a request, refused beyond the largest form.

    :param request: the request in hand.
    """

    def __init__(self, request: Request) -> None:
        self._chunks = request.stream()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in self._chunks:
            size += len(chunk)
            if size > LARGEST + _FORM_EXTRA:
                raise _RefusedError(f"The file must have {SMALLEST} to {LARGEST} bytes.")
            yield chunk

    async def drain(self) -> None:
        """Reads the rest: an early answer would look like a broken connection."""
        async for _ in self._chunks:
            pass


def _extension_issues(filename: str) -> list[dict[str, Any]]:
    if filename.rpartition(".")[2].lower() in EXTENSIONS and "." in filename:
        return []
    return [issue("custom", ["filename"], "Must have the extension of an image, video or audio file")]


def _refused(text: str) -> Response:
    # The shape of an object storage, as the real second step goes to one.
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>BadRequest</Code><Message>{text}</Message></Error>'
    return Response(body, 400, media_type="application/xml")
