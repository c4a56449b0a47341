"""The JSON Schema of a config, made from the same types that configs are read into.

msgspec makes the schema of each simple type; structs are walked here, since their defaults may be durations (which
msgspec cannot write into a schema), and since a config may give a single value for a list.
"""

from __future__ import annotations

import types
from typing import Any, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct, structs

from statusboard._config.looks import Glyphs, ThemeOptions
from statusboard._config.secrets import REFERENCES
from statusboard._config.sections import EnvironmentOptions, ServiceOptions
from statusboard._config.types import BoardOptions, SourceClass
from statusboard._config.views import ViewOptions
from statusboard._config.wall import WallOptions
from statusboard.binding import MAPPINGS, SEQUENCES, UNIONS, sequence_of, unwrap
from statusboard.clock import Duration, duration_enc_hook
from statusboard.errors import ConfigError
from statusboard.model import Severity
from statusboard.noticing.options import NoticesOptions
from statusboard.registry import COMMON_OPTIONS, Registry
from statusboard.weights import Weights

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = {
    "type": ["string", "number"],
    "pattern": r"^(\d+(\.\d+)?(ms|[wdhms]) ?)+$",
    "examples": ["30s", "5m"],
}
_REFERENCE = {"type": "string", "pattern": "^(env|file|keyring):."}


def schema_of(registry: Registry) -> dict[str, Any]:
    """The schema; types that cannot be loaded are left out, their sources then match nothing."""
    definitions: dict[str, Any] = {}
    for name in registry.names():
        try:
            definitions[f"source-{name}"] = _source(name, registry.load(name))
        except ConfigError:
            continue
    sources = [{"$ref": f"#/$defs/{name}"} for name in definitions]
    named = {"type": "object"}
    listed = {"type": ["array", "null"]}
    properties = {
        "board": _struct(BoardOptions),
        "environments": {**named, "additionalProperties": _nullable(_struct(EnvironmentOptions))},
        "services": {**named, "additionalProperties": _nullable(_struct(ServiceOptions))},
        "severities": {**named, "additionalProperties": of_type(Severity)},
        "sources": {**listed, "items": {"oneOf": sources}},
        "views": {**listed, "items": _struct(ViewOptions)},
        "wall": _nullable(_struct(WallOptions)),
        "notices": _nullable(_struct(NoticesOptions)),
        "goals": {**named, "additionalProperties": _goals()},
        "suspects": _nullable(_struct(Weights)),
        "include": of_type(tuple[str, ...]),
        "keys": {**named, "additionalProperties": of_type(tuple[str, ...])},
        "theme": {"type": "string"},
        "themes": {**named, "additionalProperties": _nullable(_struct(ThemeOptions))},
        "glyphs": of_type(Glyphs),
        "secrets": {**of_type(tuple[str, ...]), "description": "secrets that included files may use"},
    }
    return {
        "$schema": DIALECT,
        "title": "statusboard",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _goals() -> dict[str, Any]:
    """The goals of one team."""
    from statusboard.metrics.goals import EXAMPLES, NAMES
    from statusboard.metrics.kinds import DEFINITIONS

    properties = {
        name: {"type": "string", "description": DEFINITIONS[metric].title, "examples": [EXAMPLES[metric]]}
        for name, metric in NAMES.items()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _source(name: str, cls: SourceClass) -> dict[str, Any]:
    schema = _struct(cls.Options)
    properties = schema["properties"]
    for key, description in COMMON_OPTIONS.items():
        properties[key].setdefault("description", description)
    properties["url"]["type"] = "string"
    for key in REFERENCES:
        properties[key].update(_REFERENCE)
    properties["type"] = {"const": name, "description": cls.summary or COMMON_OPTIONS["type"]}
    kind = {"enum": sorted(cls.kinds)}
    properties["kinds"]["anyOf"] = [{"type": "array", "items": kind}, kind, {"type": "null"}]
    properties["interval"]["default"] = str(Duration(cls.default_interval))
    if cls.default_url:
        properties["url"]["default"] = cls.default_url
    elif cls.needs_url:
        schema["required"].append("url")
    return schema


def _struct(cls: type[Struct]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in structs.fields(cls):
        properties[field.encode_name] = of_type(field.type)
        if field.required:
            required.append(field.encode_name)
        elif field.default not in (NODEFAULT, None, "", ()) and not isinstance(field.default, Struct):
            default = msgspec.json.decode(msgspec.json.encode(field.default, enc_hook=duration_enc_hook))
            properties[field.encode_name]["default"] = default
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def of_type(wanted: Any) -> dict[str, Any]:
    """The schema of one option's type."""
    inner, metas = unwrap(wanted)
    schema = _of_inner(inner, wanted)
    for meta in metas:
        if meta.description:
            schema["description"] = meta.description
    return schema


def _of_inner(inner: Any, wanted: Any) -> dict[str, Any]:
    origin = get_origin(inner) or inner
    if inner is Any:
        return {}
    if inner is Duration:
        return dict(_DURATION)
    if isinstance(inner, type) and issubclass(inner, Struct):
        return _struct(inner)
    if origin in UNIONS:
        members = [of_type(m) for m in get_args(inner) if m is not types.NoneType]
        return members[0] if len(members) == 1 else {"anyOf": members}
    if origin in SEQUENCES:
        item = of_type(sequence_of(inner)[1])
        return {"anyOf": [{"type": "array", "items": item}, item, {"type": "null"}]}
    if origin in MAPPINGS:
        value = of_type((get_args(inner) or (str, Any))[1])
        return {"type": ["object", "null"], "additionalProperties": value}
    schema = msgspec.json.schema(wanted)
    if inner is str and schema.get("type") == "string":
        schema["type"] = ["string", "number"]  # a number is taken for its text
    return schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": ["object", "null"]}
