"""What an operation could return at most, estimated before anything is read.

Every object counts one. What is below `nodes` or `edges` counts as often as the page has entries at most (`first` or `last`
of the connection), what is below any other list as often as a list of ids in its arguments is long, or else `LISTED` times. Curves
and rows count one per `POINTS` points. A table counts its rows and one per `CELLS` cells, and a field that looks at many records to
give few counts one per `CELLS` of them: as many as its limit lets it. A payload, and what is derived from one, counts `PAYLOAD`, as it
may be megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)  # fmt: skip

from graphql_runs.schema.limits import SchemaLimits

LISTED = 10
POINTS = 1000
CELLS = 10
PAYLOAD = 50
_ENTRIES = {"nodes", "edges"}


def cost_error(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, Any],
    limits: SchemaLimits,
) -> GraphQLError | None:
    """The error of an operation that asks for too much, if it does."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    for operation in operations:
        if operation_name is None or (operation.name is not None and operation.name.value == operation_name):
            estimate = _Estimate(schema, document, operation, variables, limits)
            root = schema.get_root_type(operation.operation)
            cost = 0 if root is None else estimate.of(root, operation.selection_set, None)
            if cost > limits.cost:
                return GraphQLError(
                    f"the operation could return {cost} objects, the limit is {limits.cost}: ask for smaller pages",
                    operation,
                    extensions={"code": "LIMIT_EXCEEDED", "cost": cost},
                )
            return None
    return None


class _Estimate:
    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        limits: SchemaLimits,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        defaults = {
            node.variable.name.value: _literal(node.default_value)
            for node in operation.variable_definitions or ()
            if node.default_value is not None
        }
        self._variables = {**defaults, **variables}
        self._known: dict[tuple[str, int | None], int] = {}

    def of(self, parent: GraphQLNamedType, found: SelectionSetNode | None, size: int | None) -> int:
        """The cost of selections on one object; `size` is that of the page which the object is, if it is one."""
        total = 0
        for node in found.selections if found is not None else ():
            match node:
                case FieldNode():
                    total += self._field(parent, node, size)
                case InlineFragmentNode():
                    name = node.type_condition.name.value if node.type_condition else parent.name
                    total += self.of(self._schema.type_map[name], node.selection_set, size)
                case FragmentSpreadNode():
                    total += self._fragment(node.name.value, size)
        return total

    def _fragment(self, name: str, size: int | None) -> int:
        if (name, size) not in self._known:
            fragment = self._fragments[name]
            on = self._schema.type_map[fragment.type_condition.name.value]
            self._known[name, size] = self.of(on, fragment.selection_set, size)
        return self._known[name, size]

    def _field(self, parent: GraphQLNamedType, node: FieldNode, size: int | None) -> int:
        name = node.name.value
        definition: GraphQLField | None = getattr(parent, "fields", {}).get(name)
        # Introspection reads nothing, and has a rule of its own.
        if definition is None or name.startswith("__"):
            return 0
        values = self._arguments(definition, node)
        kind = get_named_type(definition.type)
        looked_at = self._looked_at(name, values)
        if is_leaf_type(kind) or looked_at:
            return looked_at
        # A negative page is refused when it is asked for; here it must not make up for others.
        pages = [max(0, value) for key in ("first", "last") if isinstance(value := values.get(key), int)]
        around = values.get("context")
        if isinstance(around, int):
            pages = [page * (1 + 2 * around) for page in pages]
        if name == "linesAround":
            pages = [sum(value for key in ("above", "below") if isinstance(value := values.get(key), int))]
        points = (
            values.get("points") if name == "series" else max(pages, default=0) if name == "rows" else None
        )
        if isinstance(points, int):
            return 1 + min(points, self._limits.points) // POINTS
        below = self.of(kind, node.selection_set, max(pages, default=None))
        if not is_list_type(get_nullable_type(definition.type)):
            return 1 + below
        if size is not None and name in _ENTRIES:
            return size * (1 + below)
        lengths = [len(value) for value in values.values() if isinstance(value, list)]
        return max(lengths, default=LISTED) * (1 + below)

    def _looked_at(self, name: str, values: Mapping[str, Any]) -> int:
        """The cost of a field that reads more than it gives objects, 0 for any other."""
        limits = self._limits
        match name:
            case "runTable":
                rows = limits.group_runs if values.get("groupBy") else _number(values.get("first"))
                return 1 + rows + rows * _length(values.get("columns")) // CELLS
            case "compare":
                runs = values.get("runs")
                curves = _length(values.get("metrics")) * (
                    limits.compare_runs if runs is None else _length(runs)
                )
                return 1 + curves * (1 + min(_number(values.get("points")), limits.points) // POINTS)
            case "names":
                return 1 + _number(values.get("first")) + limits.name_records // CELLS
            case "runningBest" | "queueWait" | "statusTimes":
                return 1 + limits.group_runs // CELLS
            case "payload" | "derived":
                return PAYLOAD
        return 0

    def _arguments(self, definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
        values = {name: argument.default_value for name, argument in definition.args.items()}
        for argument in node.arguments or ():
            values[argument.name.value] = self._value(argument.value)
        return values

    def _value(self, node: ValueNode) -> Any:
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        return _literal(node)


def _number(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _length(value: object) -> int:
    """Of a list; one value stands for a list of it."""
    return len(value) if isinstance(value, list) else int(value is not None)


def _literal(node: ValueNode) -> Any:
    """Integers, lists and objects, which are all that counts; of the last two no more than how many entries they have."""
    match node:
        case ObjectValueNode():
            return {field.name.value: None for field in node.fields}
        case IntValueNode():
            return int(node.value)
        case ListValueNode():
            return list(node.values)
    return None
