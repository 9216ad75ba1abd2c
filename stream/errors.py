"""All errors, by whose problem they are.

InterestStreamError
├── ConfigError   the operator's: stop at start-up, exit code 2
│   └── TokenError  no access token: later in the run, clients try again as after a lost connection
├── EventError    one record's: dead-letter it and go on
├── AwayError     another system's, for a while: try again
└── StateError    ours or the disk's: stop before anything is written
"""


class InterestStreamError(Exception):
    """The root of all errors that this project raises on purpose."""


class ConfigError(InterestStreamError):
    """A setting, a broker or a topic is not as it must be; the operator can mend it."""


class TokenError(ConfigError, ConnectionError):
    """The token endpoint gives no token. Kafka's clients take a `ConnectionError` for one to try again after."""


class EventError(InterestStreamError):
    """One record cannot be used.

    Attributes:
        reason: a short stable word for metrics and the dead letter's header, such as `not_json`.
        detail: one sentence: what was expected, what was got.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class AwayError(InterestStreamError):
    """Another system does not answer; it may again.

    Attributes:
        who: the system, and where it is.
        why: what was heard from it.
    """

    def __init__(self, who: str, why: str) -> None:
        super().__init__(f"{who} does not answer: {why}")
        self.who = who
        self.why = why


class StateError(InterestStreamError):
    """The saved or live state contradicts itself; going on could lose or double events."""
