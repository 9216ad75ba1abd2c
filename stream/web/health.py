"""`/livez` and `/readyz`: whether to restart the worker, and whether it works."""

from dataclasses import dataclass

import msgspec
from aiohttp import web

from stream.status import WorkerState
from stream.web.errors import json_response
from stream.web.view import Condition, WorkerView


class Live(msgspec.Struct, frozen=True):
    """The body of `/livez`.

    Attributes:
        alive: false, with status 503: a restart would help.
        state: what the worker is doing.
        faults: what a restart would mend.
        warnings: what it would not, such as a full disk.
    """

    alive: bool
    state: WorkerState
    faults: list[str]
    warnings: list[str]


class Ready(msgspec.Struct, frozen=True):
    """The body of `/readyz`; a standby is not ready, and alive."""

    ready: bool
    state: WorkerState
    compiled: bool
    restored: bool
    assigned: bool


@dataclass(frozen=True)
class Patience:
    """How long is too long, seconds; 0 is never."""

    stalled_s: float


def judge_life(condition: Condition, state: WorkerState, patience: Patience) -> Live:
    """Whether a restart would help."""
    faults, warnings = [], []
    limit_s = patience.stalled_s or float("inf")
    if condition.failed:
        faults.append(f"the flow ended: {condition.failed}")
    if state == "running" and condition.model_busy_s >= limit_s:  # compiling may take minutes
        faults.append(f"the model thread has been in one call for {condition.model_busy_s:.0f} s")
    if condition.stalled_s >= limit_s:
        faults.append(f"nothing was applied for {condition.stalled_s:.0f} s while records wait")
    if condition.unsaved_s:
        warnings.append(f"no checkpoint could be written for {condition.unsaved_s:.0f} s; is the disk full?")
    return Live(not faults, state, faults, warnings)


def judge_readiness(condition: Condition, state: WorkerState) -> Ready:
    """Whether events are being worked on."""
    ready = condition.is_compiled and condition.is_restored and condition.is_assigned and state == "running"
    return Ready(ready, state, condition.is_compiled, condition.is_restored, condition.is_assigned)


def routes(view: WorkerView) -> list[web.RouteDef]:
    """Both probes."""
    patience = Patience(view.settings.watchdog_s)

    async def livez(_: web.Request) -> web.Response:
        live = judge_life(view.condition(), view.status().state, patience)
        return json_response(live, 200 if live.alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        ready = judge_readiness(view.condition(), view.status().state)
        return json_response(ready, 200 if ready.ready else 503)

    return [web.get("/livez", livez), web.get("/readyz", readyz)]
