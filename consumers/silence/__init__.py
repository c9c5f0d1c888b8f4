"""Agents that fell silent."""
