"""Who may ask, from where, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cardioseg.service.settings import is_loopback

API = "/api/"

CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        # NiiVue keeps its fonts and colour maps as data: and blob: images; WebGL needs no more.
        "img-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Guard:
    """Refuses strangers before anything else is done, and puts the headers on every answer.

    Parameters
    ----------
    app
        The application behind it.
    token
        What a client must show under /api/; empty where none is needed.

    Notes
    -----
    A page of another site can send requests to this machine, and by rebinding its own name to
    127.0.0.1 (DNS rebinding) even read the answers. Without a token only a Host that is this
    machine is therefore answered; an Origin, where a browser sends one, must be the page's own.
    """

    app: ASGIApp
    token: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.token and not is_loopback(_name(host)):
            return _refuse(
                421, "wrong_host", "this server answers as localhost only; open it by that name"
            )
        if origin is not None and not _is_own(origin, host):
            return _refuse(403, "wrong_origin", "requests of other sites' pages are not answered")
        if self.token and scope["path"].startswith(API) and not self._shown(headers):
            return _refuse(401, "token", "a token is needed: Authorization: Bearer TOKEN")
        return None

    def _shown(self, headers: Headers) -> bool:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        # In constant time: how long a wrong token takes tells nothing about the right one.
        return scheme.lower() == "bearer" and hmac.compare_digest(
            shown.encode("latin-1", "replace"), self.token.encode()
        )


def _name(host: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _refuse(status: int, code: str, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"code": code, "message": message, "details": {}}, status, headers)
