"""Has the stream changed? A Page-Hinkley test on the prequential loss, and what learning does about it. Pure functions.

The loss of each batch before it is learned is compared with its own running mean, in standard deviations. What exceeds
the slack adds up (Page 1954, Hinkley 1971); beyond the threshold it is an alarm, and mean and deviation start afresh.
The deviation is that between successive batches (von Neumann 1941), so that a loss that still falls does not widen it.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

import numpy as np

from models.config import ModelConfig
from models.saving import Array, Saved, State

SLACK = 1.0  # deviations above the mean that are no news; in 204,892 events of a steady shop these never added up to 10
HALF_LIFE = 15  # observations after which one counts half; the loss rises slowly by itself while a catalogue grows
FULL_RATIO = 0.75  # of a batch makes an observation: examples without a window have no loss
SKIPPED = 5  # observations at first, of a model that knows nothing or was just surprised
SETTLING = 30  # observations before mean and deviation are believed
NO_ALARM = -1


@dataclass(frozen=True)
class DriftPolicy:
    """When to raise an alarm, and what it changes.

    Attributes:
        threshold: sum of deviations, less the slack of each, that is an alarm; 0 never raises one.
        batch_size: examples whose mean loss is one observation.
        rate_factor: what learning rates are multiplied by after an alarm; falls to 1 over `reaction_events`.
        recent_share: share of replayed examples drawn from those of after the change; lasts as long.
        reaction_events: examples learned after an alarm until everything is as it was.
    """

    threshold: float
    batch_size: int
    rate_factor: float
    recent_share: float
    reaction_events: int


@dataclass(frozen=True)
class DriftState:
    """All that is remembered of the losses.

    Attributes:
        sum_waiting: summed loss of examples that do not make an observation yet.
        num_waiting: how many these are.
        num_observed: since the start or the last alarm.
        mean: of the observations, older ones counting less.
        last: the last one.
        variance: of the noise between them.
        excess: how far the test has added up.
        num_alarms: so far.
        since_alarm: examples learned since the last one; `NO_ALARM` before the first.
    """

    sum_waiting: float = 0.0
    num_waiting: int = 0
    num_observed: int = 0
    mean: float = 0.0
    last: float = 0.0
    variance: float = 0.0
    excess: float = 0.0
    num_alarms: int = 0
    since_alarm: int = NO_ALARM


def watch(state: DriftState, loss: float, num_examples: int, policy: DriftPolicy) -> DriftState:
    """The state after a batch was learned.

    Args:
        state: before it.
        loss: its mean loss before it was learned; one that is not finite says nothing.
        num_examples: behind that mean.
        policy: when to raise an alarm.
    """
    since_alarm = state.since_alarm if state.since_alarm == NO_ALARM else state.since_alarm + num_examples
    state = replace(state, since_alarm=since_alarm)
    if not np.isfinite(loss) or not num_examples:
        return state
    total, count = state.sum_waiting + loss * num_examples, state.num_waiting + num_examples
    if count < FULL_RATIO * policy.batch_size:
        return replace(state, sum_waiting=total, num_waiting=count)
    return _observe(replace(state, sum_waiting=0.0, num_waiting=0), total / count, policy)


def _observe(state: DriftState, loss: float, policy: DriftPolicy) -> DriftState:
    excess = 0.0
    if state.num_observed >= SETTLING:
        deviations = (loss - state.mean) / max(state.variance**0.5, 1e-9)
        excess = max(0.0, state.excess + deviations - SLACK)
    if policy.threshold and excess > policy.threshold:
        return DriftState(num_alarms=state.num_alarms + 1, since_alarm=0)
    count = max(1, state.num_observed - SKIPPED)
    return replace(
        state,
        num_observed=state.num_observed + 1,
        mean=_follow(state.mean, loss, count),
        last=loss,
        variance=_follow(state.variance, (loss - state.last) ** 2 / 2, count),
        excess=excess,
    )


def _follow(mean: float, value: float, count: int) -> float:
    """The plain mean of the first `count` values, then an exponential one."""
    return mean + max(1 / count, 1 - 0.5 ** (1 / HALF_LIFE)) * (value - mean)


def strength(state: DriftState, policy: DriftPolicy) -> float:
    """How much of the reaction there is: 1 right after an alarm, falling to 0."""
    if state.since_alarm == NO_ALARM:
        return 0.0
    return max(0.0, 1 - state.since_alarm / policy.reaction_events)


class DriftWatch(Saved):
    """Owns the moving state, for one learner."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._policy = drift_policy(config)
        self.now = DriftState()

    @property
    def num_alarms(self) -> int:
        """Alarms so far; may be asked from any thread."""
        return self.now.num_alarms

    @property
    def rate_scale(self) -> float:
        """What learning rates are multiplied by now; 1 without an alarm."""
        return 1 + (self._policy.rate_factor - 1) * strength(self.now, self._policy)

    @property
    def recent_share(self) -> float:
        """Share of replayed examples that are to be recent ones now; 0 without an alarm."""
        return self._policy.recent_share if strength(self.now, self._policy) else 0.0

    @property
    def num_recent(self) -> int:
        """The newest so many examples are recent: those since the alarm, and the observation that raised it."""
        return max(self.now.since_alarm, 0) + self._policy.batch_size

    def note(self, loss: float, num_examples: int) -> None:
        """A batch was learned; see `watch`."""
        self.now = watch(self.now, loss, num_examples, self._policy)

    def wholes(self) -> Mapping[str, Array]:
        """Everything."""
        return {"state": np.array(astuple(self.now), np.float64)}

    def restore(self, state: State) -> None:
        """Become what `state` came from; one of before there was a watch has seen nothing."""
        fresh = astuple(DriftState())
        saved = state.get("state", np.array(fresh, np.float64)).tolist()
        self.now = DriftState(*(type(kind)(value) for kind, value in zip(fresh, saved, strict=True)))


def drift_policy(config: ModelConfig) -> DriftPolicy:
    """The slice of the settings."""
    return DriftPolicy(
        config.drift_threshold,
        config.batch_size,
        config.drift_rate_factor,
        config.drift_recent_share,
        config.drift_reaction_events,
    )
