"""What `watch` shows of a worker: its last sample, asked for by HTTP. Knows nothing of Kafka."""

import time
import urllib.request

import click
import msgspec
from rich.table import Table

from stream.settings import Settings
from stream.web.history import Sample

ASK_EVERY_S = 1.0
ANSWERS_WITHIN_S = 0.5


class WorkerLine:
    """Asks a worker where it stands, once a second at the most; a worker that does not answer is no error.

    Args:
        url: of its HTTP server.
        token: the setting `web_token`; empty where it asks for none.
    """

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise click.BadParameter(f"expected http://… or https://…, got {url!r}", param_hint="--worker")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._request = urllib.request.Request(f"{url.rstrip('/')}/live/now", headers=headers)  # noqa: S310  (checked)
        self._asked_s = float("-inf")
        self._sample: Sample | None = None

    @classmethod
    def of(cls, settings: Settings, url: str | None) -> "WorkerLine":
        """Of the worker at `url`, or of the one that has these settings on this machine."""
        return cls(url or f"http://127.0.0.1:{settings.web_port}", settings.web_token.get_secret_value())

    def sample(self) -> Sample | None:
        """What it said last; None while it cannot be reached."""
        self.newer()
        return self._sample

    def newer(self) -> Sample | None:
        """A sample that has not been handed out; None where there is none, or it is not yet time to ask."""
        if time.monotonic() - self._asked_s < ASK_EVERY_S:
            return None
        self._asked_s, before = time.monotonic(), self._sample
        try:
            with urllib.request.urlopen(self._request, timeout=ANSWERS_WITHIN_S) as response:  # noqa: S310  (checked)
                self._sample = msgspec.json.decode(response.read(), type=Sample)
        except (OSError, msgspec.MsgspecError):
            self._sample = None
        is_new = self._sample is not None and (before is None or self._sample.at_ms > before.at_ms)
        return self._sample if is_new else None


def worker_table(sample: Sample | None, updates_per_s: float, num_users: int) -> Table:
    """A worker and the topic of updates as one row of figures."""
    of_topic = {"updates/s": f"{updates_per_s:,.0f}", "users seen": f"{num_users:,}"}
    cells = {**_of_worker(sample), **of_topic}
    table = Table(expand=True, box=None)
    for name in cells:
        table.add_column(name, no_wrap=True)
    table.add_row(*cells.values())
    return table


def _of_worker(sample: Sample | None) -> dict[str, str]:
    if sample is None:
        return {"worker": "cannot be reached; --worker URL says where it is"}
    lags = [flow.lag for flow in sample.topics.values() if flow.lag is not None]
    recalls = {ranker: f"{100 * quality.recall:.1f} %" for ranker, quality in sample.quality.items()}
    return {
        "worker": sample.state,
        "events/s": f"{sum(flow.records_per_s for flow in sample.topics.values()):,.0f}",
        "lag": f"{sum(lags):,}" if lags else "-",
        "latency p50": _ms(sample.latency_p50_ms),
        "p99": _ms(sample.latency_p99_ms),
        "recall@20": recalls.get("mixture", "-"),
        "counting": recalls.get("counting", "-"),
        "checkpoint": "-" if sample.checkpoint_age_s is None else f"{sample.checkpoint_age_s:.0f} s ago",
    }


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:,.0f} ms"
