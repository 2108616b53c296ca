"""Lightning's hparams.yaml: hyperparameters as PyYAML dumps them, Python's own tags included.

Nothing but plain values is made of it. What stands for a Python object becomes a text or its plain content, as
`save_hparams_to_yaml` of lightning/pytorch/core/saving.py writes whatever `yaml.dump` takes. The events of the parser are walked
rather than composed, so that depth and size are bounded, and aliases, which `yaml.dump` writes for what occurs twice, cannot blow up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

import yaml

from graphql_runs.ingest.api import Context, Delivery
from graphql_runs_tabular.batch import Batch
from graphql_runs_tabular.document import Malformed, Told, follow
from graphql_runs_tabular.keys import Kinds, Names

NAME = "hparams.yaml"
_DEPTH = 32
_NODES = 100_000
_TAG = "tag:yaml.org,2002:"
_PYTHON = f"{_TAG}python/"
_NAMED = ("name:", "module:")
_APPLY = ("object/apply:", "object/new:")
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = yaml.constructor.SafeConstructor()
_resolve: Callable[[type, str, tuple[bool, bool]], str] = yaml.resolver.Resolver().resolve


def read_hparams(
    path: PurePosixPath, run_id: str, checkpoint: Mapping[str, object] | None, context: Context
) -> Iterator[Delivery]:
    """The parameters, once and again whenever the file changes."""

    def take(data: bytes, _: Told) -> tuple[Batch, Told]:
        batch = Batch(run_id, str(path), "", Kinds(), Names((), ()), None, context.limits)
        batch.row({"params": parse(data)}, None)
        return batch, {}

    # A text that is parsed has the limit of a line: YAML is slow to read.
    return follow(path, checkpoint, context, context.limits.line_bytes, take)


def parse(data: bytes) -> dict[str, object]:
    """The mapping of a YAML text, its values plain: texts, numbers, truth values, None, lists and mappings of them.

    Raises Malformed when it is none, nests more than 32 deep, or has more than 100 000 values, aliases counted as what they
    stand for.
    """
    try:
        found = _Builder(data).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line, data.rstrip().count(b"\n")) + 1 if mark else None
        raise Malformed(f"malformed YAML: {error.problem}", line) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Malformed(f"malformed YAML: {str(error).splitlines()[0]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Malformed(f"not a mapping of hyperparameters but a {type(found).__name__}", 1)
    return found


class _Builder:
    """Plain values from the events of one document."""

    def __init__(self, data: bytes) -> None:
        self._events: Iterator[yaml.Event] = iter(yaml.parse(data, Loader=_LOADER))
        self._left = _NODES
        self._deepest = 0
        self._anchors: dict[str, tuple[object, int, int]] = {}
        """Values by anchor, with the number of values in them and how deep they nest."""

    def document(self) -> object:
        """The first document, None when there is none."""
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                return self._node(event, 0)
        return None

    def _node(self, event: yaml.Event, depth: int) -> object:
        self._enter(depth, 1, event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise Malformed(f"the alias {event.anchor!r} stands for nothing before it", _line(event))
            value, size, height = self._anchors[event.anchor]
            self._enter(depth + height, size, event)
            return value
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        left, deepest, self._deepest = self._left, self._deepest, depth
        value = self._content(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = value, 1 + left - self._left, self._deepest - depth
        self._deepest = max(deepest, self._deepest)
        return value

    def _content(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, depth: int) -> object:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return _tagged(event.tag, self._sequence(depth))
        found = self._mapping(depth)
        return list(found) if event.tag == f"{_TAG}set" else found

    def _sequence(self, depth: int) -> list[object]:
        found = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _mapping(self, depth: int) -> dict[str, object]:
        found = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            # A word is a name as it is written, also where it would be a truth value.
            name = event.value if isinstance(event, yaml.ScalarEvent) else _text(key)
            found[name] = self._node(next(self._events), depth + 1)
        return found

    def _enter(self, depth: int, values: int, event: yaml.Event) -> None:
        self._left -= values
        self._deepest = max(self._deepest, depth)
        if depth > _DEPTH:
            raise Malformed(f"nested more than {_DEPTH} deep", _line(event))
        if self._left < 0:
            raise Malformed(f"more than {_NODES} values", _line(event))


def _scalar(event: yaml.ScalarEvent) -> object:
    """A plain value; a text for what has no plain one. A class or function becomes its name."""
    tag: str = event.tag or ""
    if tag.startswith(_PYTHON):
        kind = tag.removeprefix(_PYTHON)
        named = next((kind.removeprefix(one) for one in _NAMED if kind.startswith(one)), None)
        return event.value or named or ""
    if not tag or tag == "!":
        tag = _resolve(yaml.ScalarNode, event.value, event.implicit)
    node = yaml.ScalarNode(tag, event.value)
    try:
        match tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return bool(_SCALARS.construct_yaml_bool(node))
            case "int":
                return int(_SCALARS.construct_yaml_int(node))
            case "float":
                return float(_SCALARS.construct_yaml_float(node))
    except (ValueError, KeyError, IndexError, OverflowError):
        pass  # tagged as what it is not, or with more digits than Python takes: it is left as it is written
    return str(event.value)


def _tagged(tag: str | None, parts: list[object]) -> object:
    """What a sequence stands for: a path, a call with its arguments, else the list itself (a tuple, say)."""
    kind = (tag or "").removeprefix(_PYTHON)
    called = next((kind.removeprefix(one) for one in _APPLY if kind.startswith(one)), None)
    if not called:
        return parts
    texts = [_text(part) for part in parts]
    if called.startswith("pathlib.") and called.endswith("Path"):
        return "\\".join(texts) if "Windows" in called else str(PurePosixPath(*texts))
    return f"{called}({', '.join(texts)})"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None
