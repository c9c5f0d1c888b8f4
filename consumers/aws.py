"""How the consumers' parts on AWS are opened from the settings. Only doors use this.

Nothing that is opened here needs to be closed.
"""

import random
import time

from consumers.draw import draw_id
from consumers.jobs.dynamodb import DynamoJobs
from consumers.notifier.channels.remote_trial import CALLS, RemoteTrial
from consumers.notifier.ledger.dynamodb import DynamoLedger
from consumers.notifier.timer import Timer
from consumers.people.dynamodb import DynamoPeople
from consumers.people.secret_keys import SecretKeys
from pipeline.bodies.log import LogWithBodies
from pipeline.desks.desk import Desk
from pipeline.log.kinesis import Kind, quarantining
from pipeline.log.port import Log
from pipeline.opening import client, dynamo_desks, dynamo_quarantine, kinesis_log, name_in, now_us, s3_bodies, url_of
from pipeline.quarantine.port import Quarantine
from pipeline.settings import Settings
from projections.catalog import Catalog
from projections.opening import dynamo_store
from projections.stores.dynamodb import DynamoStore


def quarantine_of(settings: Settings) -> Quarantine:
    """The quarantine that the settings name."""
    return dynamo_quarantine(url_of(settings, "store_url"))


def log_of(settings: Settings, quarantine: Quarantine) -> Log:
    """The log that the settings name, with bodies where they name some. Damaged records are quarantined when they are read."""
    keep = quarantining(quarantine, kinds=frozenset(Kind) - {Kind.FOREIGN, Kind.STRAY})
    log = kinesis_log(url_of(settings, "log_url"), keep, compress_bodies=settings.compress_bodies)
    return LogWithBodies(log, s3_bodies(settings.bodies_url)) if settings.bodies_url else log


def ledger_of(settings: Settings) -> DynamoLedger:
    """The notifier's ledger, in the table that the settings name."""
    return DynamoLedger(client("dynamodb"), name_in(url_of(settings, "store_url")), dice=random.Random())  # noqa: S311 -- jitter


def timer_of(settings: Settings) -> Timer:
    """What wakes the notifier, by the queue that the settings name."""
    return Timer(client("sqs"), url_of(settings, "notifier_timer_url"), now_us)


def remote_trial_of(settings: Settings) -> RemoteTrial | None:
    """What tries channels by the function that the settings name; None if they name none."""
    function = settings.notifier_function
    return RemoteTrial(lambda: client("lambda", CALLS), function) if function else None


def people_of(settings: Settings) -> DynamoPeople:
    """The store of people, in the table that the settings name."""
    return DynamoPeople(client("dynamodb"), name_in(url_of(settings, "store_url")), dice=random.Random())  # noqa: S311 -- jitter


def jobs_of(settings: Settings) -> DynamoJobs:
    """Where long work is kept that was asked for, in the table that the settings name."""
    return DynamoJobs(client("dynamodb"), name_in(url_of(settings, "store_url")), dice=random.Random())  # noqa: S311 -- jitter


def keys_of(settings: Settings) -> SecretKeys:
    """The keys that sign tokens, in the secret that the settings name."""
    return SecretKeys(client("secretsmanager"), url_of(settings, "signing_keys_secret"), clock=now_us)


def store_of(settings: Settings) -> DynamoStore:
    """The generations in the table that the settings name, for writers of whole generations and for readers."""
    return dynamo_store(url_of(settings, "store_url"), retention_days=settings.retention_days)


def desk_of(settings: Settings) -> Desk:
    """Where commands are carried out, over the table that the settings name."""
    recorders = dynamo_desks(url_of(settings, "store_url"))
    return Desk(
        recorders.events,
        recorders.snapshots,
        clock=now_us,
        new_id=draw_id,
        pause=time.sleep,
        dice=random.Random(),  # noqa: S311 -- jitter
    )


def catalog_of(settings: Settings, log: Log) -> Catalog:
    """The read side over what serves now; for a function's whole life, so nobody closes it."""
    return Catalog(store_of(settings), log, retention_days=settings.retention_days)
