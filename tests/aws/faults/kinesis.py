"""How Kinesis fails, in its own words.

Sources: Amazon Kinesis Data Streams API Reference, "PutRecords", "GetRecords"; Developer Guide, "Handle duplicate records".
"""

import copy

from tests.aws.faults.connection import refused
from tests.aws.faults.exchange import Answer, Call, Fault, answer

THROTTLED = "ProvisionedThroughputExceededException"
_CODES = (THROTTLED, "InternalFailure")


def throttled() -> Fault:
    """The whole call is over the shard's limit."""
    return refused(THROTTLED)


def expired_iterator() -> Fault:
    """The iterator is older than five minutes."""
    return refused("ExpiredIteratorException")


def partial_failure(share: float = 0.5) -> Fault:
    """PutRecords stores some records and answers the others with an error code.

    Each record fails with probability ``share``, and at least one does. The answers stand in the order of the request.
    """

    def play(call: Call) -> Answer:
        asked = call.request.json
        count = len(asked["Records"])
        failed = {index for index in range(count) if call.dice.random() < share} or {call.dice.randrange(count)}
        kept = [record for index, record in enumerate(asked["Records"]) if index not in failed]
        stored = call.pass_on(call.request.with_json({**asked, "Records": kept})) if kept else answer({"Records": []})
        if not stored.ok:
            return stored
        told = stored.json
        answers = iter(told["Records"])
        told["Records"] = [_failure(call) if index in failed else next(answers) for index in range(count)]
        told["FailedRecordCount"] = sum("ErrorCode" in record for record in told["Records"])
        return stored.with_json(told)

    return Fault("partial failure", play)


def _failure(call: Call) -> dict[str, str]:
    return {"ErrorCode": call.dice.choice(_CODES), "ErrorMessage": "Injected."}


def empty() -> Fault:
    """GetRecords gives nothing and says that the reader is at the tip (``MillisBehindLatest`` 0), though there may be more.

    The next iterator is the same one, so that nothing is passed over.
    """

    def play(call: Call) -> Answer:
        iterator = call.request.json["ShardIterator"]
        return answer({"Records": [], "NextShardIterator": iterator, "MillisBehindLatest": 0})

    return Fault("empty", play)


def repeated() -> Fault:
    """GetRecords gives its records, and an iterator that will give them again.

    An end of the shard is told all the same.
    """

    def play(call: Call) -> Answer:
        given = call.passed_on()
        told = given.json if given.ok else {}
        if not told.get("NextShardIterator"):
            return given
        return given.with_json({**told, "NextShardIterator": call.request.json["ShardIterator"]})

    return Fault("repeated", play)


def doubled() -> Fault:
    """GetRecords gives its records twice in one answer, one run after the other, with the same sequence numbers."""

    def play(call: Call) -> Answer:
        given = call.passed_on()
        if not given.ok:
            return given
        told = given.json
        return given.with_json({**told, "Records": [*told["Records"], *copy.deepcopy(told["Records"])]})

    return Fault("doubled", play)


def stored_twice() -> Fault:
    """The put is done twice, as when a producer tries again after a time-out; the second answer is told."""

    def play(call: Call) -> Answer:
        call.passed_on()
        return call.passed_on()

    return Fault("stored twice", play)
