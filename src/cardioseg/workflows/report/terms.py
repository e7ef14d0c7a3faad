"""The program's terms, in Spanish, and what each quantity means in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from cardioseg.workflows.report.messages import Language


@dataclass(frozen=True)
class Term:
    """A name as the program writes it, its Spanish, and a plain explanation in both (or none)."""

    english: str
    spanish: str
    plain_english: str = ""
    plain_spanish: str = ""


STRUCTURES = (
    Term("LV cavity", "cavidad del VI"),
    Term("RV cavity", "cavidad del VD"),
    Term("myocardium", "miocardio"),
    Term("blood pool", "cavidades con sangre"),
    Term("LV", "VI"),
    Term("RV", "VD"),
    Term("LA", "AI"),
    Term("RA", "AD"),
    Term("aorta", "aorta"),
    Term("pulmonary artery", "arteria pulmonar"),
    Term("SVC", "VCS"),
    Term("IVC", "VCI"),
    Term("infarct", "infarto"),
    Term("no-reflow", "no reflujo"),
    Term("oedema", "edema"),
    Term("scar", "cicatriz"),
    Term("foreground", "primer plano"),
    Term("background", "fondo"),
    Term("mean of structures", "media de las estructuras"),
)

QUANTITIES = (
    Term(
        "volume",
        "volumen",
        "How much room the structure takes in the scan.",
        "Cuánto espacio ocupa la estructura en el estudio.",
    ),
    Term(
        "end-diastolic volume",
        "volumen telediastólico",
        "Blood in the chamber when it is fullest.",
        "Sangre en la cavidad cuando está más llena.",
    ),
    Term(
        "end-systolic volume",
        "volumen telesistólico",
        "Blood left in the chamber after it has squeezed.",
        "Sangre que queda en la cavidad tras contraerse.",
    ),
    Term(
        "stroke volume",
        "volumen sistólico",
        "Blood that the chamber pushes out with each beat.",
        "Sangre que la cavidad expulsa en cada latido.",
    ),
    Term(
        "ejection fraction",
        "fracción de eyección",
        "Share of its blood that the chamber pushes out with each beat.",
        "Parte de su sangre que la cavidad expulsa en cada latido.",
    ),
    Term(
        "cardiac output",
        "gasto cardíaco",
        "Blood that the chamber pushes out in a minute.",
        "Sangre que la cavidad expulsa en un minuto.",
    ),
    Term(
        "myocardial mass",
        "masa miocárdica",
        "Weight of the heart muscle: its volume times 1.05 g/ml.",
        "Peso del músculo cardíaco: su volumen por 1,05 g/ml.",
    ),
    Term(
        "peak ejection rate",
        "velocidad máxima de eyección",
        "Fastest rate at which the chamber empties.",
        "Mayor velocidad a la que se vacía la cavidad.",
    ),
    Term(
        "peak filling rate",
        "velocidad máxima de llenado",
        "Fastest rate at which the chamber fills.",
        "Mayor velocidad a la que se llena la cavidad.",
    ),
    Term(
        "wall thickness",
        "grosor de la pared",
        "How thick the heart muscle is, in each of 17 segments.",
        "Cuán grueso es el músculo cardíaco en cada uno de 17 segmentos.",
    ),
    Term(
        "wall thickening",
        "engrosamiento de la pared",
        "How much thicker the muscle gets when it squeezes.",
        "Cuánto más grueso se vuelve el músculo al contraerse.",
    ),
    Term("volume, base", "volumen, base", "The third next to the valves.", "El tercio valvular."),
    Term("volume, mid", "volumen, medio", "The middle third.", "El tercio medio."),
    Term("volume, apex", "volumen, ápex", "The third at the tip.", "El tercio de la punta."),
)

METRICS = (
    Term(
        "dice",
        "Dice",
        "Overlap of two outlines: 0 none, 1 perfect.",
        "Solapamiento de dos contornos: 0 ninguno, 1 perfecto.",
    ),
    Term(
        "hd95_mm",
        "HD95 (mm)",
        "Distance that 95 % of the outline keeps within, in mm.",
        "Distancia que no supera el 95 % del contorno, en mm.",
    ),
    Term(
        "assd_mm",
        "ASSD (mm)",
        "Mean distance between two outlines, in mm.",
        "Distancia media entre dos contornos, en mm.",
    ),
    Term(
        "surface_dice",
        "Dice de superficie",
        "Share of the outline that lies within a tolerance.",
        "Parte del contorno que queda dentro de una tolerancia.",
    ),
    Term(
        "volume_error_ml",
        "error de volumen (ml)",
        "Prediction minus reference, in ml.",
        "Predicción menos referencia, en ml.",
    ),
)

_SHOWN_METRICS = {"dice": "Dice", "hd95_mm": "HD95 (mm)", "assd_mm": "ASSD (mm)"}
_SHOWN_METRICS |= {"surface_dice": "surface Dice", "volume_error_ml": "volume error (ml)"}

_INDEX = " index"
_INDEX_WORDS = ("by body surface", "por superficie corporal")


def structure_name(name: str, language: Language) -> str:
    """A structure in that language; one that the table lacks stays as it is."""
    found = _find(name, STRUCTURES)
    return found.spanish if found and language is Language.SPANISH else name


def quantity_name(name: str, language: Language) -> str:
    """A quantity in that language, also one `index`ed to body surface; else as it is."""
    if language is Language.ENGLISH:
        return name
    found = _find(name.removesuffix(_INDEX), QUANTITIES)
    if not found:
        return name
    return f"{found.spanish} ({_INDEX_WORDS[1]})" if name.endswith(_INDEX) else found.spanish


def quantity_meaning(name: str, language: Language) -> str:
    """What a quantity means in plain words; empty where the table lacks it."""
    found = _find(name.removesuffix(_INDEX), QUANTITIES)
    if not found:
        return ""
    index = 1 if language is Language.SPANISH else 0
    plain = (found.plain_english, found.plain_spanish)[index]
    return f"{plain[:-1]}, {_INDEX_WORDS[index]}." if name.endswith(_INDEX) else plain


def metric_name(name: str, language: Language) -> str:
    """A metric as a table's heading has it."""
    found = _find(name, METRICS)
    return found.spanish if found and language is Language.SPANISH else _SHOWN_METRICS[name]


def metric_meaning(name: str, language: Language) -> str:
    """What a metric means in plain words."""
    found = _find(name, METRICS)
    if not found:
        return ""
    return found.plain_spanish if language is Language.SPANISH else found.plain_english


def agreement_name(name: str, language: Language) -> str:
    """A clinical quantity of an evaluation, such as `LV cavity volume, ED`, in that language."""
    if language is Language.ENGLISH:
        return name
    ending = name[name.index(",") :] if "," in name else ""
    head = name.removesuffix(ending)
    for structure in STRUCTURES:
        if head.startswith(structure.english + " "):
            kind = head.removeprefix(structure.english + " ")
            spanish = {
                "volume": "volumen",
                "mass": "masa",
                "ejection fraction": "fracción de eyección",
            }
            return f"{spanish.get(kind, kind)}, {structure.spanish}{ending}"
    return name


def _find(name: str, terms: tuple[Term, ...]) -> Term | None:
    return next((term for term in terms if term.english == name), None)
