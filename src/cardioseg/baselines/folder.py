"""A baseline's folder (JSON, safetensors, checksums), and the names that need none."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from cardioseg.baselines.appearance.model import from_arrays, to_arrays
from cardioseg.baselines.appearance.search import THIRDS, ThirdModels
from cardioseg.baselines.baseline import Baseline, BaselinePlan, Fitted, plan_from_json
from cardioseg.baselines.names import NEEDS_FITTING, PLAN, is_baseline
from cardioseg.baselines.stack import Float32Array
from cardioseg.errors import ModelError
from cardioseg.model import SUMS, content_id, verify_folder, write_folder

MODELS = "appearance.safetensors"

BUILT_IN: dict[str, BaselinePlan] = {
    "otsu": BaselinePlan(method="otsu"),
    "active-contour": BaselinePlan(method="active-contour"),
    "otsu-whole-heart": BaselinePlan(method="otsu", scheme="myocardium_blood", plane="axial"),
    "active-contour-whole-heart": BaselinePlan(
        method="active-contour", scheme="myocardium_blood", plane="axial"
    ),
}
"""Names that need no fitting: they look for the heart in the default region."""


def open_baseline(source: str | Path) -> Baseline:
    """Open a built-in baseline by its name, or a fitted one by its folder.

    Raises
    ------
    ModelError
        If there is none, or the folder is incomplete or changed.

    Examples
    --------
    >>> open_baseline("otsu").scheme.name
    'acdc'
    """
    folder = Path(source)
    if not folder.is_dir() or (is_baseline(source) and not (folder / PLAN).is_file()):
        if str(source) == NEEDS_FITTING:
            raise ModelError(
                f"{source}: must be fitted first: cardioseg baseline {source} --data acdc:FOLDER "
                "--output FITTED, then --model FITTED"
            )
        if str(source) not in BUILT_IN:
            names = ", ".join(BUILT_IN)
            raise ModelError(f"{source}: no such baseline folder or built-in baseline ({names})")
        plan = BUILT_IN[str(source)]
        release = f"cardioseg {version('cardioseg')} {plan.model_dump_json()}"
        return Baseline(str(source), content_id(release.encode()), plan)
    verify_folder(folder, (PLAN, SUMS), (PLAN, MODELS))
    text = (folder / PLAN).read_bytes()
    plan = plan_from_json(text, str(folder / PLAN))
    if plan.method != "appearance":
        return Baseline(folder.name, content_id(text), plan)
    verify_folder(folder, (MODELS,), (MODELS,))
    data = (folder / MODELS).read_bytes()
    models = _models(data, str(folder / MODELS))
    return Baseline(folder.name, content_id(text + data), plan, models)


def write_baseline(folder: Path, fitted: Fitted) -> Baseline:
    """Write a fitted baseline's folder and open it."""
    contents = {PLAN: (fitted.plan.model_dump_json(indent=2) + "\n").encode()}
    if fitted.models is not None:
        from safetensors.numpy import save

        contents[MODELS] = save(
            {
                f"{third}.{name}": array
                for third in THIRDS
                for name, array in to_arrays(fitted.models.of(third)).items()
            }
        )
    write_folder(folder, contents)
    return open_baseline(folder)


def _models(data: bytes, source: str) -> ThirdModels:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, Float32Array] = load(data)
    except SafetensorError as error:
        raise ModelError(f"{source}: not a safetensors file: {error}") from error
    parts = [
        from_arrays(
            {
                name.removeprefix(f"{third}."): array
                for name, array in arrays.items()
                if name.startswith(f"{third}.")
            },
            f"{source}, {third}",
        )
        for third in THIRDS
    ]
    return ThirdModels(*parts)
