"""A sheet after CLAIM, the checklist for AI in medical imaging: what an evaluation can fill.

The items follow the checklist's order and numbers; the wording is our own.

References: Mongan, Moy and Kahn, Radiology: Artificial Intelligence 2 (2020),
doi:10.1148/ryai.2020200029.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cardioseg.workflows.report.messages import Language, Words

ITEMS: tuple[tuple[str, str], ...] = (
    ("Says that it studies AI, and of which kind", "Dice que estudia IA, y de qué tipo"),
    ("Summary of design, methods, results, conclusions", "Resumen de diseño, métodos, resultados"),
    ("Background, intended use and clinical role", "Antecedentes, uso previsto y papel clínico"),
    ("Aims and hypotheses", "Objetivos e hipótesis"),
    ("Prospective or retrospective", "Prospectivo o retrospectivo"),
    ("Goal of the study", "Meta del estudio"),
    ("Sources of the data", "Origen de los datos"),
    ("Who could take part: how, where, when", "Quién podía participar: cómo, dónde, cuándo"),
    ("How images were prepared", "Cómo se prepararon las imágenes"),
    ("Parts of the data that were chosen", "Partes de los datos que se eligieron"),
    ("Definitions of what was recorded", "Definiciones de lo que se registró"),
    ("How identities were removed", "Cómo se quitaron las identidades"),
    ("How missing data were handled", "Cómo se trataron los datos que faltan"),
    ("What the reference is", "Qué es la referencia"),
    ("Why that reference", "Por qué esa referencia"),
    ("Who annotated, with what training", "Quién anotó y con qué formación"),
    ("Tools of annotation", "Herramientas de anotación"),
    ("How far annotators vary", "Cuánto varían los anotadores"),
    ("Intended number of cases, and why", "Número previsto de casos y por qué"),
    ("How data were divided", "Cómo se repartieron los datos"),
    ("Level at which the parts are disjoint", "Nivel en que las partes no se solapan"),
    ("The model: inputs, layers, outputs", "El modelo: entradas, capas, salidas"),
    ("Software and versions", "Programas y versiones"),
    ("How parameters were initialised", "Cómo se inicializaron los parámetros"),
    ("How it was trained", "Cómo se entrenó"),
    ("How the final model was chosen", "Cómo se eligió el modelo final"),
    ("Models joined together", "Modelos combinados"),
    ("Metrics", "Métricas"),
    ("Uncertainty and tests", "Incertidumbre y pruebas"),
    ("Robustness", "Robustez"),
    ("How answers are explained", "Cómo se explican las respuestas"),
    ("Test on data from elsewhere", "Prueba con datos de otro origen"),
    ("Flow of cases, and who was left out", "Flujo de casos y quién quedó fuera"),
    ("Who the patients are", "Quiénes son los pacientes"),
    ("Performance", "Rendimiento"),
    ("Accuracy and its precision", "Exactitud y su precisión"),
    ("Failures", "Fallos"),
    ("Limits of the study", "Límites del estudio"),
    ("What follows for practice", "Qué implica para la práctica"),
    ("Registration", "Registro"),
    ("Where the protocol is", "Dónde está el protocolo"),
    ("Funding", "Financiación"),
)


@dataclass(frozen=True)
class ClaimLine:
    """One item of the sheet; `stated` is empty where nobody said it."""

    number: int
    item: str
    stated: str


def claim_sheet(stated: Mapping[int, str], words: Words) -> tuple[ClaimLine, ...]:
    """The 42 items with what is known of each.

    Parameters
    ----------
    stated
        What is known, by the item's number, 1 to 42.
    words
        The language of the items.

    Examples
    --------
    >>> sheet = claim_sheet({28: "Dice"}, Words(Language.ENGLISH))
    >>> len(sheet), sheet[27].item, sheet[27].stated, sheet[0].stated
    (42, 'Metrics', 'Dice', '')
    """
    index = 1 if words.language is Language.SPANISH else 0
    return tuple(
        ClaimLine(number, item[index], stated.get(number, ""))
        for number, item in enumerate(ITEMS, start=1)
    )
