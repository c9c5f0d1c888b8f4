from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.compatibility import breaches

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
NOTHING = {"type": "null"}


def whole(*required: str, **properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def kind(name: str, *required: str, **properties: object) -> dict[str, Any]:
    return whole("kind", *required, kind={"const": name, "type": "string"}, **properties)


def referring(**definitions: object) -> dict[str, Any]:
    return {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions], "$defs": definitions}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(whole("a", a=TEXT), whole("a", a=TEXT, b=NUMBER), id="new optional property"),
        pytest.param(TEXT | {"title": "A"}, TEXT | {"title": "B", "description": "C", "examples": ["d"]}, id="other words"),
        pytest.param({"enum": ["a"]}, {"enum": ["a", "b"]}, id="new value"),
        pytest.param({"const": "a"}, {"enum": ["b", "a"]}, id="a second value"),
        pytest.param({"enum": ["a"]}, TEXT, id="any value of the type"),
        pytest.param(TEXT | {"maxLength": 5, "minLength": 2}, TEXT | {"maxLength": 6}, id="wider bounds"),
        pytest.param(NUMBER | {"minimum": 0, "exclusiveMaximum": 9}, NUMBER | {"minimum": -1}, id="wider numbers"),
        pytest.param({"type": "object", "additionalProperties": False}, {"type": "object"}, id="open to more properties"),
        pytest.param(referring(A=kind("a")), referring(A=kind("a"), B=kind("b")), id="new kind"),
        pytest.param(referring(A=kind("a")), referring(Z=kind("z"), Renamed=kind("a")), id="renamed definition"),
        pytest.param({"anyOf": [TEXT, NOTHING]}, {"type": ["null", "string"]}, id="the same types in other words"),
    ],
)
def test_what_neither_facts_nor_readers_feel_is_allowed(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert breaches(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (whole(a=TEXT), whole(), ["a: property removed"]),
        (whole("a", a=TEXT), whole(), ["a: property removed", "a: no longer required"]),
        (whole(a=TEXT), whole("a", a=TEXT), ["a: newly required"]),
        (whole(), whole("b", b=TEXT), ["b: newly required"]),
        (whole("a", a=TEXT), whole(a=TEXT), ["a: no longer required"]),
        (whole(a=NUMBER), whole(a={"type": "integer"}), ["a: type narrowed: number no longer allowed"]),
        (whole(a={"type": "integer"}), whole(a=NUMBER), ["a: type widened: number was never promised"]),
        (whole(a=whole(b=TEXT)), whole(a=whole(b=TEXT | {"maxLength": 3})), ["a.b: maxLength lowered to 3"]),
        (NUMBER | {"minimum": 0}, NUMBER | {"minimum": 1}, ["the whole: minimum raised to 1"]),
        (NUMBER | {"exclusiveMinimum": 0}, NUMBER | {"minimum": 0}, ["the whole: minimum raised to 0"]),
        (TEXT, TEXT | {"minLength": 1}, ["the whole: minLength raised to 1"]),
        (TEXT, TEXT | {"pattern": "^a"}, ["the whole: pattern changed"]),
        (TEXT | {"pattern": "^a"}, TEXT | {"pattern": "^b"}, ["the whole: pattern changed"]),
        (TEXT | {"format": "date"}, TEXT, ["the whole: format changed"]),
        (TEXT | {"default": ""}, TEXT | {"default": "-"}, ["the whole: default changed"]),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}, ["the whole: uniqueItems changed"]),
        ({"enum": ["a", "b"]}, {"enum": ["a", "c"]}, ["the whole: values narrowed: 'b' no longer allowed"]),
        ({"enum": ["a", 1]}, {"enum": ["a"]}, [
            "the whole: type narrowed: integer no longer allowed",
            "the whole: values narrowed: 1 no longer allowed",
        ]),
        (TEXT, {"const": "a"}, ["the whole: values newly enumerated"]),
        ({"type": "object"}, {"type": "object", "additionalProperties": NUMBER}, ["the whole: additional properties narrowed"]),
        (
            {"type": "object", "additionalProperties": NUMBER},
            {"type": "object", "additionalProperties": False},
            ["the whole: additional properties narrowed"],
        ),
        (
            whole(a={"type": "object", "additionalProperties": NUMBER}),
            whole(a={"type": "object", "additionalProperties": TEXT}),
            ["a.*: type narrowed: integer, number no longer allowed", "a.*: type widened: string was never promised"],
        ),
        (
            {"type": "object", "additionalProperties": {"type": ["array", "boolean", "null", "number", "object"]}},
            {"type": "object"},
            ["*: type widened: string was never promised"],
        ),
        (
            whole(a={"type": "array", "items": NUMBER}),
            whole(a={"type": "array", "items": TEXT}),
            ["a[]: type narrowed: integer, number no longer allowed", "a[]: type widened: string was never promised"],
        ),
        ({"anyOf": [TEXT, NOTHING]}, TEXT, [
            "the whole: type narrowed: null no longer allowed",
            "the whole: type narrowed: null no longer allowed (branch 1)",
        ]),
        ({"anyOf": [TEXT, NOTHING]}, {"oneOf": [TEXT, NOTHING]}, ["the whole: branches became exclusive"]),
        (
            referring(A=kind("a"), B=kind("b")),
            referring(A=kind("a")),
            ["kind: values narrowed: 'b' no longer allowed (branch B)"],
        ),
        (
            referring(A=kind("a", x=TEXT), B=kind("b")),
            referring(A=kind("a", "x", x=TEXT), B=kind("b")),
            ["x: newly required (branch A)"],
        ),
    ],
)  # fmt: skip
def test_what_breaks_facts_or_readers_is_named(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert breaches(old, new) == expected


def test_schemas_that_refer_to_themselves_are_compared() -> None:
    def tree(leaf: object) -> dict[str, Any]:
        children = {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
        return {"$ref": "#/$defs/Tree", "$defs": {"Tree": whole("leaf", leaf=leaf, children=children)}}

    assert breaches(tree(TEXT), tree(TEXT)) == []
    assert breaches(tree(TEXT), tree(NUMBER))[0] == "leaf: type narrowed: string no longer allowed"


_names = st.sampled_from("ab")
_low, _high = st.integers(0, 2), st.integers(3, 5)
_leaves: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"type": "null"}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": _low, "maxLength": _high}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])}, optional={"minimum": _low, "exclusiveMaximum": _high}
    ),
    st.lists(st.sampled_from(["", "a", 1, None]), min_size=1, max_size=3, unique=True).map(lambda values: {"enum": values}),
    st.just({}),
)


def _wider(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(_names, inner, max_size=2)
    objects = st.builds(
        lambda held, needed: whole(*sorted(needed & held.keys()), **held), properties, st.frozensets(_names)
    ) | inner.map(lambda values: {"type": "object", "additionalProperties": values})
    arrays = st.builds(
        lambda items, bounds: {"type": "array", "items": items} | bounds,
        inner,
        st.fixed_dictionaries({}, optional={"maxItems": _low}),
    )
    return objects | arrays | st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches})


_schemas = st.recursive(_leaves, _wider, max_leaves=5)
_values = st.recursive(
    st.sampled_from([None, "", "a", "aaa", 0, 1, 2, 3, 0.5, 2.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=2),
    max_leaves=5,
)


def _changed(schema: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """A neighbour of ``schema``: so near that the comparison often lets it pass."""
    changed = {
        key: value for key, value in schema.items() if data.draw(st.integers(0, 9)) or key in {"type", "properties", "enum"}
    }
    if "properties" in changed:
        changed["properties"] = {name: _changed(inner, data) for name, inner in changed["properties"].items()}
        if data.draw(st.booleans()):
            changed["properties"].setdefault(data.draw(_names), data.draw(_leaves))
    for key in ("minLength", "maxLength", "minimum", "exclusiveMaximum", "maxItems"):
        if key in changed and data.draw(st.booleans()):
            changed[key] = data.draw(_low | _high)
    if "enum" in changed or not data.draw(st.integers(0, 9)):
        known = st.sampled_from([*changed.get("enum", ["", 1]), "b", 2])
        changed["enum"] = data.draw(st.lists(known, min_size=1, max_size=5))
    if "required" in changed and not data.draw(st.integers(0, 3)):
        changed["required"] = [name for name in "ab" if name in changed["properties"]]
    for key in ("items", "additionalProperties"):
        if isinstance(changed.get(key), dict):
            changed[key] = _changed(changed[key], data)
    if "anyOf" in changed:
        changed["anyOf"] = [_changed(branch, data) for branch in changed["anyOf"]]
    return changed


def _facts(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that are valid under ``schema`` and hold no property that it does not declare: producing refuses those."""
    found = _values
    match schema:
        case {"enum": values}:
            found = st.sampled_from(values)
        case {"anyOf": branches}:
            found = st.one_of(*map(_facts, branches))
        case {"type": "null"}:
            found = st.none()
        case {"type": "string"}:
            found = st.text("ab", min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 6))
        case {"type": "integer" | "number" as name}:
            found = st.integers(schema.get("minimum", -1), schema.get("exclusiveMaximum", 7) - 1)
            found = found if name == "integer" else found | found.map(lambda number: number + 0.5)
        case {"type": "array", "items": items}:
            found = st.lists(_facts(items), max_size=schema.get("maxItems", 6))
        case {"properties": properties, "required": needed}:
            held = {name: _facts(inner) for name, inner in properties.items()}
            found = st.fixed_dictionaries({name: held.pop(name) for name in needed}, optional=held)
        case {"additionalProperties": values}:
            found = st.dictionaries(_names, _facts(values), max_size=2)
    return found


@given(st.data())
def test_what_was_valid_stays_valid_under_every_change_that_is_let_pass(data: st.DataObject) -> None:
    old = data.draw(_schemas)
    new = _changed(old, data)
    fact = data.draw(_facts(old))

    assert Draft202012Validator(old).is_valid(fact)
    compatible, still_valid = not breaches(old, new), Draft202012Validator(new).is_valid(fact)
    event(f"compatible: {compatible}, changed: {old != new}, still valid: {still_valid}")
    assert still_valid or not compatible


@given(_schemas)
def test_every_schema_may_take_its_own_place(schema: dict[str, Any]) -> None:
    assert breaches(schema, schema) == []
