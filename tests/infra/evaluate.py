"""CloudFormation's functions, worked out: what a template asks for, given its parameters.

``Evaluated(template, parameters)["Stream"]`` are the properties of that resource. What only a deployment knows stays a word:
``Ref Stream``, ``Stream.Arn``, unless ``names`` tells it. Resources and list entries whose condition does not hold are absent.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z0-9.:]+)\}")
_NOTHING: Final = object()


class Evaluated(Mapping[str, dict[str, Any]]):
    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
        *,
        stack: str = "stack",
    ) -> None:
        self._template = template
        self._names = names or {}
        given = {name: each["Default"] for name, each in template.get("Parameters", {}).items() if "Default" in each}
        pseudo = {"Region": REGION, "AccountId": ACCOUNT, "Partition": "aws", "URLSuffix": "amazonaws.com", "StackName": stack}
        self._values = given | (dict(parameters or {})) | {f"AWS::{name}": value for name, value in pseudo.items()}
        self._resources = {name: each for name, each in template["Resources"].items() if self._holds(each.get("Condition"))}

    def __getitem__(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.value(self._resources[name].get("Properties", {}))
        return properties

    def __iter__(self) -> Iterator[str]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def type(self, name: str) -> str:
        return str(self._resources[name]["Type"])

    def of(self, *types: str) -> dict[str, dict[str, Any]]:
        """The resources of these types, with their properties."""
        return {name: self[name] for name in self if self.type(name) in types}

    def value(self, asked: Any) -> Any:  # noqa: C901, PLR0911  # a case for each of CloudFormation's functions
        match asked:
            case {"Ref": "AWS::NoValue"}:
                return _NOTHING
            case {"Ref": name}:
                return self._ref(name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(f"{name}.{attribute}")
            case {"Fn::Sub": str(text)}:
                return _VARIABLE.sub(lambda found: str(self._word(found[1])), text)
            case {"Fn::If": [condition, true, false]}:
                return self.value(true if self._holds(condition) else false)
            case {"Fn::FindInMap": [mapping, first, second]}:
                return self._template["Mappings"][mapping][self.value(first)][self.value(second)]
            case {"Fn::Join": [glue, words]}:
                return glue.join(map(str, self.value(words)))
            case {"Fn::Equals": [left, right]}:
                return self.value(left) == self.value(right)
            case {"Fn::Not": [inner]}:
                return not self.value(inner)
            case dict():
                worked = {key: self.value(each) for key, each in asked.items()}
                return {key: each for key, each in worked.items() if each is not _NOTHING}
            case list():
                return [each for each in map(self.value, asked) if each is not _NOTHING]
            case _:
                return asked

    def _holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.value(self._template["Conditions"][condition]))

    def _word(self, name: str) -> Any:
        return self._attribute(name) if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        return self._values[name] if name in self._values else self._names.get(name, f"Ref {name}")

    def _attribute(self, name: str) -> str:
        return self._names.get(name, name)
