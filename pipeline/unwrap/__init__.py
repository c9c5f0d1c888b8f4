"""Out of bytes, lines and delivery wrappers: the single items in them, each with where it stood.

``documents`` finds the JSON documents in text, ``packing`` opens gzip and base64, ``wrappers`` takes off what SNS, SQS, Kinesis,
Firehose, CloudWatch Logs and batches put around an item.
"""
