"""What each kind of finding says: its severity, subject, one-line summary, resources and facts. One module a kind, no I/O.

``forms`` recognises an item by its shape, ``kinds`` chooses the reader of a finding by its source, and the readers tell.
Readers never fail on odd content: what a detail does not say stays out. Headers (account, region, time, source) must be right.
"""
