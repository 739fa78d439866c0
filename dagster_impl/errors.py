"""What an error says, without Dagster's wrapping."""

from dagster._utils.error import SerializableErrorInfo


def sentence(error: SerializableErrorInfo) -> str:
    """The message of the exception that the stage raised, without the name of its class."""
    while error.cause and error.cls_name and error.cls_name.startswith(("Dagster", "RetryRequested")):
        error = error.cause
    return error.message.strip().partition(": ")[2] or error.message.strip()
