"""What every answer that is data forbids browsers: to run, frame, sniff or keep it.

Source: OWASP REST Security Cheat Sheet, "Security Headers"; CSP Level 3.
"""

from typing import Final

PROTECTING: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
