from hypothesis import given
from hypothesis import strategies as st

from pipeline.log.port import Position
from projections.parking import batch, decode, encode, unpark
from projections.projection import Parked
from schemas.envelope import Envelope

TEXT = st.text(max_size=20)
ENVELOPES = st.builds(
    Envelope,
    **dict.fromkeys(("id", "type", "source", "account", "region", "subject", "summary", "source_id"), TEXT),
    **dict.fromkeys(("correlation_id", "causation_id"), TEXT),
    **dict.fromkeys(("version", "time_us", "severity"), st.integers(0, 2**62)),
    resources=st.lists(TEXT, max_size=3).map(tuple),
    body=st.binary(max_size=40) | st.just(b"\n{\n}\n"),
)


@given(ENVELOPES)
def test_a_parked_envelope_is_read_back_equal_whatever_its_body(event: Envelope) -> None:
    assert decode(encode(event)) == event


def test_the_header_is_a_line_of_json_and_the_body_stands_as_it_was() -> None:
    body = b'not json: "\xff\n'
    event = Envelope("1-x", "a.b", 1, 1, "s", "", "", "é", 0, "", ("r",), "", "", "", body)

    line, _, rest = encode(event).partition(b"\n")

    assert rest == body
    assert line.startswith(b'{"id":"1-x","type":"a.b","version":1,')


@given(ENVELOPES)
def test_a_parked_event_becomes_a_batch_of_one_again(event: Envelope) -> None:
    position = Position("s", 10**30, 4)

    (record,) = unpark(Parked("key", position, 77, encode(event), "Traceback")).records()

    assert record == batch(position, 77, event).record(0)
    assert (record.position, record.recorded_us, record.event) == (position, 77, event)
