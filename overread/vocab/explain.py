"""What the schema refuses, in plain words and with the place in the file."""

from __future__ import annotations

import types
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from overread.vocab.locate import Located, Path, Problem

Model = TypeVar("Model", bound=BaseModel)

_TEXT_KEYS = {"text", "regex"}


def validated(model: type[Model], located: Located) -> tuple[Model | None, list[Problem]]:
    """The file as a model, or None and every reason why it is not one.

    What ``located`` already refused is not reported twice.
    """
    if not isinstance(located.value, dict):
        if located.problems:
            return None, []
        found = "the file is empty" if located.value is None else "the file does not hold keys"
        return None, [(located.place(()), f"{found}; expected one of {_listed(model)}")]
    try:
        return model.model_validate(located.value), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = []
    for detail in details:
        path = tuple(str(part) for part in detail["loc"] if part != "[key]")
        if not any(path[: len(gone)] == gone for gone in located.refused):
            problems.append((located.place(path), _in_words(model, path, detail)))
    return None, problems


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the most similar known name, empty where none is similar; capitals count as small.

    >>> nearest("phrase", ["phrases", "name"])
    "; did you mean 'phrases'?"
    >>> nearest("Left Axis Deviation", ["left_axis_deviation", "name"])
    "; did you mean 'left_axis_deviation'?"
    """
    plain = {_plain(each): each for each in sorted(known)}  # the same hint in every run
    found = get_close_matches(_plain(name), list(plain), n=1, cutoff=0.6)
    return f"; did you mean '{plain[found[0]]}'?" if found else ""


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_")


def _in_words(model: type[BaseModel], path: Path, detail: ErrorDetails) -> str:
    key = path[-1] if path else ""
    entry = f"'{key}'" if not key.isdigit() else "this entry"
    given = detail["input"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(model, path)
        case "missing":
            return f"'{key}' is missing"
        case "string_type":
            return f"{entry} must be text; found {_kind(given)}{_quotes_hint(given)}"
        case "list_type":
            return f"{entry} must be a list (lines that start with '- '); found {_kind(given)}"
        case "dict_type" | "model_type":
            return f"{entry} must hold keys ('key: value'); found {_kind(given)}"
        case "literal_error":
            allowed = context["expected"]
            return f"{entry} is '{given}'; expected {allowed}"
        case "string_pattern_mismatch":
            return f"'{given}' is no id: small letters, digits and _, starting with a letter"
        case "too_short":
            return f"{entry} needs at least one entry"
        case "string_too_short":
            return f"{entry} is empty"
        case "string_too_long":
            return f"{entry} is longer than {context['max_length']} characters"
        case "value_error":
            is_given = "" if key == given else f"is '{given}'; "
            return f"{entry} {is_given}{context['error']}"
        case _:
            return f"{entry}: {detail['msg']}"


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) <= 60 else "text"
    return "a list" if isinstance(value, list) else "a group of keys"


def _quotes_hint(value: object) -> str:
    """Text with ': ' in it reads as a key and a value."""
    return "; text with ': ' in it needs quotes" if isinstance(value, dict) else ""


def _unknown_key(model: type[BaseModel], path: Path) -> str:
    owner = _model_at(model, path[:-1])
    if owner is None:
        return f"unknown key '{path[-1]}'"
    hint = nearest(path[-1], owner.model_fields)
    if not hint and owner.model_fields.keys() & _TEXT_KEYS and path[-2].isdigit():
        hint = "; text with ': ' in it needs quotes"
    return f"unknown key '{path[-1]}'{hint or f'; expected one of {_listed(owner)}'}"


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The class that a node of the file has to fit."""
    current: Any = model
    for key in path:
        origin = get_origin(current)
        if origin is dict:
            current = get_args(current)[1]
        elif origin is list:
            current = get_args(current)[0]
        elif isinstance(current, type) and issubclass(current, BaseModel):
            found = current.model_fields.get(key)
            current = found.annotation if found else None
        current = _bare(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return current
    return None


def _bare(annotation: Any) -> Any:
    """The type without ``Annotated`` and without ``| None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation
