"""How watched accounts are reached, and what is watched there: each configuration as it stands, without secrets.

Key:    the configuration (the event's subject).
Order:  log order within one, which is the order of its versions.
Replay: folding the log again gives equal rows.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows
from projections.reading import Configuration
from schemas.registry import REGISTRY

if TYPE_CHECKING:
    from schemas.config import ConfigChanged


class Configurations:
    """The fold: a document a configuration."""

    name: ClassVar[str] = "configuration"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {"config.changed": 1}

    def parking_key(self, batch: Batch, index: int) -> str:
        """A configuration's later events wait behind one that cannot be folded."""
        return batch.columns.subject[index]

    def fold(self, _rows: Rows, batch: Batch) -> Changes:
        """Keep the newest document of each: an event tells it whole."""
        documents = {}
        for index, subject in enumerate(batch.columns.subject):
            event = batch.envelope(index)
            body = cast("ConfigChanged", REGISTRY.parse(event))  # what is folded has one version
            documents[subject] = {**body.model_dump(mode="json"), "updated_us": event.time_us}
        return Changes(documents=documents)


def shown(documents: Iterable[Document]) -> list[Configuration]:
    """The configurations, by kind and id."""
    found = [
        Configuration(
            kind=d["config"],
            id=d["config_id"],
            document=d["document"],
            version=d["version"],
            updated_us=d["updated_us"],
            updated_by=d["by"],
        )
        for d in documents
    ]
    return sorted(found, key=lambda one: (one.kind, one.id))
