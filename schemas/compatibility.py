"""Whether a published JSON Schema may become another: what breaks stored facts, or the people who read them.

Stored facts: the log holds its events for ever, so what was valid must stay valid: no property becomes required, no type,
              enum, bound or pattern narrower.
Readers:      what was promised to them must stay true: no property disappears or becomes optional, no type wider, no default
              another. They do meet new optional properties, new enum values and new branches of a union (a kind of finding).
Unions:       branches of a ``oneOf`` are taken to exclude each other, as a discriminator makes them.
Unknown keywords are compared for equality, so that a rule we lack refuses rather than lets pass.
Source: JSON Schema 2020-12, "A Vocabulary for Structural Validation"; the subset that pydantic writes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_ANNOTATIONS: Final = {
    "$comment", "$defs", "$id", "$schema", "contentMediaType", "deprecated", "description", "discriminator", "examples", "title",
}  # fmt: skip
_UNIONS: Final = ("anyOf", "oneOf")
_LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_COMPARED: Final = {
    *_ANNOTATIONS, *_UNIONS, *_LOWER_BOUNDS, *_UPPER_BOUNDS,
    "$ref", "additionalProperties", "const", "default", "enum", "items", "properties", "required", "type",
}  # fmt: skip
_ALL_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_JSON_TYPES: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}
_ABSENT: Final = object()


def breaches(old: Schema, new: Schema) -> list[str]:
    """Every way in which ``new`` breaks what ``old`` promised, as ``path: what``; empty if it may take its place."""
    return list(_Comparison(old, new).schemas(old, new, ""))


class _Comparison:
    """Two documents, so that references resolve each in its own."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._under_way: set[tuple[str, str]] = set()

    def schemas(self, old: Schema, new: Schema, path: str, *, branch: bool = False) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        yield from self._types(old, new, path, branch=branch)
        if any(union in schema for schema in (old, new) for union in _UNIONS):
            yield from self._branches(old, new, path)
        yield from _values(old, new, path)
        yield from _bounds(old, new, path)
        yield from self._properties(old, new, path)
        yield from self._additional(old, new, path)
        yield from self._items(old, new, path)
        for keyword in sorted((old.keys() | new.keys()) - _COMPARED | {"default"}):
            if old.get(keyword, _ABSENT) != new.get(keyword, _ABSENT):
                yield _at(path, f"{keyword} changed")
        self._under_way.discard(pair)

    def _types(self, old: Schema, new: Schema, path: str, *, branch: bool) -> Iterator[str]:
        before, after = _types(old, self._old), _types(new, self._new)
        if lost := before - after:
            yield _at(path, f"type narrowed: {_names(lost)} no longer allowed")
        if (gained := after - before) and not branch:  # of a branch the whole union tells
            yield _at(path, f"type widened: {_names(gained)} was never promised")

    def _branches(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        offered = _branches(new)
        if "oneOf" in new and "anyOf" in old:
            yield _at(path, "branches became exclusive")
        for number, one in enumerate(_branches(old)):
            found = min((list(self.schemas(one, other, path, branch=True)) for other in offered), key=len)
            if found:
                name = str(one.get("$ref", number)).rpartition("/")[2]
                yield from (f"{breach} (branch {name})" for breach in found)

    def _properties(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(before):
            inner = f"{path}.{name}".lstrip(".")
            if name not in after:
                yield _at(inner, "property removed")
                continue
            yield from self.schemas(before[name], after[name], inner)
        for name in sorted(needs - needed):
            yield _at(f"{path}.{name}".lstrip("."), "newly required")
        for name in sorted(needed - needs):
            yield _at(f"{path}.{name}".lstrip("."), "no longer required")

    def _additional(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if before is False or before == after:
            return
        if before is True or after is False:
            yield _at(path, "additional properties narrowed")
        else:
            yield from self.schemas(before, {} if after is True else after, f"{path}.*".lstrip("."))

    def _items(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        if "items" in old or "items" in new:
            yield from self.schemas(old.get("items", {}), new.get("items", {}), f"{path}[]")


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = _enumerated(old), _enumerated(new)
    if after is not None and before is None:
        yield _at(path, "values newly enumerated")
    elif after is not None and before is not None and (lost := [value for value in before if value not in after]):
        yield _at(path, f"values narrowed: {', '.join(map(repr, lost))} no longer allowed")


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for keyword in _LOWER_BOUNDS:
        if keyword in new and not old.get(keyword, float("-inf")) >= new[keyword]:
            yield _at(path, f"{keyword} raised to {new[keyword]}")
    for keyword in _UPPER_BOUNDS:
        if keyword in new and not old.get(keyword, float("inf")) <= new[keyword]:
            yield _at(path, f"{keyword} lowered to {new[keyword]}")


def _resolved(schema: Schema, root: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    target: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**_resolved(target, root), **{keyword: value for keyword, value in schema.items() if keyword != "$ref"}}


def _branches(schema: Schema) -> list[Schema]:
    return next((schema[union] for union in _UNIONS if union in schema), [schema])


def _types(schema: Schema, root: Schema) -> frozenset[str]:
    """The types that a schema lets pass; all, if it does not say."""
    schema = _resolved(schema, root)
    if "type" in schema:
        named = schema["type"]
        allowed = {named} if isinstance(named, str) else set(named)
        return frozenset(allowed | ({"integer"} if "number" in allowed else set()))
    if values := _enumerated(schema):
        return frozenset(_JSON_TYPES[type(value)] for value in values)
    branches = _branches(schema)
    if branches == [schema]:
        return _ALL_TYPES
    return frozenset().union(*(_types(branch, root) for branch in branches))


def _enumerated(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _names(types: frozenset[str]) -> str:
    return ", ".join(sorted(types))


def _at(path: str, what: str) -> str:
    return f"{path or 'the whole'}: {what}"
