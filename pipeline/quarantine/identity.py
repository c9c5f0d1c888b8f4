"""Under which id a reject is kept: the same bad item, told twice, is one."""

import re
from hashlib import sha256

from pipeline.quarantine.port import Reject


def item_id(reject: Reject) -> str:
    """The id under which ``reject`` is kept: 32 hexadecimal digits, of the payload and the kind of origin.

    The kind is what stands before the first ``:`` or space: the file of ``file:line``, ``http``, ``log``.
    """
    kind = re.split("[: ]", reject.origin, maxsplit=1)[0]
    return sha256(kind.encode() + b"\0" + reject.payload).hexdigest()[:32]
