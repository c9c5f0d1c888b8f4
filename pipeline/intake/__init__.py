"""Findings from the ingest queue, to which EventBridge rules deliver."""
