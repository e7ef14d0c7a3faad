"""The application: the API, the page, and every refusal as JSON."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from cardioseg.errors import WriteError
from cardioseg.service.page import STATIC, version
from cardioseg.service.problems import ProblemError, no_space
from cardioseg.service.routes import api
from cardioseg.service.security import Guard
from cardioseg.service.server import Server


def create_app(server: Server) -> ASGIApp:
    """The ASGI application of a server."""
    app = FastAPI(
        title="cardioseg",
        version=version(),
        summary="Segment the heart in cardiac MR. Not a medical device.",
        # FastAPI's own pages of documentation load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api(server))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    _add_refusals(app)
    return Guard(app, server.settings.token)


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    def problem(request: Request, error: ProblemError) -> JSONResponse:
        headers = {"Retry-After": "10"} if error.status == 503 else None
        return _refusal(error.status, error.code, error.message, error.details, headers)

    @app.exception_handler(WriteError)
    def unwritten(request: Request, error: WriteError) -> JSONResponse:
        refused = no_space()
        return _refusal(refused.status, refused.code, refused.message)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()[:3])
        return _refusal(422, "invalid", told)

    @app.exception_handler(ClientDisconnect)
    def left(request: Request, error: ClientDisconnect) -> JSONResponse:
        # Nobody reads it; without it the log would have a traceback.
        return _refusal(400, "disconnected", "the client left before the request was whole")

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return _refusal(error.status_code, "http", str(error.detail), None, headers)


def _refusal(
    status: int,
    code: str,
    message: str,
    details: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body = {"code": code, "message": message, "details": details or {}}
    return JSONResponse(body, status, headers)
