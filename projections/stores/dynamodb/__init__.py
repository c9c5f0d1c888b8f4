"""The store on AWS: every generation in one DynamoDB table, each commit one transaction."""

from projections.stores.dynamodb.keeping import Keeping
from projections.stores.dynamodb.layout import EVERY_LANE, Lane
from projections.stores.dynamodb.store import DynamoStore

__all__ = ["EVERY_LANE", "DynamoStore", "Keeping", "Lane"]
