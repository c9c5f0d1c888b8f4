from tests.aws.faults.connection import internal_failure, refused
from tests.aws.faults.exchange import Answer, Request, answer
from tests.aws.faults.script import ANY, Rule, Script


def request(operation: str) -> Request:
    return Request("POST", "/", {"x-amz-target": f"Kinesis_20131202.{operation}"}, b"{}")


def done(_: Request) -> Answer:
    return answer({})


def outcomes(script: Script, *operations: str) -> list[bool]:
    """Which of these calls went through."""
    return [script.play(request(operation), done).ok for operation in operations]


def test_a_rule_strikes_calls_of_its_operation_only() -> None:
    script = Script(Rule("PutRecords", internal_failure()))

    assert outcomes(script, "PutRecords", "GetRecords") == [False, True]


def test_a_rule_for_any_operation_strikes_them_all() -> None:
    assert outcomes(Script(Rule(ANY, internal_failure())), "PutRecords", "GetRecords") == [False, False]


def test_a_rule_rests_after_its_times() -> None:
    assert outcomes(Script(Rule("PutRecords", internal_failure(), times=2)), *["PutRecords"] * 4) == [False, False, True, True]


def test_a_rule_skips_the_first_calls() -> None:
    script = Script(Rule("PutRecords", internal_failure(), skip=2))

    assert outcomes(script, "PutRecords", "GetRecords", "PutRecords", "PutRecords") == [True, True, True, False]


def test_of_two_rules_that_strike_the_first_is_played_and_counted() -> None:
    script = Script(Rule("PutRecords", refused("Early"), times=1), Rule("PutRecords", refused("Late")))

    outcomes(script, "PutRecords", "PutRecords", "PutRecords")

    assert script.injected == {"Early": 1, "Late": 2}
    assert script.calls == {"PutRecords": 3}


def test_the_same_seed_strikes_the_same_calls() -> None:
    def run(seed: int) -> list[bool]:
        return outcomes(Script(Rule("PutRecords", internal_failure(), rate=0.5), seed=seed), *["PutRecords"] * 64)

    assert run(7) == run(7)
    assert run(7) != run(8)
    assert 16 < sum(run(7)) < 48


def test_one_rule_more_does_not_move_the_dice_of_the_others() -> None:
    rule = Rule("PutRecords", internal_failure(), rate=0.5)
    alone, accompanied = Script(rule, seed=1), Script(rule, Rule("GetRecords", internal_failure(), rate=0.5), seed=1)

    assert outcomes(alone, *["PutRecords"] * 32) == outcomes(accompanied, *["PutRecords", "GetRecords"] * 32)[::2]


def test_in_quiet_nothing_goes_wrong() -> None:
    script = Script(Rule("PutRecords", internal_failure()))

    with script.quiet():
        quiet = outcomes(script, "PutRecords")

    assert [*quiet, *outcomes(script, "PutRecords")] == [True, False]
