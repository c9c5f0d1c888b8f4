"""Builds what runs on Lambda: a zip for the central functions and one for the agent's collector.

Contents: our code, what it needs (``infra/*/requirements.lock``, with hashes), and compiled code beside it.
Same in, same out: names sorted, times and modes fixed, so that a zip is named by its hash and an unchanged one is not deployed.
"""
