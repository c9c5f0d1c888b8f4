"""Copies of the embedded data, taken while everything runs, and put back whole."""
