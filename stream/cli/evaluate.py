"""`interest-stream evaluate`: how well the model predicts past events."""

import dataclasses
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import click
import msgspec
import numpy as np
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.config import ModelConfig
from models.inputs.features import KINDS, SEARCH
from models.quality.predictions import figures
from stream.cli.evaluate_view import part_line, report_lines
from stream.cli.options import as_json, with_settings
from stream.errors import ConfigError
from stream.evaluation.plot import plot_over_stream, require_matplotlib
from stream.evaluation.report import by_part, groups, rounded, sureness
from stream.evaluation.sources import Stretch, fold_stretches, period_stretches, usable
from stream.event_logs import EventTypeMapping, read_log
from stream.records.events import KIND_OF_EVENT_CLASS, Event
from stream.settings import Settings
from stream.settings.sources import sentence

if TYPE_CHECKING:  # the help of all commands waits for neither jax nor faust
    from stream.evaluation.prequential import Evaluation


@dataclasses.dataclass(frozen=True)
class _Input:
    """What the command line says of the events."""

    paths: tuple[Path, ...]
    mapping: EventTypeMapping
    periods: int | None
    folds: int | None
    events: int | None
    kinds: tuple[int, ...]

    def stretches(self, protocol: str) -> Iterable[Stretch]:
        if protocol == "periods":
            if len(self.paths) != 1 or not self.paths[0].is_dir():
                raise ConfigError("--protocol periods: expected one folder that holds period_0.txt, period_1.txt, …")
            return period_stretches(self.paths[0], self.periods)
        folders = [path for path in self.paths if path.is_dir()]
        if folders:
            raise ConfigError(f"{folders[0]} is a folder: expected event files, or --protocol periods")
        if self.folds is None:
            return [Stretch(0, self._events(), is_judged=True)]
        return fold_stretches(self._events(), sum(1 for _ in self._events()), self.folds)

    def _events(self) -> Iterator[Event]:
        lines = chain.from_iterable(read_log(path, self.mapping) for path in self.paths)
        events = (event for event in usable(lines) if KIND_OF_EVENT_CLASS[type(event)] in self.kinds)
        return islice(events, self.events)


@click.command()
@with_settings("seed", "replay_ratio", every=True)
@as_json
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--protocol",
    type=click.Choice(["prequential", "periods"]),
    default="prequential",
    show_default=True,
    help="Event files; or a folder of period files, judged as ADER is.",
)
@click.option(
    "--update",
    type=click.Choice(["event", "period"]),
    default="event",
    show_default=True,
    help="Learn each event once it is scored, or a whole period (or fold) once all of it is.",
)
@click.option("--periods", type=click.IntRange(min=1), help="Judge the first N periods after the one that is learned.")
@click.option(
    "--folds", type=click.IntRange(min=2), help="Rolling origin: K + 1 equal parts, each judged by the ones before."
)
@click.option("--events", type=click.IntRange(min=1), help="The first N events only; the rest stays unseen for later.")
@click.option(
    "--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True, help="Share judged."
)
@click.option("--targets", default="click,purchase", show_default=True, help="Kinds of event that are predicted.")
@click.option("--inputs", default=",".join(KINDS), show_default=True, help="Kinds that are read; others are left out.")
@click.option("--map", "pairs", multiple=True, metavar="TYPE=KIND", help="As of `replay`. Repeatable.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="A setting of the model. Repeatable.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write report.json and stream.png there.")
def evaluate(
    settings: Settings,
    *,
    as_json: bool,
    paths: tuple[Path, ...],
    protocol: str,
    update: Literal["event", "period"],
    periods: int | None,
    folds: int | None,
    events: int | None,
    sample: float,
    targets: str,
    inputs: str,
    pairs: tuple[str, ...],
    changes: tuple[str, ...],
    out: Path | None,
) -> None:
    """Run past events through the worker's model without Kafka; score each one, then learn it.

    PATHS are files as `replay` takes, or a folder of period files. Ranks are among all items seen so far, ties count
    against the ranker; ratios are in [0, 1]. With --json the last line is one object.

    \b
    Example:
      interest-stream evaluate shop.csv.gz --out report
      interest-stream evaluate FOLDER --protocol periods --update period --sample 0.1 --json
    """
    if update == "period" and protocol == "prequential" and folds is None:
        raise ConfigError("--update period: expected --folds K or --protocol periods, which say where a period ends")
    if not settings.learning:
        raise ConfigError("learning is off: expected it on, since what is judged is how well the model learns")
    if out is not None:
        require_matplotlib()
    model = _changed(settings.learner(), changes)
    read, predicted = _kinds("--inputs", inputs, KINDS), _kinds("--targets", targets, KINDS[:SEARCH])
    stretches = _Input(paths, EventTypeMapping.parse(pairs), periods, folds, events, read).stretches(protocol)
    from models.device.runtime import configure  # noqa: PLC0415
    from stream.evaluation.prequential import Evaluation, EvaluationPlan  # noqa: PLC0415

    configure(preallocate=settings.gpu_preallocate, compilation_cache=settings.compilation_cache)
    evaluation = Evaluation(settings, model, EvaluationPlan(update, sample, predicted))
    evaluation.start()
    began_s = time.perf_counter()
    predictions = np.concatenate(list(_judged(evaluation, stretches, as_json)))
    seconds = time.perf_counter() - began_s
    if not evaluation.num_records:
        raise ConfigError("no event in these files; see --map")
    asked = {"protocol": protocol, "update": update, "sample": sample, "seed": settings.seed, "set": list(changes)}
    asked |= {"targets": targets, "inputs": inputs}
    summary = {**_summary(evaluation, predictions, seconds), **asked}
    if out is not None or not as_json:
        report = {**summary, **sureness(predictions, settings.seed), "groups": _of_groups(predictions)}
        report["stretches"] = by_part(predictions)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(rounded(report))) + b"\n")
            plot_over_stream(predictions, evaluation.alarms_at, out / "stream.png")
        if not as_json:
            click.echo("\n".join(report_lines(report)))
            return
    click.echo(msgspec.json.encode(rounded(summary)))


def _kinds(option: str, text: str, known: tuple[str, ...]) -> tuple[int, ...]:
    """Kinds that a list of names says, as indices into `KINDS`.

    Raises:
        ConfigError: one is none of `known`.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError(f"{option} {text}: expected some of {', '.join(known)}, separated by commas")
    return tuple(KINDS.index(name) for name in names)


def _changed(model: ModelConfig, changes: tuple[str, ...]) -> ModelConfig:
    """Settings of the model that `--set` names.

    Raises:
        ConfigError: one is unknown or of another type.
    """
    kinds = get_type_hints(ModelConfig)
    for change in changes:
        name, _, text = change.partition("=")
        if name not in kinds:
            known = ", ".join(kinds)
            raise ConfigError(f"--set {change}: expected NAME=VALUE with one of {known}")
        try:
            value = TypeAdapter(kinds[name]).validate_strings(text)
        except ValidationError as error:
            raise ConfigError(f"--set {change}: {sentence(error.errors()[0], secrets=())}") from None
        model = dataclasses.replace(model, **{name: value})
    return model


def _judged(evaluation: "Evaluation", stretches: Iterable[Stretch], as_json: bool) -> Iterator[np.ndarray]:
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("events", total=None)

        def counted(events: Iterable[Event]) -> Iterator[Event]:
            for event in events:
                progress.advance(task)
                yield event

        for stretch in stretches:
            watched = counted(stretch.events) if console.is_terminal else stretch.events
            judged = evaluation.judge(dataclasses.replace(stretch, events=watched))
            for part in by_part(judged):
                click.echo(msgspec.json.encode(rounded(part)) if as_json else part_line(part))
            yield judged


def _summary(evaluation: "Evaluation", predictions: np.ndarray, seconds: float) -> dict[str, Any]:
    coverage = evaluation.coverage.ratios(evaluation.engine.learner.ranker.is_seen)
    name = f"coverage@{evaluation.coverage.depth}"
    by_ranker = {ranker: {**named, name: coverage[ranker]} for ranker, named in figures(predictions).items()}
    return {
        **by_ranker,
        "predictions": len(predictions),
        "events_per_s": round(evaluation.num_records / max(seconds, 1e-9), 1),
        "events": evaluation.num_records,
        "users": len(np.unique(predictions["user"])),
        "items": int(evaluation.engine.learner.ranker.is_seen.sum()),
        "unseen_items": evaluation.num_unseen,
        "without_window": evaluation.num_cold,
        "not_admitted": evaluation.num_not_admitted,
        "coverage_lists": evaluation.coverage.num_lists,
        "drift_alarms": evaluation.engine.learner.drift.num_alarms,
        "drift_alarms_at": evaluation.alarms_at,
        "recompiles": evaluation.engine.recompiles,
    }


def _of_groups(predictions: np.ndarray) -> dict[str, Any]:
    return {name: {"predictions": len(own), **figures(own)} for name, own in groups(predictions).items()}
