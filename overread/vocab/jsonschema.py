"""The JSON Schema of vocabulary files, so that an editor completes keys and marks mistakes.

``python -m overread.vocab.jsonschema vocab/schema.json`` writes it after a change of the classes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from overread.vocab.schema import ContextFile, TopicFile


def schema_text() -> str:
    """The JSON Schema that accepts topic files and ``context.yaml``, as the text of a file.

    >>> json.loads(schema_text())["if"]
    {'required': ['cues']}
    """
    _, schema = models_json_schema(
        [(TopicFile, "validation"), (ContextFile, "validation")], ref_template="#/$defs/{model}"
    )
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "overread vocabulary file",
        # Not anyOf: an editor would then list the keys of both kinds of file as missing.
        "if": {"required": ["cues"]},
        "then": {"$ref": "#/$defs/ContextFile"},
        "else": {"$ref": "#/$defs/TopicFile"},
        "$defs": {name: _as_loaded(part) for name, part in schema["$defs"].items()},
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _as_loaded(node: Any) -> Any:
    """The node as the loader sees it: numbers, true and false are text, an empty value is none."""
    if isinstance(node, list):
        return [_as_loaded(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _as_loaded(value) for key, value in node.items() if key != "title"}
    if {"type": "null"} in node.get("anyOf", ()):
        del changed["anyOf"], changed["default"]
        changed |= _as_loaded(node["anyOf"][0])
    if node.get("type") == "string" and not node.keys() & {"enum", "pattern"}:
        changed["type"] = ["string", "number", "boolean"]
    return changed


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
