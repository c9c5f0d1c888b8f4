"""What the command line knows of runs over history: who asks for one, and whether one can be taken up."""

from collections.abc import Iterator

from consumers.cli.kept_tokens import KeptTokens
from consumers.cli.output import moment, remark
from consumers.composition import open_people
from consumers.errors import Refused
from consumers.rules.history.standing import touches
from consumers.rules.history.strand import Stretch
from pipeline.settings import Settings
from projections.alert_pages import Alert, AlertQuery
from projections.catalog import Catalog

_PAGE = 200


def author(settings: Settings) -> str:
    """The id of whoever is signed in to the server of these settings; "" with a remark if that is nobody."""
    kept = KeptTokens(settings.server_url).read()
    if kept is not None:
        with open_people(settings) as people:
            user = people.users.find(kept.email)
        if user is not None:
            return user.id
    remark("nobody is signed in here, so the run will name nobody; findstream login EMAIL")
    return ""


def check(catalog: Catalog, run_id: str, rule_id: str, asked: Stretch) -> None:
    """Raise ``Refused`` if this run was asked something else, as far as what it told shows; remark if it told nothing."""
    for rule in catalog.rules():
        for run in rule.runs:
            if run.run_id == run_id:
                _expect(run_id, rule.id, Stretch(run.since_us, run.until_us), rule_id, asked)
                return
    raised = False
    for alert in _raised(catalog, run_id):
        raised = True
        if alert.rule_id != rule_id or not touches(_window(alert), alert.time_us, asked):
            message = (
                f"run {run_id} raised an alert of {alert.rule_id} at {moment(alert.time_us)}, which is not what is asked now;"
                " ask for the same, or leave --run away"
            )
            raise Refused(message)
    if not raised:
        remark(f"nothing is known of run {run_id} so far: it begins now")


def _expect(run_id: str, rule_id: str, judged: Stretch, asked_rule: str, asked: Stretch) -> None:
    if (rule_id, judged.since_us, judged.until_us) != (asked_rule, asked.since_us, asked.until_us):
        span = f"{moment(judged.since_us)} to {moment(judged.until_us)}"
        message = f"run {run_id} was one of {rule_id}, from {span}; ask for the same, or leave --run away"
        raise Refused(message)


def _raised(catalog: Catalog, run_id: str) -> Iterator[Alert]:
    """The alerts that a run has raised, as far as they are folded."""
    cursor = ""
    while True:
        page = catalog.alerts(AlertQuery(run_id=run_id, limit=_PAGE, cursor=cursor))
        yield from page.alerts
        cursor = page.next
        if not cursor:
            return


def _window(alert: Alert) -> dict[str, int] | None:
    return {"since_us": alert.window_us[0], "until_us": alert.window_us[1]} if alert.window_us else None
