"""Every example of the Amazon EventBridge User Guide, page "Comparison operators for use in event patterns", and what the pages

"Creating Amazon EventBridge event patterns", "Arrays in Amazon EventBridge event patterns" and "Null values and empty strings in
Amazon EventBridge event patterns" say of values; and the examples of the README of event-ruler, which EventBridge is made of. For
each: a pattern, an event that it matches, and one that it does not.
"""

from typing import Any

import pytest

from consumers.rules.pattern import compiled
from tests.rules.reference import matches

EC2 = {
    "version": "0",
    "id": "3e3c153a-8339-4e30-8c35-687ebef853fe",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2017-10-02T18:43:48Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-abcd1111", "state": "running", "c-count": 5, "d-count": 9, "x-limit": 301.8},
}


def detail(**given: Any) -> dict[str, Any]:
    return {"detail": {name.replace("_", "-"): value for name, value in given.items()}}


SUMMARY = {
    "and": (
        {"Location": ["New York"], "Day": ["Monday"]},
        {"Location": "New York", "Day": "Monday"},
        {"Location": "New York", "Day": "Sunday"},
    ),
    "anything-but": ({"state": [{"anything-but": "initializing"}]}, {"state": "running"}, {"state": "initializing"}),
    "anything-but (begins with)": (
        {"Region": [{"anything-but": {"prefix": "us-"}}]},
        {"Region": "eu-west-1"},
        {"Region": "us-east-1"},
    ),
    "anything-but (ends with)": (
        {"FileName": [{"anything-but": {"suffix": ".png"}}]},
        {"FileName": "a.txt"},
        {"FileName": "a.png"},
    ),
    "anything-but (ignore case)": (
        {"state": [{"anything-but": {"equals-ignore-case": "initializing"}}]},
        {"state": "running"},
        {"state": "INITIALIZING"},
    ),
    "anything-but using a wildcard": (
        {"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]},
        {"FilePath": "/usr/bin/x"},
        {"FilePath": "/usr/lib/x"},
    ),
    "begins with": ({"Region": [{"prefix": "us-"}]}, {"Region": "us-east-1"}, {"Region": "eu-us-1"}),
    "begins with (ignore case)": (
        {"service": [{"prefix": {"equals-ignore-case": "eventb"}}]},
        {"service": "EventBridge"},
        {"service": "events"},
    ),
    "empty": ({"LastName": [""]}, {"LastName": ""}, {"LastName": None}),
    "equals": ({"Name": ["Alice"]}, {"Name": "Alice"}, {"Name": "alice"}),
    "equals (ignore case)": ({"Name": [{"equals-ignore-case": "alice"}]}, {"Name": "ALICE"}, {"Name": "alicia"}),
    "ends with": ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.png"}, {"FileName": "a.PNG"}),
    "ends with (ignore case)": (
        {"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]},
        {"service": "EVENTBRIDGE"},
        {"service": "tbridges"},
    ),
    "exists": ({"ProductName": [{"exists": True}]}, {"ProductName": None}, {"Product": "x"}),
    "does not exist": ({"ProductName": [{"exists": False}]}, {"Product": "x"}, {"ProductName": ""}),
    "not": ({"Weather": [{"anything-but": ["Raining"]}]}, {"Weather": "Sunny"}, {"Weather": "Raining"}),
    "null": ({"UserID": [None]}, {"UserID": None}, {"UserID": "null"}),
    "numeric (equals)": ({"Price": [{"numeric": ["=", 100]}]}, {"Price": 1e2}, {"Price": "100"}),
    "numeric (range)": ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 20}, {"Price": 10}),
    "or": ({"PaymentType": ["Credit", "Debit"]}, {"PaymentType": "Debit"}, {"PaymentType": "Cash"}),
    "or (several fields)": (
        {"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]},
        {"Location": "Rome", "Day": "Monday"},
        {"Location": "Rome"},
    ),
    "wildcard": ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/a/b.png"}, {"FileName": "dirs/b.png"}),
}

SECTIONS = {
    "prefix": ({"time": [{"prefix": "2017-10-02"}]}, EC2, EC2 | {"time": "2017-10-03T00:00:00Z"}),
    "suffix ignoring case": (
        {"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]},
        {"FileName": "a.PnG"},
        {"FileName": "a.pngs"},
    ),
    "anything-but text": (detail(state=[{"anything-but": "initializing"}]), EC2, detail(state="initializing")),
    "anything-but a number": (detail(x_limit=[{"anything-but": 123}]), EC2, detail(x_limit=123)),
    "anything-but texts": (detail(state=[{"anything-but": ["stopped", "overloaded"]}]), EC2, detail(state="overloaded")),
    "anything-but numbers": (detail(x_limit=[{"anything-but": [100, 200, 300]}]), EC2, detail(x_limit=300.0)),
    "anything-but texts of any case": (
        detail(state=[{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]),
        EC2,
        detail(state="STOPPED"),
    ),
    "anything-but prefixes": (detail(state=[{"anything-but": {"prefix": ["init", "stop"]}}]), EC2, detail(state="stopping")),
    "anything-but suffixes": (
        {"FileName": [{"anything-but": {"suffix": [".txt", ".rtf"]}}]},
        {"FileName": "a.png"},
        {"FileName": "a.rtf"},
    ),
    "anything-but wildcards": (
        {"FilePath": [{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]},
        {"FilePath": "/etc/x"},
        {"FilePath": "/usr/bin/x"},
    ),
    "numeric": (
        detail(c_count=[{"numeric": [">", 0, "<=", 5]}], d_count=[{"numeric": ["<", 10]}], x_limit=[{"numeric": ["=", 3.018e2]}]),
        EC2,
        EC2 | detail(c_count=6, d_count=9, x_limit=301.8),
    ),
    "addresses": (
        detail(sourceIPAddress=[{"cidr": "10.0.0.0/24"}]),
        detail(sourceIPAddress="10.0.0.255"),
        detail(sourceIPAddress="10.0.1.0"),
    ),
    "addresses of version 6": (detail(ip=[{"cidr": "2001:db8::/32"}]), detail(ip="2001:DB8:0::1"), detail(ip="2001:db9::1")),
    "exists": (
        {"detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": [{"exists": True}]}},
        EC2,
        {**EC2, "detail": {}},
    ),
    "exists is about leaves": (detail(c_count=[{"exists": False}]), detail(c_count={"c1": 100}), EC2),
    "equals-ignore-case": (
        {"detail-type": [{"equals-ignore-case": "ec2 instance state-change notification"}]},
        EC2,
        EC2 | {"detail-type": "EC2 Instance"},
    ),
    "wildcards": (
        {"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]},
        {"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/orders"},
        {"EventBusArn": "arn:aws:events:us-east-1:123456789012:rule/orders"},
    ),
    "a wildcard that is not one": (
        {"FileName": [{"wildcard": "EventBridge\\*"}]},
        {"FileName": "EventBridge*"},
        {"FileName": "EventBridge1"},
    ),
    "a backslash in a wildcard": (
        {"FileName": [{"wildcard": "c:\\\\*.txt"}]},
        {"FileName": "c:\\a.txt"},
        {"FileName": "c:a.txt"},
    ),
    "several kinds": (
        {
            "time": [{"prefix": "2017-10-02"}],
            "detail": {
                "state": [{"anything-but": "initializing"}],
                "c-count": [{"numeric": [">", 0, "<=", 5]}],
                "d-count": [{"numeric": ["<", 10]}],
                "x-limit": [{"anything-but": [100, 200, 300]}],
            },
        },
        EC2,
        EC2 | detail(state="running", c_count=5, d_count=10, x_limit=301.8),
    ),
    "$or": (
        {
            "detail": {
                "$or": [
                    {"c-count": [{"numeric": [">", 0, "<=", 5]}]},
                    {"d-count": [{"numeric": ["<", 10]}]},
                    {"x-limit": [{"numeric": ["=", 3.018e2]}]},
                ]
            }
        },
        detail(x_limit=301.8),
        detail(x_limit=301.9),
    ),
    "$or beside a field": (
        {
            "source": ["aws.cloudwatch"],
            "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}],
        },
        {"source": "aws.cloudwatch", "namespace": "AWS/ES"},
        {"source": "aws.ec2", "namespace": "AWS/ES"},
    ),
    "$or with and inside": (
        {
            "source": ["aws.cloudwatch"],
            "$or": [
                {"metricName": ["CPUUtilization"]},
                {"metricType": ["MetricType"], "namespace": ["AWS/EC2"], "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]},
                {"scope": ["Service"]},
            ],
        },
        {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2", "spaceId": 1000},
        {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2"},
    ),
}

METRIC = {"metricName": ["CPUUtilization", "ReadLatency"]}
NAMESPACE = {"namespace": ["AWS/EC2", "AWS/ES"]}
README = {
    "values in several fields": (
        {
            "detail-type": ["EC2 Instance State-change Notification"],
            "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
            "detail": {"state": ["initializing", "running"]},
        },
        EC2,
        EC2 | {"resources": []},
    ),
    "prefix ignoring case": ({"source": [{"prefix": {"equals-ignore-case": "AWS"}}]}, EC2, EC2 | {"source": "our.aws"}),
    "suffix": ({"source": [{"suffix": "ec2"}]}, EC2, EC2 | {"source": "aws.ec2x"}),
    "suffix ignoring case": ({"source": [{"suffix": {"equals-ignore-case": "EC2"}}]}, EC2, EC2 | {"source": "aws.ec"}),
    "prefixes are of texts": ({"detail": {"c-count": [{"prefix": "5"}]}}, detail(c_count="5x"), EC2),
    "wildcards within a name": (
        {"source": [{"wildcard": "Simple*Service"}]},
        {"source": "SimpleQueueService"},
        {"source": "SimpleQueue"},
    ),
    "anything-but a prefix or another": (
        detail(state=[{"anything-but": {"prefix": ["init", "error"]}}]),
        EC2,
        detail(state="error: none"),
    ),
    "anything-but a suffix": (
        {"detail": {"instance-id": [{"anything-but": {"suffix": "1234"}}]}},
        EC2,
        detail(instance_id="i-1234"),
    ),
    "anything-but a suffix or another": (
        {"detail": {"instance-id": [{"anything-but": {"suffix": ["1234", "6789"]}}]}},
        EC2,
        detail(instance_id="i-6789"),
    ),
    "anything-but a text of any case, written with capitals": (
        detail(state=[{"anything-but": {"equals-ignore-case": ["Stopped", "OverLoaded"]}}]),
        EC2,
        detail(state="overloaded"),
    ),
    "anything-but a wildcard in the middle": (
        detail(state=[{"anything-but": {"wildcard": "*/bin/*.jar"}}]),
        detail(state="/bin/a.class"),
        detail(state="/usr/bin/a.jar"),
    ),
    "anything-but a wildcard or another": (
        detail(state=[{"anything-but": {"wildcard": ["*/bin/*.jar", "*/bin/*.class"]}}]),
        detail(state="/lib/a.jar"),
        detail(state="/bin/a.class"),
    ),
    "exists": (detail(c_count=[{"exists": True}]), EC2, detail(c_count={"c1": 100})),
    "does not exist": (detail(c_count=[{"exists": False}]), detail(state=["initializing", "running"]), EC2),
    "several kinds, an address among them": (
        {
            "time": [{"prefix": "2017-10-02"}],
            "detail": {
                "state": [{"anything-but": "initializing"}],
                "c-count": [{"numeric": [">", 0, "<=", 5]}],
                "d-count": [{"numeric": ["<", 10]}],
                "x-limit": [{"anything-but": [100, 200, 300]}],
                "source-ip": [{"cidr": "10.0.0.0/8"}],
            },
        },
        EC2 | detail(state="running", c_count=5, d_count=9, x_limit=301.8, source_ip="10.255.0.1"),
        EC2 | detail(state="running", c_count=5, d_count=9, x_limit=301.8, source_ip="11.0.0.1"),
    ),
    "$or beside $or": (
        {"$or": [METRIC, NAMESPACE], "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"detail-type": ["Alarm"]}]}},
        {"namespace": "AWS/ES", "detail": {"detail-type": "Alarm"}},
        {"namespace": "AWS/ES", "detail": {"detail-type": "Other"}},
    ),
    "$or of an and": (
        {"source": ["aws.cloudwatch"], "$or": [METRIC, {"metricType": ["MetricType"], **NAMESPACE}, {"scope": ["Service"]}]},
        {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2"},
        {"source": "aws.cloudwatch", "metricType": "MetricType"},
    ),
}

VALUES = {
    "a pattern for ended instances": (
        {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": ["terminated"]}},
        EC2 | detail(state="terminated"),
        EC2,
    ),
    "an array of the event": (
        {"resources": ["arn:aws:ec2:us-east-1:1:instance/i-b188560f", "arn:aws:ec2:us-east-1:2:instance/i-b188560f"]},
        {"resources": ["arn:aws:autoscaling:us-east-1:1:x", "arn:aws:ec2:us-east-1:2:instance/i-b188560f"]},
        {"resources": ["arn:aws:autoscaling:us-east-1:1:x"]},
    ),
    "null and empty text are two": (
        {"detail": {"eventVersion": [""], "responseElements": [None]}},
        {"detail": {"eventVersion": "", "responseElements": None}},
        {"detail": {"eventVersion": None, "responseElements": ""}},
    ),
    "a number is no text": ({"n": [300]}, {"n": 300.0}, {"n": "300"}),
    "an account is text": ({"account": ["123456789012"]}, EC2, EC2 | {"account": 123456789012}),
    "a large number": ({"n": [123456789012]}, {"n": 123456789012}, {"n": 123456789013}),
    "true is no number": ({"n": [1]}, {"n": 1}, {"n": True}),
    "one is not true": ({"n": [True]}, {"n": True}, {"n": 1}),
    "case": ({"s": ["Running"]}, {"s": "Running"}, {"s": "running"}),
    "elements of one array": (
        {"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}},
        {"employees": [{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}]},
        {"employees": [{"firstName": "Anna", "lastName": "Doe"}, {"firstName": "John", "lastName": "Smith"}]},
    ),
    "arrays in arrays": (
        {"a": {"b": ["x"], "c": ["y"]}},
        {"a": [[{"b": "z"}], [{"b": "x", "c": "y"}]]},
        {"a": [[{"b": "x"}, {"c": "y"}]]},
    ),
    "an array's own values": ({"a": ["x"]}, {"a": [["y"], ["x"]]}, {"a": [{"x": "x"}]}),
    "$or within one element": (
        {"a": {"b": ["x"], "$or": [{"c": ["y"]}, {"d": ["y"]}]}},
        {"a": [{"b": "x", "d": "y"}]},
        {"a": [{"b": "x"}, {"c": "y"}]},
    ),
    "an element that a field beside $or shares": (
        {"a": {"b": ["x"]}, "$or": [{"a": {"c": ["y"]}}, {"z": ["y"]}]},
        {"a": [{"b": "x", "c": "y"}]},
        {"a": [{"b": "x"}, {"c": "y"}]},
    ),
    "absent from the element": (
        {"a": {"b": ["x"], "c": [{"exists": False}]}},
        {"a": [{"b": "x"}, {"c": 1}]},
        {"a": [{"b": "x", "c": 1}]},
    ),
    "absent from all elements": (
        {"a": {"c": [{"exists": False}]}},
        {"a": [{"b": "x"}, {"b": "y"}]},
        {"a": [{"b": "x"}, {"c": 1}]},
    ),
    "an empty array has no value": ({"a": [{"exists": False}]}, {"a": []}, {"a": [None]}),
    "absent or one of some": ({"a": [{"exists": False}, "x"]}, {"b": 1}, {"a": "y"}),
    "absent inside of what is no object": ({"a": {"b": [{"exists": False}]}}, {"a": "text"}, {"a": {"b": "text"}}),
    "anything-but wants a value": ({"a": [{"anything-but": "x"}]}, {"a": None}, {"b": "y"}),
    "anything-but among several": ({"a": [{"anything-but": "x"}]}, {"a": ["x", "y"]}, {"a": ["x", "x"]}),
    "anything-but numbers lets texts be": ({"a": [{"anything-but": 1}]}, {"a": "1"}, {"a": 1.0}),
    "beyond five thousand million nothing is compared": (
        {"n": [{"numeric": [">", 0]}]},
        {"n": 5_000_000_000},
        {"n": 5_000_000_001},
    ),
    "an address however it is written": ({"ip": ["2001:db8::1"]}, {"ip": "2001:0DB8:0:0::1"}, {"ip": "2001:db8::2"}),
    "an address that is none": ({"ip": [{"cidr": "0.0.0.0/0"}]}, {"ip": "1.2.3.4"}, {"ip": "1.2.3.400"}),
    "no address of the other version": ({"ip": [{"cidr": "::/0"}]}, {"ip": "::1"}, {"ip": "1.2.3.4"}),
    "letters beyond ASCII": ({"s": [{"equals-ignore-case": "straße"}]}, {"s": "STRASSE"}, {"s": "strasse"}),
    "a sign that only looks alike": ({"s": [{"equals-ignore-case": "k"}]}, {"s": "K"}, {"s": "\N{KELVIN SIGN}"}),
    "the exact operator": ({"s": [{"exactly": "x"}]}, {"s": "x"}, {"s": "X"}),
    "wildcards that share letters": ({"s": [{"wildcard": "ab*ba"}]}, {"s": "abba"}, {"s": "aba"}),
    "an empty wildcard": ({"s": [{"wildcard": ""}]}, {"s": ""}, {"s": "x"}),
    "dots in a name are the name's": ({"a.b": ["x"]}, {"a.b": "x"}, {"a": {"b": "x"}}),
    "$or with several layers": (
        {"$or": [{"a": [1]}, {"a": [2]}], "b": {"$or": [{"c": [1]}, {"d": [1]}]}},
        {"a": 2, "b": {"d": 1}},
        {"a": 3, "b": {"d": 1}},
    ),
}

EXAMPLES: dict[str, tuple[Any, Any, Any]] = {
    **SUMMARY,
    **{f"section: {name}": example for name, example in SECTIONS.items()},
    **{f"readme: {name}": example for name, example in README.items()},
    **VALUES,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pattern_matches_as_the_page_says(name: str) -> None:
    pattern, good, bad = EXAMPLES[name]

    match = compiled(pattern)

    assert (match(good), match(bad)) == (True, False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_reference_matches_as_the_page_says(name: str) -> None:
    pattern, good, bad = EXAMPLES[name]

    assert (matches(pattern, good), matches(pattern, bad)) == (True, False)
