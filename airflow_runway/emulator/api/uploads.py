"""Both steps of an upload: ``POST /v1/uploads``, then a form to the address that it names (contracts §1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import anyio
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse, Response

from airflow_runway.emulator.api.request_log import logged_json
from airflow_runway.emulator.checking.body_validator import BodyValidator
from airflow_runway.emulator.checking.issues import issue
from airflow_runway.emulator.dialects import errors
from airflow_runway.emulator.files.upload_store import EXTENSIONS, LARGEST_UPLOAD, SMALLEST_UPLOAD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.datastructures import FormData
    from starlette.requests import Request

    from airflow_runway.emulator.api.call import Gatekeeper
    from airflow_runway.emulator.checking.issues import Issue
    from airflow_runway.emulator.files.upload_store import Upload, UploadStore

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


class UploadRoutes:
    """Gives places for files, and fills them.

    :param gatekeeper: looks at every call.
    :param uploads: keeps the files.
    """

    def __init__(self, gatekeeper: Gatekeeper, uploads: UploadStore) -> None:
        self._gatekeeper = gatekeeper
        self._uploads = uploads

    async def reserve(self, request: Request) -> Response:
        """``POST /v1/uploads``: names the address, the fields and the reference to be.

        :param request: the request in hand.
        """
        body = logged_json(request, await request.body())
        call = self._gatekeeper.call(request, "runway", ("upload",))
        early = call.early_answer()
        if early is not None:
            return early
        if not isinstance(body, dict):
            return errors.malformed("runway")
        issues = _BODY.issues(body) or _extension_issues(body["filename"])
        if issues:
            return errors.validation_failed("runway", issues)
        upload = self._uploads.reserve(body["filename"])
        address = f"{request.base_url}_uploads/{upload.key}"
        answer = {"uploadUrl": address, "fields": upload.fields, "runwayUri": upload.uri}
        return call.answer(JSONResponse(answer))

    async def fill(self, request: Request) -> Response:
        """``POST`` of the form: every field of the upload first, the part ``file`` last, and no API key.

        :param request: the request in hand, with ``key`` in its path.
        """
        # A storage service checks neither key nor version; it takes a foreign Authorization for an error.
        call = self._gatekeeper.call(request, "runway", ("upload_file",))
        counted = _Counted(request)
        faulty = call.faulty_answer()
        if faulty is not None:
            await counted.drain()
            return faulty
        try:
            await self._take(request, counted)
        except _RefusedError as error:
            await counted.drain()
            return _refused(str(error))
        return call.answer(Response(status_code=204))

    async def _take(self, request: Request, counted: _Counted) -> None:
        upload = self._uploads.of_key(request.path_params["key"])
        if upload is None:
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
            await self._keep(upload, _file_of(form, upload))
        finally:
            await form.close()

    async def _keep(self, upload: Upload, file: UploadFile) -> None:
        path = self._uploads.folder / uuid4().hex
        async with await anyio.open_file(path, "wb") as target:
            while piece := await file.read(_CHUNK):
                await target.write(piece)
        upload.file = path


def _file_of(form: FormData, upload: Upload) -> UploadFile:
    items = form.multi_items()
    names = [name for name, _ in items]
    if not names or names[-1] != "file" or not isinstance(items[-1][1], UploadFile):
        raise _RefusedError("The last part must be the file, named 'file'.")
    fields = dict(items[:-1])
    for name, value in upload.fields.items():
        if fields.get(name) != value:
            raise _RefusedError(f"The field {name!r} is missing or wrong.")
    file = items[-1][1]
    if not SMALLEST_UPLOAD <= (file.size or 0) <= LARGEST_UPLOAD:
        raise _RefusedError(f"The file must have {SMALLEST_UPLOAD} to {LARGEST_UPLOAD} bytes.")
    return file


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
            if size > LARGEST_UPLOAD + _FORM_EXTRA:
                raise _RefusedError(f"The file must have {SMALLEST_UPLOAD} to {LARGEST_UPLOAD} bytes.")
            yield chunk

    async def drain(self) -> None:
        """Reads the rest: an early answer would look like a broken connection."""
        async for _ in self._chunks:
            pass


def _extension_issues(filename: str) -> list[Issue]:
    if filename.rpartition(".")[2].lower() in EXTENSIONS and "." in filename:
        return []
    return [issue("custom", ["filename"], "Must have the extension of an image, video or audio file")]


def _refused(text: str) -> Response:
    # The shape of an object storage, as the real second step goes to one.
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>BadRequest</Code><Message>{text}</Message></Error>'
    return Response(body, 400, media_type="application/xml")
