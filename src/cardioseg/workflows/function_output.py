"""Results of heart function, and the files that they become."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cardioseg.core.labels import LabelScheme
from cardioseg.evaluation.figures import png_bytes
from cardioseg.evaluation.function import HeartFunction
from cardioseg.evaluation.function_agreement import (
    FunctionPair,
    QuantityAgreement,
    agreement_markdown,
    function_agreement,
    measured_errors,
    wall_agreement,
    wall_markdown,
)
from cardioseg.evaluation.function_charts import bland_altman_figure, bulls_eye, volume_curves
from cardioseg.evaluation.function_record import (
    Json,
    function_csv,
    function_record,
    groups_markdown,
)
from cardioseg.io.atomic import make_folder, write_bytes, write_text
from cardioseg.workflows.hearts import heart_name
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.made import Maker, ids_of, makers_facts, words_of_makers
from cardioseg.workflows.provenance import file_digest, write_run

FUNCTION_JSON, FUNCTION_CSV = "function.json", "function.csv"
AGREEMENT_MD, AGREEMENT_JSON, ERRORS_JSON = "agreement.md", "agreement.json", "errors.json"
GROUPS_MD, BLAND_ALTMAN = "groups.md", "bland_altman.png"
CURVES, BULLS_EYE = "_curves.png", "_bulls_eye.png"
FORMAT_VERSION = 1

_DECIMALS = 4


@dataclass(frozen=True, eq=False)
class FunctionResults:
    """Function of every subject, beside the reference's where there is one, and its group.

    Parameters
    ----------
    scheme
        Of the label maps.
    functions
        By subject.
    pairs
        Function from prediction and from reference; empty without a reference.
    groups
        Pathology group by subject, where the data set's Info.cfg lies beside the labels or the
        reference names it.
    reference
        Kind of the data set that the references are of; empty without one.
    makers
        The models that made the label maps, with the names of these.
    """

    scheme: LabelScheme
    functions: Mapping[str, HeartFunction]
    pairs: tuple[FunctionPair, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    makers: tuple[Maker, ...] = ()

    def to_record(self) -> dict[str, Json]:
        """Function by subject, and the agreement where there are pairs: what `--json` prints."""
        record = _subjects_record(self)
        return {**record, **_agreement_record(self)} if self.pairs else record

    def agreement_markdown(self) -> str:
        """Tables of agreement of volumes and function, and of the wall; empty without pairs."""
        if not self.pairs:
            return ""
        tables = [agreement_markdown(function_agreement(self.pairs))]
        walls = wall_agreement(self.pairs)
        return "\n\n".join([*tables, wall_markdown(walls)] if walls else tables)


def write_function(
    results: FunctionResults,
    files: Sequence[Input],
    output: Path,
    started: float,
    kept: Path | None = None,
) -> None:
    """Write tables, figures and run.json of the label maps in `files` into a folder.

    What an earlier run left there and this one does not write again is removed, but for the file
    that is to be kept.
    """
    make_folder(output)
    for path in _former_files(output):
        if kept is None or path.resolve() != kept.resolve():
            path.unlink(missing_ok=True)
    write_text(output / FUNCTION_JSON, json.dumps(_subjects_record(results), indent=2) + "\n")
    write_text(output / FUNCTION_CSV, function_csv(results.functions))
    words = words_of_makers(results.makers, len(files))
    heading = f"{words}\n\n" if words else ""
    if results.groups:
        groups = groups_markdown(results.functions, results.groups)
        write_text(output / GROUPS_MD, f"{heading}{groups}\n")
    if results.pairs:
        write_text(output / AGREEMENT_MD, f"{heading}{results.agreement_markdown()}\n")
        _write_agreement(results, output)
    for name, function in results.functions.items():
        own = [each for each in results.makers if name in map(heart_name, each.cases)]
        _write_figures(name, function, output, ids_of(own))
    facts: dict[str, Json] = {
        "scheme": results.scheme.name,
        **makers_facts(results.makers),
        "files": [{"name": each.name, "sha256": file_digest(each.path)} for each in files],
    }
    write_run(output, "function", facts, started)


def _former_files(output: Path) -> list[Path]:
    """The files beside function.json that an earlier run made or may have made; none without it."""
    try:
        record = json.loads((output / FUNCTION_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    subjects = record.get("subjects") if isinstance(record, dict) else None
    names = [name for name in subjects or () if Path(name).name == name]
    shared = (GROUPS_MD, AGREEMENT_MD, AGREEMENT_JSON, ERRORS_JSON, BLAND_ALTMAN)
    figures = (f"{name}{end}" for name in names for end in (CURVES, BULLS_EYE))
    return [output / name for name in (*shared, *figures)]


def _write_figures(name: str, function: HeartFunction, output: Path, model_id: str) -> None:
    if function.volumes_ml and len(function.frame_numbers) > 2:
        curves = png_bytes(volume_curves(function), model_id=model_id)
        write_bytes(output / f"{name}{CURVES}", curves)
    if any(value is not None for value in function.wall_ed.values_mm):
        figure = bulls_eye({"end diastole": function.wall_ed, "end systole": function.wall_es})
        write_bytes(output / f"{name}{BULLS_EYE}", png_bytes(figure, model_id=model_id))


def _write_agreement(results: FunctionResults, output: Path) -> None:
    found = function_agreement(results.pairs)
    write_text(output / AGREEMENT_JSON, json.dumps(_agreement_record(results), indent=2) + "\n")
    patients = max(len(each.values) for each in found)
    made = f"model {ids_of(results.makers)}, " if results.makers else ""
    source = f"{made}{patients} patients of {results.reference}, prediction minus reference"
    write_text(output / ERRORS_JSON, measured_errors(found, source).to_json())
    shown = [each for each in found if len(each.values) > 1]
    if shown:
        figure = bland_altman_figure(shown)
        write_bytes(output / BLAND_ALTMAN, png_bytes(figure, model_id=ids_of(results.makers)))


def _subjects_record(results: FunctionResults) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "scheme": results.scheme.name,
        **makers_facts(results.makers),
        "subjects": {name: function_record(f) for name, f in results.functions.items()},
    }


def _agreement_record(results: FunctionResults) -> dict[str, Json]:
    walls: list[Json] = [dict(asdict(each)) for each in wall_agreement(results.pairs)]
    return {
        "format_version": FORMAT_VERSION,
        **makers_facts(results.makers),
        "agreement": [_quantity_record(each) for each in function_agreement(results.pairs)],
        "wall_thickness": walls,
    }


def _quantity_record(each: QuantityAgreement) -> Json:
    limits, correlation = each.limits, each.correlation
    return {
        "quantity": each.quantity,
        "structure": each.structure,
        "phase": each.phase,
        "unit": each.unit,
        "patients": len(each.values),
        "undefined": list(each.undefined),
        "bias": None if limits is None else round(limits.bias, _DECIMALS),
        "lower": None if limits is None else round(limits.lower, _DECIMALS),
        "upper": None if limits is None else round(limits.upper, _DECIMALS),
        "mean_absolute_error": round(each.mean_absolute_error, _DECIMALS) if each.values else None,
        "correlation": None if correlation is None else round(correlation, _DECIMALS),
        "values": {s: [round(p, 3), round(r, 3)] for s, (p, r) in each.values.items()},
    }
