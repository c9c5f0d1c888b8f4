"""The stream as an AsyncAPI 3.0 document: one channel, one message a type and version of event.

AsyncAPI has no binding for Kinesis; ``x-kinesis`` says what such a binding would.
Source: AsyncAPI specification 3.0.0, "Channel Object", "Message Object", "Multi Format Schema Object".
"""

from typing import Any

from schemas import codec
from schemas.registry import Registry

_SCHEMA_FORMAT = "application/schema+json;version=2020-12"
_KEY = "$message.payload#/partitionkey"


def document(registry: Registry, *, release: str) -> dict[str, Any]:
    """The AsyncAPI document; ``release`` is the version of the whole. It refers to the schemas beside it by file name."""
    messages = {f"{name}-{version}": _message(registry, name, version) for name, version in registry}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Findstream",
            "version": release,
            "description": (
                "All facts, as one stream of immutable events.\n\n"
                "Order is append order per partition key, and nothing is promised across keys. Delivery is at least once: drop "
                "what repeats an `id`. Types, versions, values and properties that you do not know will come; carry them through."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": codec.MEDIA_TYPE,
        "channels": {
            "facts": {
                "address": "findings",
                "title": "The event log",
                "description": "A Kinesis stream in production, an embedded SQLite log by default.",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
                "x-kinesis": {"partitionKey": _KEY, "aggregation": "KPL"},
            }
        },
        "operations": {
            "append": {
                "action": "send",
                "channel": {"$ref": "#/channels/facts"},
                "summary": "A fact is appended; it is durable before its producer hears so.",
            },
            "read": {
                "action": "receive",
                "channel": {"$ref": "#/channels/facts"},
                "summary": "Facts are read by shard, in order.",
            },
        },
        "components": {"messages": messages},
    }


def _message(registry: Registry, name: str, version: int) -> dict[str, Any]:
    body = registry.schema(name, version)
    return {
        "name": name,
        "title": f"{name}, version {version}",
        "summary": body["description"].partition("\n")[0],
        "contentType": codec.MEDIA_TYPE,
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": {
            "schemaFormat": _SCHEMA_FORMAT,
            "schema": {
                "allOf": [
                    {"$ref": "./envelope.json"},
                    {
                        "type": "object",
                        "properties": {
                            "type": {"const": name},
                            "schemaversion": {"const": version},
                            "data": {"$ref": f"./{name}-{version}.json"},
                        },
                    },
                ]
            },
        },
    }
