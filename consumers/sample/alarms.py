"""CloudWatch alarms that go to ALARM and back to OK, in the three shapes in which AWS tells it.

Shapes: Amazon EventBridge "CloudWatch Alarm State Change", the message that an alarm sends to Amazon SNS, and the invocation of
a Lambda function by an alarm. Source: Amazon CloudWatch User Guide, "Alarm events and EventBridge", "Invoke a Lambda function".
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from consumers.sample.template import Cycle, compiled, embedded
from consumers.sample.world import Place, hexes, uuid


class _Watch(NamedTuple):
    """What an alarm looks at. ``dimension`` is (name, value with a place for the team)."""

    title: str
    namespace: str
    metric: str
    dimension: tuple[str, str]
    statistic: str
    comparison: str
    threshold: float
    description: str


_GREATER: Final = "GreaterThanThreshold"
_WATCHES: Final = (
    _Watch("api-5xx", "AWS/ApiGateway", "5XXError", ("ApiName", "{team}-api"), "Sum", _GREATER, 25.0,
           "The {team} API answers with server errors. Look at the function's log first, then at the database."),
    _Watch("api-latency-p99", "AWS/ApiGateway", "Latency", ("ApiName", "{team}-api"), "p99", _GREATER, 60.0,
           "Callers of {team} wait too long. Usually a cold cache or a slow query."),
    _Watch("cpu-high", "AWS/EC2", "CPUUtilization", ("AutoScalingGroupName", "{team}-workers"), "Average", _GREATER, 70.0,
           "The workers of {team} are busy; scaling should follow within ten minutes."),
    _Watch("db-connections", "AWS/RDS", "DatabaseConnections", ("DBInstanceIdentifier", "{team}-db"), "Maximum", _GREATER, 72.0,
           "The connection pool of {team} is nearly used up. A leaking connection or a burst of workers."),
    _Watch("db-storage-low", "AWS/RDS", "FreeStorageSpace", ("DBInstanceIdentifier", "{team}-db"), "Average",
           "LessThanThreshold", 21474836480.0, "Less than 20 GiB left on the database of {team}: grow it today."),
    _Watch("queue-age", "AWS/SQS", "ApproximateAgeOfOldestMessage", ("QueueName", "{team}-jobs"), "Maximum", _GREATER, 65.0,
           "Jobs of {team} wait. Either the workers are down or a job cannot be digested."),
    _Watch("dead-letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName", "{team}-jobs-dead"), "Maximum",
           _GREATER, 0.0, "Jobs of {team} were given up. Read one, mend the cause, redrive the rest."),
    _Watch("function-errors", "AWS/Lambda", "Errors", ("FunctionName", "{team}-handler"), "Sum", _GREATER, 5.0,
           "The handler of {team} raises exceptions."),
    _Watch("function-throttles", "AWS/Lambda", "Throttles", ("FunctionName", "{team}-handler"), "Sum", _GREATER, 1.0,
           "The handler of {team} is throttled: the account's concurrency is used up."),
    _Watch("stream-iterator-age", "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", ("StreamName", "{team}-events"),
           "Maximum", _GREATER, 60000.0, "A consumer of {team} falls behind its stream."),
)  # fmt: skip


def alarms(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Every alarm of every place. Most arrive by EventBridge, some by SNS and some by an invocation."""
    shapes = (_eventbridge, _eventbridge, _eventbridge, _sns, _lambda)
    found = []
    for place in places:
        for watch in _WATCHES:
            shape = rng.choice(shapes)
            found.append(Cycle(place.account, [compiled(document) for document in shape(rng, place, watch)]))
    return found


def _reason(watch: _Watch, state: str, value: str) -> str:
    crossed = "was greater than" if watch.comparison == _GREATER else "was less than"
    if state == "OK":
        crossed = "was not greater than" if watch.comparison == _GREATER else "was not less than"
    points = f"1 out of the last 1 datapoints [{value} («before»)] {crossed} the threshold ({watch.threshold})"
    return f"Threshold Crossed: {points} (minimum 1 datapoint for the transition to {state})."


def _transitions(watch: _Watch) -> Iterator[tuple[str, str, str]]:
    """(state, previous state, reason) of the alarm's life, which begins with an alarm."""
    yield "ALARM", "OK", _reason(watch, "ALARM", "«value»")
    yield "OK", "ALARM", _reason(watch, "OK", "«low»")


def _dimension(place: Place, watch: _Watch) -> tuple[str, str]:
    return watch.dimension[0], watch.dimension[1].format(team=place.team)


def _reason_data(watch: _Watch) -> str:
    return embedded(
        {
            "version": "1.0",
            "queryDate": "«stamp»+0000",
            "startDate": "«before»",
            "statistic": watch.statistic,
            "period": 300,
            "recentDatapoints": ["«#value»"],
            "threshold": watch.threshold,
            "evaluatedDatapoints": [{"timestamp": "«before»", "sampleCount": 5.0, "value": "«#value»"}],
        }
    )


def _configuration(rng: Random, place: Place, watch: _Watch) -> dict[str, Any]:
    name, value = _dimension(place, watch)
    metric = {"namespace": watch.namespace, "name": watch.metric, "dimensions": {name: value}}
    return {
        "description": watch.description.format(team=place.team),
        "metrics": [
            {"id": uuid(rng), "metricStat": {"metric": metric, "period": 300, "stat": watch.statistic}, "returnData": True}
        ],
    }


def _eventbridge(rng: Random, place: Place, watch: _Watch) -> Iterator[dict[str, Any]]:
    name = f"{place.name}-{watch.title}"
    configuration = _configuration(rng, place, watch)
    for state, previous, reason in _transitions(watch):
        detail = {
            "alarmName": name,
            "state": {"value": state, "reason": reason, "reasonData": _reason_data(watch), "timestamp": "«stamp»+0000"},
            "previousState": {"value": previous, "reason": _reason(watch, previous, "«low»"), "timestamp": "«before»"},
            "configuration": configuration,
        }
        yield place.event("aws.cloudwatch", "CloudWatch Alarm State Change", [place.arn("cloudwatch", f"alarm:{name}")], detail)


def _lambda(rng: Random, place: Place, watch: _Watch) -> Iterator[dict[str, Any]]:
    name = f"{place.name}-{watch.title}"
    configuration = _configuration(rng, place, watch)
    for state, previous, reason in _transitions(watch):
        yield {
            "source": "aws.cloudwatch",
            "alarmArn": place.arn("cloudwatch", f"alarm:{name}"),
            "accountId": place.account,
            "time": "«stamp»+0000",
            "region": place.region,
            "alarmData": {
                "alarmName": name,
                "state": {"value": state, "reason": reason, "reasonData": _reason_data(watch), "timestamp": "«stamp»+0000"},
                "previousState": {"value": previous, "reason": _reason(watch, previous, "«low»"), "timestamp": "«before»"},
                "configuration": configuration,
            },
        }


def _sns(rng: Random, place: Place, watch: _Watch) -> Iterator[dict[str, Any]]:
    name = f"{place.name}-{watch.title}"
    topic = place.arn("sns", f"{place.team}-alarms")
    dimension, value = _dimension(place, watch)
    subscription = f"{topic}:{uuid(rng)}"
    signature = hexes(rng, 128)
    for state, previous, reason in _transitions(watch):
        message = {
            "AlarmName": name,
            "AlarmDescription": watch.description.format(team=place.team),
            "AWSAccountId": place.account,
            "AlarmConfigurationUpdatedTimestamp": "«before»",
            "NewStateValue": state,
            "NewStateReason": reason,
            "StateChangeTime": "«stamp»+0000",
            "Region": place.region,
            "AlarmArn": place.arn("cloudwatch", f"alarm:{name}"),
            "OldStateValue": previous,
            "OKActions": [topic],
            "AlarmActions": [topic],
            "InsufficientDataActions": [],
            "Trigger": {
                "MetricName": watch.metric,
                "Namespace": watch.namespace,
                "StatisticType": "Statistic",
                "Statistic": watch.statistic.upper(),
                "Unit": None,
                "Dimensions": [{"value": value, "name": dimension}],
                "Period": 300,
                "EvaluationPeriods": 1,
                "DatapointsToAlarm": 1,
                "ComparisonOperator": watch.comparison,
                "Threshold": watch.threshold,
                "TreatMissingData": "missing",
                "EvaluateLowSampleCountPercentile": "",
            },
        }
        yield {
            "Type": "Notification",
            "MessageId": "«id»",
            "TopicArn": topic,
            "Subject": f'{state}: "{name}" in {place.region}',
            "Message": embedded(message),
            "Timestamp": "«stamp»Z",
            "SignatureVersion": "1",
            "Signature": signature,
            "UnsubscribeURL": f"https://sns.{place.region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}",
        }
