"""How far a job has come, read from the progress bar or the counter that it printed last.

Known are the bars of tqdm (with and without a total, nested, in any unit), rich, Keras (2 and 3), pip and wget, and counters in
words: `Epoch 3/10`, `Epoch [3][120/1000]`, `step 120/1000`, `iteration 10/ 500000`, `Progress: 45%`. Of a line that has several, the
last one that a bar or a word goes with counts. Only the end of a log is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from graphql_runs.model.records import LogFile
from graphql_runs.read.ansi import SGR
from graphql_runs.read.logtext import LogReader
from graphql_runs.store.port import Store

TAIL = 1 << 16
"""Bytes at the end of a log that are looked at."""
_LONGEST = 600
_MOST = 4000
"""Lines and redrawn frames that are looked at."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One state of a bar. Values that it does not show are None.

    fraction: 0 to 1. done, total: in `unit`, bytes and other scaled units written out. rate: units a second. elapsed, eta:
    seconds. label: what the bar says it counts. text: the bar as it was printed.
    """

    text: str
    label: str | None = None
    fraction: float | None = None
    done: float | None = None
    total: float | None = None
    unit: str | None = None
    rate: float | None = None
    elapsed: float | None = None
    eta: float | None = None


async def log_progress(store: Store, log: LogFile) -> Progress | None:
    """The newest bar or counter in the last bytes of a log; None when there is none."""
    data = await LogReader(store, log).bytes(log.size - TAIL, log.size)
    for frame in frames(data.decode("utf-8", "replace")):
        if (found := progress_of(frame)) is not None:
            return found
    return None


def frames(text: str) -> Iterator[str]:
    """What was drawn on single lines, the newest first: a line feed, a carriage return and a cursor move each begin one."""
    pieces = _BREAK.split(text)
    for piece in pieces[: -_MOST - 1 : -1]:
        shown = _OTHER.sub("", SGR.sub("", piece)).strip()
        if shown:
            yield shown


def progress_of(text: str) -> Progress | None:
    """What one line or frame without controls says of progress; None when it says nothing."""
    if len(text) > _LONGEST:
        # A long line ends with its bar, if it has one.
        text = text[-_LONGEST:]
    if not _DIGIT.search(text):
        return None
    for read in _READERS:
        if (found := read(text)) is not None:
            return _completed(found)
    return None


_BREAK = re.compile(r"[\r\n]+|\x1b\[\d*[A-HJf]")
_OTHER = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_DIGIT = re.compile(r"\d")
_NUMBER = r"\d{1,18}(?:\.\d{1,9})?"
_SCALED = rf"{_NUMBER}(?:[kKMGTP]i?)?"
_CLOCK = r"(?:\d{1,4} days?, )?(?:\d{1,5}:)?\d{1,4}:\d\d(?:\.\d{1,3})?"
_SIZES = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}

_TQDM = re.compile(
    rf"(?:(?P<percent>\d{{1,3}})%\|[^|]{{0,300}}\| ?(?:(?P<done>{_SCALED})(?P<unit2>[A-Za-z]{{0,12}})/(?P<total>{_SCALED}|\?)(?P<unit3>[A-Za-z]{{0,12}}))?"
    rf"|(?P<count>{_SCALED}) ?(?P<unit>[A-Za-z_]{{0,20}}))"
    rf" ?\[(?P<elapsed>{_CLOCK})(?:<(?P<eta>{_CLOCK}|\?))?(?:, *(?P<rate>{_SCALED}|\?) ?(?P<per>[A-Za-z_]{{0,20}}/[A-Za-z_]{{1,20}}))?"
)
_KERAS = re.compile(
    rf"(?P<done>\d{{1,15}})/(?P<total>\d{{1,15}}|Unknown)\s{{1,3}}(?:\[[=>.]{{1,60}}\]|[━╸╺]{{1,60}}|-)\s{{0,3}}(?:- )?"
    rf"(?:ETA: (?P<eta>{_CLOCK}|\d{{1,5}}s)|(?P<clock>{_CLOCK}|\d{{1,9}}s))?(?:\s{{1,3}}(?P<step>{_NUMBER})(?P<scale>us|ms|s)/(?P<unit>step|epoch|sample))?"
)
_SPINNER = " " + "".join(map(chr, range(0x2800, 0x2900)))
"""What stands before a label of rich: patterns of Braille turn round and round."""
_LINE = re.compile(r"[━╸╺]{3,}")
_PERCENT = re.compile(rf"(?P<percent>{_NUMBER}) ?%")
_OF = re.compile(rf"(?P<done>{_SCALED}) ?(?:/|of) ?(?P<total>{_SCALED}|\?) ?(?P<unit>[A-Za-z]{{0,12}})")
_SPEED = re.compile(rf"(?P<rate>{_SCALED}) ?(?P<per>[A-Za-z]{{1,12}}/[A-Za-z]{{1,12}})")
_TIME = re.compile(rf"(?<![\d:]){_CLOCK}(?![\d:])")
_ASCII_BAR = re.compile(
    rf"(?P<percent>{_NUMBER})%\s?\[[=#>. -]{{3,300}}\]|\[[=#>. -]{{3,300}}\]\s?(?P<percent2>{_NUMBER})%"
)
_WORDS = "epochs?|steps?|iterations?|iters?|it|batch(?:es)?|rounds?|trials?|folds?|episodes?|samples?|files?|tasks?|updates?|generations?|chunks?|train|val|test"
_COUNTER = re.compile(
    rf"\b(?P<label>{_WORDS})\b(?:\s?\([a-z]{{1,20}}\))?[:=]?\s{{0,3}}(?:\[(?P<outer>\d{{1,9}})\]\s?)?(?P<open>[\[(])?\s{{0,12}}(?P<done>\d{{1,15}})"
    r"\s{0,3}(?:/|of)\s{0,12}(?P<total>\d{1,15})(?!\d|/\d|\.\d)",
    re.IGNORECASE,
)
_PERCENT_WORDS = re.compile(
    rf"^\[ {{0,2}}(?P<percent3>\d{{1,3}})%\]|\b(?P<label>progress|complete|completed|done|finished)\b[:=]?\s{{0,3}}(?P<percent>{_NUMBER}) ?%|(?P<percent2>{_NUMBER}) ?% (?P<label2>complete|completed|done|finished)\b",
    re.IGNORECASE,
)
_ETA = re.compile(rf"\beta:? ?(?P<eta>{_CLOCK}|\d{{1,6}}(?:\.\d{{1,3}})?s)", re.IGNORECASE)


def _tqdm(text: str) -> Progress | None:
    found = next(reversed(list(_TQDM.finditer(text))), None)
    if found is None:
        return None
    if found["percent"] is None and not found["rate"] and found["eta"] is None:
        # `3 [00:12` may be anything.
        return None
    unit = (found["per"] or "").split("/")[0] if found["per"] and not found["per"].startswith("s/") else None
    if found["per"] and found["per"].startswith("s/"):
        unit = found["per"][2:]
    unit = unit or found["unit"] or None
    return Progress(
        text=text,
        label=text[: found.start()].strip(" :") or None,
        fraction=None if found["percent"] is None else int(found["percent"]) / 100,
        done=_scaled(found["done"] or found["count"]),
        total=_scaled(found["total"]),
        unit=unit,
        rate=_rate(found["rate"], found["per"]),
        elapsed=_seconds(found["elapsed"]),
        eta=_seconds(found["eta"]),
    )


def _keras(text: str) -> Progress | None:
    found = _KERAS.search(text)
    if found is None or (found["eta"] is None and found["clock"] is None and found["step"] is None):
        return None
    done, total = _scaled(found["done"]), _scaled(found["total"])
    over = total is not None and done is not None and done >= total
    scale = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[found["scale"]] if found["scale"] else 1.0
    step = float(found["step"]) * scale if found["step"] else 0.0
    clock = _seconds(found["clock"])
    # A finished bar shows how long it took in the place of what is left.
    known = over or total is None
    return Progress(
        text=text,
        done=done,
        total=total,
        unit=found["unit"] or "step",
        rate=1 / step if step else None,
        elapsed=clock if known else None,
        eta=_seconds(found["eta"]) if found["eta"] else None if known else clock,
    )


def _rich(text: str) -> Progress | None:
    bar = _LINE.search(text)
    if bar is None:
        return None
    label, rest = text[: bar.start()].strip(_SPINNER), text[bar.end() :]
    percent = _PERCENT.search(rest) or _PERCENT.search(label)
    of = _OF.search(rest) or _OF.search(label)
    if percent is None and of is None:
        return None
    speed, times = _SPEED.search(rest), _TIME.findall(rest)
    unit = (of["unit"] if of else "") or (speed["per"].split("/")[0] if speed else "")
    return Progress(
        text=text,
        label=label or None,
        fraction=float(percent["percent"]) / 100 if percent else None,
        done=_sized(of["done"], of["unit"]) if of else None,
        total=_sized(of["total"], of["unit"]) if of else None,
        unit=("B" if _size(unit) else unit) or None,
        rate=_rate(speed["rate"], speed["per"]) if speed else None,
        elapsed=_seconds(times[0]) if len(times) > 1 else None,
        eta=_seconds(times[-1]) if times else None,
    )


def _bar(text: str) -> Progress | None:
    found = _ASCII_BAR.search(text)
    if found is None:
        return None
    label = text[: found.start()].strip(" :")
    return Progress(text, label or None, float(found["percent"] or found["percent2"]) / 100, eta=_eta(text))


def _counter(text: str) -> Progress | None:
    found = next(reversed(list(_COUNTER.finditer(text))), None)
    if found is None:
        return None
    done, total = int(found["done"]), int(found["total"])
    if total == 0 or done > total:
        return None
    label = found["label"] if found["outer"] is None else f"{found['label']} {found['outer']}"
    return Progress(text, label, None, done, total, eta=_eta(text))


def _percent(text: str) -> Progress | None:
    found = _PERCENT_WORDS.search(text)
    if (
        found is None
        or (fraction := float(found["percent"] or found["percent2"] or found["percent3"]) / 100) > 1
    ):
        return None
    return Progress(text, found["label"] or found["label2"], fraction, eta=_eta(text))


_READERS: tuple[Callable[[str], Progress | None], ...] = (_tqdm, _keras, _rich, _bar, _counter, _percent)


def _completed(found: Progress) -> Progress:
    """With a fraction where there are numbers, more exact than a percentage, and the time left where a rate tells it."""
    fraction = found.fraction
    if found.done is not None and found.total:
        fraction = found.done / found.total
    if fraction is not None:
        fraction = min(max(fraction, 0.0), 1.0)
    eta = found.eta
    if eta is None and found.rate and found.done is not None and found.total is not None:
        eta = max(0.0, found.total - found.done) / found.rate
    return replace(found, fraction=fraction, eta=eta)


def _scaled(text: str | None) -> float | None:
    """A number with a prefix: tqdm's `1.2M` counts thousands, `1.2Mi` counts 1024s."""
    if text is None or text in ("?", "Unknown"):
        return None
    bare = text.rstrip("i")
    power = _SIZES.get(bare[-1].lower(), 0)
    return float(bare[:-1] if power else bare) * (1024.0 if text.endswith("i") else 1000.0) ** power


def _sized(text: str, unit: str) -> float | None:
    """A number of rich's `12.0/34.5 MB`, where the unit stands once."""
    value = _scaled(text)
    return None if value is None else value * (_size(unit) or 1)


def _size(unit: str) -> float | None:
    """Bytes of `MB` or `MiB`; None of any other unit."""
    if len(unit) < 2 or unit[-1] != "B" or (power := _SIZES.get(unit[0].lower())) is None:
        return None
    return (1024.0 if "i" in unit else 1000.0) ** power


def _rate(text: str | None, per: str | None) -> float | None:
    """Units a second, of `12it/s` or `1.5s/it`."""
    value = _scaled(text)
    if value is None or per is None or not value:
        return None
    return 1 / value if per.startswith("s/") else value * (_size(per.split("/")[0]) or 1)


def _eta(text: str) -> float | None:
    found = _ETA.search(text)
    return None if found is None else _seconds(found["eta"])


def _seconds(text: str | None) -> float | None:
    """Seconds of `1:02:03`, `02:03`, `3 days, 1:02:03` or `75s`."""
    if text is None or text == "?":
        return None
    if text.endswith("s"):
        return float(text[:-1])
    days, _, clock = text.rpartition(", ")
    seconds = float(days.split()[0]) * 86_400 if days else 0.0
    parts = clock.split(":")
    return seconds + sum(float(part) * 60.0**place for place, part in enumerate(reversed(parts)))
