"""What may go wrong in building a package."""


class PackageError(Exception):
    """Base of these."""


class InstallRefused(PackageError):
    """pip did not fetch what the lock names, and says why. Look for a network, and a wheel for this Python and processor."""


class PackageTooLarge(PackageError):
    """Lambda would refuse the zip: it unpacks to more than 250 MB (AWS Lambda Developer Guide, "Lambda quotas")."""
