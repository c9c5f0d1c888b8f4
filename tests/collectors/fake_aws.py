"""The parts of CloudWatch Logs, Lambda and EventBridge that an agent meets, in memory, as strict as AWS about what it is sent."""

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pipeline.collectors.bus_events import Line
from pipeline.collectors.place import Place

ACCOUNT = "111122223333"
REGION = "eu-west-1"
BUS_REGION = "eu-central-1"
BUS_ARN = f"arn:aws:events:{BUS_REGION}:999988887777:event-bus/findstream"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:findstream-agent"
PLACE = Place("aws", REGION, ACCOUNT, FUNCTION_ARN)
NOON = 1_772_625_600
"""2026-03-04T12:00:00Z."""

_QUERY = re.compile(r"fields @timestamp, @message, @logStream, @log \| filter @message like /(.*)/ \| sort @timestamp asc")


def refused(code: str, status: int = 400) -> ClientError:
    """What a call raises that AWS answers with this code."""
    answer: Any = {"Error": {"Code": code, "Message": f"{code} it is"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Call")


def line(seconds: float, message: str = "ERROR it broke", group: str = "/aws/lambda/orders", stream: str = "s/1") -> Line:
    """A line, so many seconds after noon."""
    return Line(group, stream, round((NOON + seconds) * 1000), message)


@dataclass
class Clock:
    """Seconds since noon. Whoever sleeps moves it."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.seconds += seconds

    def now_ms(self) -> int:
        return round((NOON + self.seconds) * 1000)


@dataclass
class FakeLogs:
    """Log groups with lines. A query takes the longest of its groups' ``seconds``, each half a second unless told."""

    clock: Clock
    lines: list[Line] = field(default_factory=list)
    classes: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    faults: deque[Exception] = field(default_factory=deque)
    """What the next calls about queries raise."""
    describing: deque[Exception] = field(default_factory=deque)
    at_once: int = 30
    page: int = 2

    def __post_init__(self) -> None:
        self.queries: dict[str, dict[str, Any]] = {}
        self.stopped: list[str] = []
        self.most_at_once = 0

    def add(self, *lines: Line) -> None:
        self.lines += lines
        for found in lines:
            self.classes.setdefault(found.group, "STANDARD")

    def describe_log_groups(self, **page: Any) -> Any:
        if self.describing:
            raise self.describing.popleft()
        names = sorted(name for name in self.classes if name.startswith(page.get("logGroupNamePrefix", "")))
        at = int(page.get("nextToken", 0))
        answer: dict[str, Any] = {
            "logGroups": [{"logGroupName": name, "logGroupClass": self.classes[name]} for name in names[at : at + self.page]]
        }
        return answer | ({"nextToken": str(at + self.page)} if at + self.page < len(names) else {})

    def start_query(self, **query: Any) -> Any:
        if self.faults:
            raise self.faults.popleft()
        running = [name for name in self.queries if name not in self.stopped and not self._ended(name)]
        if len(running) >= self.at_once:
            raise refused(code="LimitExceededException")
        groups = query["logGroupNames"]
        assert 1 <= len(groups) <= 10
        if any(name not in self.classes for name in groups):
            raise refused(code="ResourceNotFoundException")
        classes = {self.classes[name] for name in groups}
        if "DELIVERY" in classes or len(classes) > 1:
            raise refused(code="InvalidParameterException")
        self.most_at_once = max(self.most_at_once, len(running) + 1)
        name = f"query-{len(self.queries)}"
        self.queries[name] = query | {"ends": self.clock.seconds + max(self.seconds.get(group, 0.5) for group in groups)}
        return {"queryId": name}

    def get_query_results(self, **asked: Any) -> Any:
        if self.faults:
            raise self.faults.popleft()
        name = asked["queryId"]
        query = self.queries[name]
        assert name not in self.stopped
        if not self._ended(name):
            return {"status": "Running", "results": []}
        if self.broken & set(query["logGroupNames"]):
            return {"status": "Failed", "results": []}
        found = list(self._matching(query))
        rows, at = found[: query["limit"]], int(asked.get("nextToken", 0))
        answer = {
            "status": "Complete",
            "results": [self._row(found) for found in rows[at : at + self.page]],
            "statistics": {"recordsMatched": float(len(found))},
        }
        return answer | ({"nextToken": str(at + self.page)} if at + self.page < len(rows) else {})

    def stop_query(self, **asked: Any) -> Any:
        self.stopped.append(asked["queryId"])
        if self._ended(asked["queryId"]):
            raise refused(code="InvalidParameterException")
        return {"success": True}

    def _ended(self, name: str) -> bool:
        return bool(self.clock.seconds >= self.queries[name]["ends"])

    def _matching(self, query: dict[str, Any]) -> Iterator[Line]:
        parts = _QUERY.fullmatch(query["queryString"])
        assert parts
        pattern = re.compile(parts[1].replace(r"\/", "/"))
        for found in sorted(self.lines, key=lambda line: line.time_ms):
            inside = query["startTime"] * 1000 <= found.time_ms <= query["endTime"] * 1000
            if inside and found.group in query["logGroupNames"] and pattern.search(found.message):
                yield found

    @staticmethod
    def _row(found: Line) -> list[dict[str, str]]:
        moment = datetime.fromtimestamp(found.time_ms // 1000, UTC)
        told = {
            "@timestamp": f"{moment:%Y-%m-%d %H:%M:%S}.{found.time_ms % 1000:03d}",
            "@message": found.message,
            "@logStream": found.stream,
            "@log": f"{ACCOUNT}:{found.group}",
            "@ptr": "differs from query to query",
        }
        return [{"field": name, "value": value} for name, value in told.items()]


@dataclass
class FakeFunctions:
    """Lambda functions: names, or names with the log group of their own."""

    functions: dict[str, str | None] = field(default_factory=dict)
    page: int = 2

    def list_functions(self, **page: Any) -> Any:
        names, at = list(self.functions), int(page.get("Marker", 0))
        answer: dict[str, Any] = {"Functions": [self._told(name) for name in names[at : at + self.page]]}
        return answer | ({"NextMarker": str(at + self.page)} if at + self.page < len(names) else {})

    def _told(self, name: str) -> dict[str, Any]:
        group = self.functions[name]
        return {"FunctionName": name} | ({"LoggingConfig": {"LogFormat": "JSON", "LogGroup": group}} if group else {})


@dataclass
class FakeBus:
    """A bus that refuses what AWS would refuse. ``scripted`` are answers for calls to come: an exception, or error codes."""

    scripted: deque[Exception | Sequence[str]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.delivered: list[dict[str, Any]] = []

    def put_events(self, *, Entries: Any) -> Any:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        assert sum(map(size, Entries)) < 262_144
        self.calls.append(Entries)
        answer = self.scripted.popleft() if self.scripted else ()
        if isinstance(answer, Exception):
            raise answer
        codes = [*answer, *[""] * (len(Entries) - len(answer))]
        return {"Entries": [self._answer(entry, code) for entry, code in zip(Entries, codes, strict=True)]}

    def _answer(self, entry: dict[str, Any], code: str) -> dict[str, Any]:
        if code:
            return {"ErrorCode": code, "ErrorMessage": "not today"}
        assert entry["EventBusName"] == BUS_ARN
        number = len(self.delivered)
        self.delivered.append(
            {
                "version": "0",
                "id": f"00000000-0000-4000-8000-{number:012d}",
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": ACCOUNT,
                "time": f"{entry['Time']:%Y-%m-%dT%H:%M:%SZ}",
                "region": BUS_REGION,
                "resources": entry["Resources"],
                "detail": json.loads(entry["Detail"]),
            }
        )
        return {"EventId": self.delivered[-1]["id"]}

    def of(self, detail_type: str) -> list[dict[str, Any]]:
        """The details of the events of a type, in order."""
        return [event["detail"] for event in self.delivered if event["detail-type"] == detail_type]

    @property
    def messages(self) -> list[str]:
        return [detail["message"] for detail in self.of("Error Log Line")]


def size(entry: dict[str, Any]) -> int:
    """Bytes of an entry, by the code in "Calculating PutEvents event entry size"."""
    texts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"]]
    return 14 + sum(len(text.encode()) for text in texts)
