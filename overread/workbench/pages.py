"""The page: addresses, and the pieces of the page that each sends back."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from traceback import format_tb
from typing import TYPE_CHECKING, Any, Final

from overread.errors import OverreadError, UsageError
from overread.workbench import views
from overread.workbench.guard import Guard
from overread.workbench.session import Session, new_phrase

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from overread.vocab.edit import NewPhrase

_STATIC: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "enter.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_FOLDER: Final = Path(__file__).parent / "static"
#: What the entrance loads.
_OPEN_FILES: Final = frozenset({"/static/page.css", "/static/enter.js", "/static/icon.svg"})

#: What the page asks with, and what it is told: ``panels`` by element id, or ``said``.
Given = dict[str, Any]
Answer = dict[str, Any]


def application(session: Session, token: str) -> ASGIApp:
    """The page of a session, behind its guard."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    page = Page(session)
    gets = (page.queue, page.suggestion, page.phrases, page.phrase, page.disagreements)
    posts = (
        page.effect, page.tried, page.accept, page.reject, page.later, page.undo, page.back,
        page.proposal, page.write, page.unwrite,
    )  # fmt: skip
    routes = [Route("/", page.whole), Route("/static/{name}", _static_file)]
    routes += [Route(f"/{each.__name__}", _answering(each), methods=["GET"]) for each in gets]
    routes += [Route(f"/{each.__name__}", _answering(each), methods=["POST"]) for each in posts]
    entrance = _templates().get_template("entrance.html").render()
    inner = Starlette(routes=routes, exception_handlers={Exception: _unexpected})
    inner.router.redirect_slashes = False  # an address is one of these or none
    return Guard(inner, token, entrance=entrance, open_files=_OPEN_FILES)


class Page:
    """Answers the page's questions with pieces of HTML, by the id of the element they go into.

    Each method is the address of its name. Raises UsageError for what the page never sends.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def whole(self, _: Request) -> Response:
        """The page as it is first seen; what takes long is filled in later."""
        from starlette.responses import HTMLResponse

        values = {
            "facts": views.facts(self._session),
            **views.notice(self._session),
            **views.queue(self._session),
            **views.pending(self._session),
        }
        return HTMLResponse(_rendered("page.html", values))

    def queue(self, _: Given) -> Answer:
        """The suggestions that wait for a decision."""
        return self._with_pending(list=("queue.html", views.queue(self._session)))

    def suggestion(self, given: Given) -> Answer:
        """One of them, or any other wording, the form to decide, and what its guess would do."""
        wording = _text(given, "wording")
        found = views.suggestion(self._session, wording)
        panels = {"middle": ("suggestion.html", found)}
        if found["guess"] in self._session.standing().vocabulary.labels:
            edit = {"owner": found["guess"], "means": found["means"], "text": wording}
            with suppress(UsageError):  # the page asks for it by itself, and is told why
                panels["effect"] = ("effect.html", self._effect({"wording": wording, **edit}))
        return _panels(**panels)

    def phrases(self, given: Given) -> Answer:
        """The phrases of a label."""
        found = views.usage(self._session, _text(given, "owner", ""))
        return self._with_pending(list=("phrases.html", found))

    def phrase(self, given: Given) -> Answer:
        """One phrase of the vocabulary."""
        return _panels(middle=("phrase.html", views.phrase(self._session, _text(given, "id"))))

    def disagreements(self, given: Given) -> Answer:
        """What machine and expert say in the ECGs that hold a phrase."""
        found = views.disagreements(self._session, _text(given, "id"))
        return _panels(touched=("disagreements.html", found))

    def effect(self, given: Given) -> Answer:
        """What a phrase would change, before it is accepted."""
        return _panels(effect=("effect.html", self._effect(given)))

    def tried(self, given: Given) -> Answer:
        """A sentence read with the pending edits."""
        return _panels(tried=("tried.html", views.tried(self._session, _text(given, "text"))))

    def accept(self, given: Given) -> Answer:
        """Keeps a phrase to be written."""
        phrase = self._phrase(given, by=_text(given, "by"))
        refusals = self._session.refusals(phrase)
        if refusals:
            raise UsageError(refusals[0])
        self._session.accept(phrase, _text(given, "wording"))
        label = self._session.standing().vocabulary.labels[phrase.owner]
        return self._changed(given, f"Accepted into {label.name}: {phrase.text}")

    def reject(self, given: Given) -> Answer:
        """A wording that does not come back."""
        wording = _text(given, "wording")
        self._session.decisions.reject(wording, _text(given, "by"), note=wording)
        return self._changed(given, f"Rejected: {wording}")

    def later(self, given: Given) -> Answer:
        """A wording for another day."""
        wording = _text(given, "wording")
        self._session.decisions.later(wording, _text(given, "by"), note=wording)
        return self._changed(given, f"Later: {wording}")

    def back(self, given: Given) -> Answer:
        """An accepted phrase that is not to be written now."""
        text = _text(given, "wording")
        self._session.take_back(text, _text(given, "by"))
        return self._changed(given, f"Taken back: {text}")

    def undo(self, given: Given) -> Answer:
        """The reader's last decision, undone."""
        undone = self._session.decisions.undo(_text(given, "by"))
        if undone is None:
            return self._changed(given, "Nothing of yours is left to undo.")
        what = {"accept": "accepting", "reject": "rejecting", "later": "putting off"}[undone.kind]
        wording = undone.note or undone.wording
        return {**self._changed(given, f"Undone: {what} {wording}"), "wording": wording}

    def proposal(self, _: Given) -> Answer:
        """The lines that writing would put into the files."""
        found = self._session.proposal()
        values = {
            "count": len(found.insertions),
            "folder": self._session.folder.resolve().name,
            "examples": found.examples,
            "diff": found.diff(),
        }
        return _panels(proposal=("proposal.html", values))

    def write(self, given: Given) -> Answer:
        """Puts them there."""
        places = [f"{each.file}:{each.line}" for each in self._session.write()]
        if not places:
            return self._changed(given, "They stand in the files already.")
        return self._changed(given, f"Written: {', '.join(places)}")

    def unwrite(self, given: Given) -> Answer:
        """Takes what was written last out of the files again."""
        self._session.unwrite(_text(given, "by"))
        said = "Taken out of the files again; the phrases are at the end of the list."
        return self._changed(given, said)

    def _effect(self, given: Given) -> views.Values:
        phrase = self._phrase(given, by="?")  # asked for when it is decided
        return views.effect(self._session, phrase)

    def _phrase(self, given: Given, *, by: str) -> NewPhrase:
        found = self._session.suggestion(_text(given, "wording"))
        owner, text, means = (_text(given, name) for name in ("owner", "text", "means"))
        if owner not in self._session.standing().vocabulary.labels:
            raise UsageError(f"There is no label '{owner}' any more. Next step: choose another.")
        return new_phrase(owner, text, means, by, found.unless if found else ())

    def _changed(self, given: Given, said: str) -> Answer:
        """What was done, and the list that is on view as it stands now."""
        listed = self.phrases if given.get("view") == "phrases" else self.queue
        return {**listed(given), "said": said}

    def _with_pending(self, **panels: tuple[str, views.Values]) -> Answer:
        """Panels, and with them those that any decision may have changed."""
        return _panels(
            **panels,
            notice=("notice.html", views.notice(self._session)),
            pending=("pending.html", views.pending(self._session)),
        )


def _answering(asked: Callable[[Given], Answer]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one method of `Page`; it works in a thread, so that others are answered."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    async def answer(request: Request) -> Response:
        try:
            given = _given(request, await request.body())
            return JSONResponse(await run_in_threadpool(asked, given))
        except OverreadError as error:
            return JSONResponse({"said": str(error)}, 409)

    return answer


async def _unexpected(_: Request, error: Exception) -> Response:
    """The text of a library's error may quote a report: only its kind and place are told."""
    from starlette.responses import JSONResponse

    kind = type(error).__name__
    print("".join(format_tb(error.__traceback__)) + kind, file=sys.stderr)
    return JSONResponse({"said": f"An unexpected {kind}: the terminal shows where."}, 500)


def _given(request: Request, body: bytes) -> Given:
    if request.method == "GET":
        return dict(request.query_params)
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UsageError("The page sent something that is not understood. Next step: reload it.")
    return given


def _text(given: Given, name: str, default: str | None = None) -> str:
    found = given.get(name, default)
    if not isinstance(found, str):
        raise UsageError(f"The page sent no {name}. Next step: reload it.")
    return found


def _panels(**panels: tuple[str, views.Values]) -> Answer:
    return {"panels": {id: _rendered(name, values) for id, (name, values) in panels.items()}}


def _rendered(name: str, values: views.Values) -> str:
    return _templates().get_template(name).render(values)


@cache
def _templates() -> Environment:
    """The page's templates: everything put in is escaped, a missing name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("overread.workbench"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _static_file(request: Request) -> Response:
    """One of the page's own files; any other name, whatever its letters, is none."""
    from starlette.responses import Response

    name = request.path_params["name"]
    if name not in _STATIC:
        return Response("There is no such page.", 404)
    return Response((_FOLDER / name).read_bytes(), media_type=_STATIC[name])
