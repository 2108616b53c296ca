"""The rule that bounds a document's depth and aliases."""

from __future__ import annotations

from collections.abc import Mapping

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)  # fmt: skip

from graphql_runs.schema.limits import SchemaLimits


def limit_rule(limits: SchemaLimits) -> type[ValidationRule]:
    """A validation rule for these limits."""

    class LimitRule(ValidationRule):
        """Refuses operations that are nested too deeply or carry too many aliases, fragments seen through."""

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            measure = _Measure(context)
            for node in context.document.definitions:
                if isinstance(node, OperationDefinitionNode):
                    depth, aliases = measure.of(node.selection_set)
                    name = f"operation {node.name.value!r}" if node.name else "the operation"
                    for what, value, limit in (
                        ("levels deep", depth, limits.depth),
                        ("aliases long", aliases, limits.aliases),
                    ):
                        if value > limit:
                            message = f"{name} is {value} {what}, the limit is {limit}"
                            self.report_error(
                                GraphQLError(message, node, extensions={"code": "LIMIT_EXCEEDED"})
                            )

    return LimitRule


class _Measure:
    """Depth and number of aliases of selections. A fragment is measured once, however often it is spread."""

    def __init__(self, context: ValidationContext) -> None:
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node
            for node in context.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, tuple[int, int]] = {}

    def of(self, found: SelectionSetNode | None) -> tuple[int, int]:
        if found is None:
            return 0, 0
        depth = aliases = 0
        for node in found.selections:
            below = self._node(node)
            depth = max(depth, below[0])
            aliases += below[1]
        return depth, aliases

    def _node(self, node: object) -> tuple[int, int]:
        match node:
            case FieldNode():
                # Introspection has a rule of its own in graphql-core.
                depth, aliases = (0, 0) if node.name.value.startswith("__") else self.of(node.selection_set)
                return depth + 1, aliases + (node.alias is not None)
            case InlineFragmentNode():
                return self.of(node.selection_set)
            case FragmentSpreadNode():
                return self._fragment(node.name.value)
        return 0, 0

    def _fragment(self, name: str) -> tuple[int, int]:
        if name not in self._known:
            # A fragment within itself counts nothing; another rule refuses it.
            self._known[name] = 0, 0
            fragment = self._fragments.get(name)
            self._known[name] = self.of(None if fragment is None else fragment.selection_set)
        return self._known[name]
