"""What can break in the keeping of jobs. The docstring says when, then what the operator does."""

from pipeline.errors import PipelineError


class JobsError(PipelineError):
    """The base of all below."""


class JobsUnavailable(JobsError):
    """Jobs cannot be read or written just now (locked, full disk, network). Do: mend the cause that the message names."""


class JobsUnreadable(JobsError):
    """The file of jobs is damaged. Do: move it away; jobs are asked for again."""


class JobTaken(JobsError):
    """Another worker has taken the job over, or it is settled: what this one does for it is lost. Do: nothing."""


class JobTooLarge(JobsError):
    """A job's result is larger than can be kept. Do: ask for less: fewer rules, a shorter stretch."""
