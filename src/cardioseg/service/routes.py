"""The HTTP API: upload, watch, fetch, correct, delete."""

from __future__ import annotations

import shutil
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, StreamingResponse

from cardioseg.service import corrections, page, steps
from cardioseg.service.events import MEDIA_TYPE, job_events
from cardioseg.service.extras import ExtraName, extras_of
from cardioseg.service.jobs import ID_PATTERN
from cardioseg.service.messages import Health, JobView, ModelView, Refusal, job_view, model_view
from cardioseg.service.offers import offer_named
from cardioseg.service.problems import ProblemError
from cardioseg.service.results import result_files
from cardioseg.service.server import Server
from cardioseg.service.uploads import UPLOAD, inspect_upload

_BINARY = "application/octet-stream"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {_BINARY: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_REFUSED = {"model": Refusal}

JobId = Annotated[str, InPath(pattern=ID_PATTERN, description="The job's id.")]
Frame = Annotated[int, InPath(ge=0, le=100_000, description="Frame of the cine, from 0.")]
ModelName = Annotated[
    str, Query(max_length=200, description="One of the offered models; empty takes the first.")
]
IfMatch = Annotated[
    str,
    Header(
        max_length=200,
        description="Digest (`edit.sha256` or the `ETag`) of the labels that are to be changed; "
        "409 where they are others by now. Without it the change is made in any case.",
    ),
]
SeriesName = Annotated[
    str, Query(max_length=200, description="DICOM series: number, part of its description or UID.")
]


def api(server: Server) -> APIRouter:
    """All routes below /api/ of one server."""
    router = APIRouter(
        prefix="/api",
        responses=dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 421, 422, 503, 507), _REFUSED),
    )
    _add_facts(router, server)
    _add_jobs(router, server)
    _add_results(router, server)
    _add_corrections(router, server)
    return router


def _add_facts(router: APIRouter, server: Server) -> None:
    @router.get("/health")
    def health() -> Health:
        """Whether the server is up, and whether its page has a viewer."""
        return Health(version=page.version(), viewer=page.has_viewer())

    @router.get("/models")
    def models() -> list[ModelView]:
        """The models that may be chosen; the first is the default."""
        return [model_view(offer) for offer in server.offers]


def _add_jobs(router: APIRouter, server: Server) -> None:
    @router.post("/jobs", status_code=202, openapi_extra=_BODY)
    async def upload(request: Request, model: ModelName = "", series: SeriesName = "") -> JobView:
        """Upload a scan as the request's body: NIfTI (.nii, .nii.gz) or a zip of DICOM files."""
        chosen = offer_named(server.offers, model).name
        limit = server.store.limits.upload_bytes
        with steps.reserved(server, steps.declared(request) or limit) as (identity, folder):
            taken = await steps.received(request, folder / UPLOAD, limit)
            checked = await anyio.to_thread.run_sync(
                inspect_upload, taken, server.store.limits, series
            )
            added = server.store.add(identity, folder, checked, chosen)
        return steps.queued(server, added)

    @router.post("/jobs/{job_id}/again", status_code=202)
    def again(job_id: JobId, model: ModelName = "") -> JobView:
        """Segment a job's scan with another model, as a job of its own."""
        former = server.store.get(job_id)
        chosen = offer_named(server.offers, model).name
        with steps.reserved(server, former.size) as (identity, folder):
            copy = steps.copied(former.upload, folder)
            added = server.store.add(identity, folder, copy, chosen)
        return steps.queued(server, added)

    @router.post("/jobs/{job_id}/corrected", status_code=202)
    def corrected(job_id: JobId) -> JobView:
        """Take the corrected labels as a job of its own, to make every file from."""
        desk = steps.finished(server, job_id)
        former = desk.job
        # A former server may have offered it; its name and scheme are needed again.
        offer_named(server.offers, former.model)
        with server.store.edit_lock(job_id):
            desk.corrected()
            with steps.reserved(server, former.size) as (identity, folder):
                copy = steps.copied(former.upload, folder)
                (folder / "results").mkdir()
                shutil.copyfile(
                    former.edits / corrections.RECORD, folder / "results" / corrections.RECORD
                )
                labels = folder / corrections.EDITED
                shutil.copyfile(former.edits / corrections.EDITED, labels)
                added = server.store.add(identity, folder, copy, former.model, labels)
        return steps.queued(server, added)

    @router.get("/jobs/{job_id}")
    def job(job_id: JobId) -> JobView:
        """How far a job is, and what it has to show."""
        return job_view(server.store.get(job_id), server.store)

    @router.get(
        "/jobs/{job_id}/events",
        response_class=StreamingResponse,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    )
    def events(job_id: JobId) -> StreamingResponse:
        """The job as server-sent events, one at every change, until it ends."""
        server.store.get(job_id)
        stream = job_events(
            lambda: server.store.get(job_id),
            lambda each: job_view(each, server.store),
        )
        return StreamingResponse(stream, media_type=MEDIA_TYPE)

    @router.delete("/jobs/{job_id}", status_code=204)
    def delete(job_id: JobId) -> Response:
        """Delete a job and all its files now; one that runs is stopped."""
        server.store.delete(job_id)
        server.tell(f"job {job_id}: deleted")
        return Response(status_code=204)


def _add_results(router: APIRouter, server: Server) -> None:
    @router.get(
        "/jobs/{job_id}/files/{name}",
        response_class=FileResponse,
        responses={200: {"content": {_BINARY: {"schema": {"type": "string"}}}}},
    )
    def file(job_id: JobId, name: Annotated[str, InPath(max_length=200)]) -> FileResponse:
        """One of the files that the job lists."""
        found = steps.finished(server, job_id).job
        # Looked up among the job's own files: the name never becomes a path.
        kind = result_files(found.results).get(name)
        if kind is None:
            raise ProblemError(404, "no_such_file", "the job has no such file")
        return steps.download(found.results / name, kind.media_type)

    @router.post("/jobs/{job_id}/extras/{name}", status_code=202)
    def extra(job_id: JobId, name: ExtraName) -> JobView:
        """Have files made that the job offers as `extras`; then it lists them among its files."""
        found = steps.finished(server, job_id).job
        if name not in extras_of(found.upload):
            raise ProblemError(
                409, "not_dicom", "SEG and SR refer to DICOM images, and this upload is NIfTI"
            )
        if server.store.ask(job_id, name):
            server.dispatcher.submit_extra(job_id, name)
        return job_view(server.store.get(job_id), server.store)

    @router.get(
        "/jobs/{job_id}/edited",
        response_class=FileResponse,
        responses={200: {"content": {"application/gzip": {"schema": {"type": "string"}}}}},
    )
    def edited(job_id: JobId) -> FileResponse:
        """The corrected label map; what it is and its parent's digest are in `edit` of the job."""
        path = steps.finished(server, job_id).job.edits / corrections.EDITED
        if not path.is_file():
            raise corrections.not_corrected()
        return steps.download(path, "application/gzip")

    @router.get(
        "/jobs/{job_id}/training",
        response_class=FileResponse,
        responses={200: {"content": {"application/zip": {"schema": {"type": "string"}}}}},
    )
    def training(job_id: JobId) -> FileResponse:
        """Images and corrected labels, packed as `train --data nnunet:FOLDER` reads them."""
        with server.store.edit_lock(job_id):
            return steps.download(steps.finished(server, job_id).training_zip(), "application/zip")


def _add_corrections(router: APIRouter, server: Server) -> None:
    @router.get(
        "/jobs/{job_id}/labels/{frame}",
        response_class=Response,
        responses={200: {"content": {_BINARY: {"schema": {"type": "string"}}}}},
    )
    def labels(job_id: JobId, frame: Frame) -> Response:
        """The current labels of one frame as NIfTI, not packed; `ETag` is all labels' digest."""
        with server.store.edit_lock(job_id):
            desk = steps.finished(server, job_id)
            data = desk.frame(frame).read_bytes()
            headers = {"ETag": f'"{desk.digest()}"'}
        return Response(data, media_type=_BINARY, headers=headers)

    @router.put("/jobs/{job_id}/labels/{frame}", openapi_extra=_BODY)
    async def correct(
        request: Request,
        job_id: JobId,
        frame: Frame,
        seconds: Annotated[float, Query(ge=0, le=86_400, allow_inf_nan=False)] = 0.0,
        if_match: IfMatch = "",
    ) -> JobView:
        """Save corrected labels of one frame: NIfTI on the scan's grid, in the model's numbers."""
        desk = steps.finished(server, job_id)
        with steps.incoming(desk) as folder:
            limit = min(desk.most_bytes, server.store.limits.upload_bytes)
            taken = await steps.received(request, folder / UPLOAD, limit)
            await anyio.to_thread.run_sync(
                steps.save_correction, server, desk, frame, taken, seconds, if_match
            )
        return await anyio.to_thread.run_sync(steps.touched_view, server, job_id)

    @router.delete("/jobs/{job_id}/labels/{frame}")
    def revert(job_id: JobId, frame: Frame, if_match: IfMatch = "") -> JobView:
        """Take the model's labels of one frame again."""
        with server.store.edit_lock(job_id):
            desk = steps.finished(server, job_id)
            steps.require_base(desk, if_match)
            desk.revert(frame)
        return steps.touched_view(server, job_id)

    @router.post("/jobs/{job_id}/labels/{frame}/propagate")
    def propagate(
        job_id: JobId,
        frame: Frame,
        axis: Annotated[int | None, Query(ge=0, le=2)] = None,
        reach: Annotated[int, Query(ge=1, le=20)] = 2,
        if_match: IfMatch = "",
    ) -> JobView:
        """Carry the corrected slices of one frame to the slices between and beside them."""
        with server.store.edit_lock(job_id):
            desk = steps.finished(server, job_id)
            steps.require_base(desk, if_match)
            desk.propagate(frame, axis, reach)
        return steps.touched_view(server, job_id)
