"""Puts stacks into an account, and takes them out again: change sets, through boto3.

``make bootstrap package deploy logs destroy`` say it shorter; ``docs/deploying.md`` tells the whole way.
"""
