"""What may go wrong in deploying, each told with what to do."""


class DeployError(Exception):
    """Base of these."""


class AccountUnreachable(DeployError):
    """No credentials, no region, or no way to AWS: see the message."""


class CallRefused(DeployError):
    """AWS refuses the call. If it lacks a permission, ``docs/deploying.md`` lists what a deployer needs."""


class NotBootstrapped(DeployError):
    """There is no bucket for code yet: ``make bootstrap``."""


class NothingBuilt(DeployError):
    """The file named is missing: ``make package`` builds it."""


class StackFailed(DeployError):
    """CloudFormation gave up and went back; the message lists the first reasons."""


class StackStuck(DeployError):
    """A failed creation is in the way: ``make destroy``, then deploy again."""


class ParameterRejected(DeployError):
    """Parameters are given as ``Name=value``, and must be those of the template."""


class StageProtected(DeployError):
    """Production is destroyed only if it is named twice: ``make destroy STAGE=prod ARGS=--really-prod``."""
