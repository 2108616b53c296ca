"""Payloads of metrics, and what is derived from them."""

from typing import Annotated

import strawberry

from graphql_runs.model import records
from graphql_runs.model.ids import artifact_id
from graphql_runs.read import curves
from graphql_runs.read.payload import read_payload
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.scalars import JSON, FloatColumn, Number

Step = Annotated[
    float | None, argument("The step of the row, the newest one of that step; the newest row if not given.")
]


@strawberry.type(
    description=(
        "A curve by threshold, from the highest, where nothing is predicted positive, to the lowest, where everything is. Its columns "
        "have the same length; a value that is undefined is NaN."
    )
)
class ThresholdCurve:
    thresholds: FloatColumn = field("The thresholds; Infinity and -Infinity where the table lacks an end.")
    x: FloatColumn = field("Where each point lies on the horizontal axis.")
    y: FloatColumn = field("Where each point lies on the vertical axis.")
    area: Number | None = field("The area under it; null where that is undefined or of no use.")


@strawberry.type(
    description="How often what is predicted with some probability is true, in bins between the table's thresholds; empty bins are left out."
)
class CalibrationCurve:
    predicted: FloatColumn = field("The middle of each bin of predicted probabilities.")
    observed: FloatColumn = field("The share of each bin's samples that is positive.")
    counts: FloatColumn = field("How many samples each bin has.")


@strawberry.type(
    description="A class against all others. Scores come from a confusion matrix, curves from an accuracy table; the other ones are null."
)
class ClassMetrics:
    label: str = field("The class; `micro` of all together.")
    support: float = field("How many samples are of this class.")
    precision: Number | None = field(
        "Of what is predicted to be of the class, the share that is.",
        of=lambda one: one.scores and one.scores.precision,
    )
    recall: Number | None = field(
        "Of the class, the share that is predicted.", of=lambda one: one.scores and one.scores.recall
    )
    specificity: Number | None = field(
        "Of all others, the share that is not predicted to be of the class.",
        of=lambda one: one.scores and one.scores.specificity,
    )
    f1: Number | None = field(
        "The harmonic mean of precision and recall.", of=lambda one: one.scores and one.scores.f1
    )
    roc: ThresholdCurve | None = field(
        "Receiver operating characteristic: true by false positive rate, with the area under it (AUC).",
        of=lambda one: one.probability and curves.roc(one.probability),
    )
    precision_recall: ThresholdCurve | None = field(
        "Precision by recall; the area is the average precision.",
        of=lambda one: one.probability and curves.precision_recall(one.probability),
    )
    gain: ThresholdCurve | None = field(
        "Cumulative gains: the share of positives found, by the share of samples predicted positive, at percentile thresholds.",
        of=lambda one: one.percentile and curves.gain(one.percentile),
    )
    lift: ThresholdCurve | None = field(
        "Lift: how many times more positives are found than by chance, by the share of samples predicted positive, at percentile "
        "thresholds.",
        of=lambda one: one.percentile and curves.lift(one.percentile),
    )
    calibration: CalibrationCurve | None = field(
        "How far predicted probabilities can be trusted.",
        of=lambda one: one.probability and curves.calibration(one.probability),
    )


@strawberry.type(
    description="Means over the classes; one whose value is undefined does not count. Scores come from a confusion matrix, areas from an accuracy table."
)
class ClassAverage:
    precision: Number | None = field("Mean precision.", of=lambda mean: mean.score("precision"))
    recall: Number | None = field("Mean recall.", of=lambda mean: mean.score("recall"))
    specificity: Number | None = field("Mean specificity.", of=lambda mean: mean.score("specificity"))
    f1: Number | None = field("Mean F1.", of=lambda mean: mean.score("f1"))
    roc_area: Number | None = field("Mean area under the ROC curve.", of=lambda mean: mean.area(curves.roc))
    average_precision: Number | None = field(
        "Mean average precision.", of=lambda mean: mean.area(curves.precision_recall)
    )


@strawberry.type(description="What follows from a confusion matrix or an accuracy table.")
class DerivedMetrics:
    samples: float = field("How many samples were counted.")
    accuracy: Number | None = field("The share of samples that is predicted right; null for accuracy tables.")
    classes: list[ClassMetrics] = field("Each class against all others.")
    micro: ClassMetrics | None = field(
        "All classes together, each sample counted once for each class; null for confusion matrices."
    )
    macro: ClassAverage = field(
        "Means in which every class has the same weight.",
        of=lambda found: curves.Average(found.classes, weighted=False),
    )
    weighted: ClassAverage = field(
        "Means in which every class weighs as much as it has samples.",
        of=lambda found: curves.Average(found.classes, weighted=True),
    )


async def payload(root: strawberry.Parent[records.Metric], info: Info, step: Step = None) -> JSON | None:
    """The payload of a row."""
    found = await read_payload(info.context.store, root, step)
    return None if found is None or found.value is None else JSON(found.value)


async def artifact(
    root: strawberry.Parent[records.Metric], info: Info, step: Step = None
) -> records.Artifact | None:
    """The output file that a row names."""
    found = await read_payload(info.context.store, root, step)
    if found is None or found.path is None:
        return None
    return await info.context.get(records.Artifact, artifact_id(root.run, found.path))


async def derived(
    root: strawberry.Parent[records.Metric], info: Info, step: Step = None
) -> curves.Results | None:
    """What follows from the payload of a row."""
    found = await read_payload(info.context.store, root, step)
    if found is None or found.document is None:
        return None
    return curves.results(root.kind, found.document)
