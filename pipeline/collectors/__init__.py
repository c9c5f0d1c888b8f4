"""What runs in a watched account: error lines of its logs and a heartbeat, put on the central event bus.

``handler`` is the door. It stands alone: of findstream it imports only ``pipeline.errors``, so that it starts fast.
"""
