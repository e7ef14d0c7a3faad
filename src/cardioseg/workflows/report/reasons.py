"""The quality gate's reasons in Spanish: each sentence of the gate beside its translation."""

from __future__ import annotations

import re

from cardioseg.core.quality import Reason
from cardioseg.workflows.report.messages import Language
from cardioseg.workflows.report.terms import structure_name

_FRAME = re.compile(r"frame (?P<frame>\d+): (?P<rest>.*)", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d.e+-]*%?")

_SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "every voxel of the scan is {}: export the series again",
        "todos los vóxeles del estudio valen {}: exporte la serie otra vez",
    ),
    (
        "{} of the voxels are below {}: these look like the Hounsfield units of CT; the model "
        "reads MR only: choose the cine MR series",
        "el {} de los vóxeles está por debajo de {}: parecen unidades Hounsfield de TC; el "
        "modelo solo lee RM: elija la serie de cine de RM",
    ),
    (
        "{} voxels of ({}, {}, {}) mm, {}: not a stack of slices, as this model reads; choose "
        "the short-axis cine series, or a model for whole hearts",
        "{} vóxeles de ({}; {}; {}) mm, {}: no es una pila de cortes como la que lee este modelo; "
        "elija la serie de cine de eje corto, o un modelo de corazón completo",
    ),
    (
        "only {} slice{}: too few for the volume of a ventricle; choose the whole short-axis stack",
        "solo {} corte{}: muy pocos para el volumen de un ventrículo; elija la pila de eje "
        "corto completa",
    ),
    (
        "pixels of {} x {} mm, usual are {} to {}: check the spacing in the header, or take a "
        "finer series",
        "píxeles de {} x {} mm, lo habitual es de {} a {}: compruebe el espaciado en la "
        "cabecera, o tome una serie más fina",
    ),
    (
        "slices {} mm apart, usual are {} to {}: check the spacing in the header, whether "
        "slices are missing and whether this is a short-axis stack",
        "cortes a {} mm, lo habitual es de {} a {}: compruebe el espaciado en la cabecera, si "
        "faltan cortes y si esto es una pila de eje corto",
    ),
    (
        "slices of {} x {} mm, usual are {} to {}: check the spacing in the header; don't crop "
        "the scan",
        "cortes de {} x {} mm, lo habitual es de {} a {}: compruebe el espaciado en la "
        "cabecera; no recorte el estudio",
    ),
    (
        "nothing in {} of {} slices (number {}): export the series again, or leave volumes aside",
        "no hay nada en {} de {} cortes (número {}): exporte la serie otra vez, o no use los "
        "volúmenes",
    ),
    (
        "nothing found: check the image's contrast",
        "no se encontró nada: compruebe el contraste de la imagen",
    ),
    (
        "no heart found ({} ml in all): choose the short-axis cine series, or check the "
        "image's contrast",
        "no se encontró ningún corazón ({} ml en total): elija la serie de cine de eje corto, "
        "o compruebe el contraste de la imagen",
    ),
    (
        "{} not found: check that the whole heart is in the scan",
        "no se encontró: {}; compruebe que todo el corazón está en el estudio",
    ),
    (
        "{} of what the network took for heart lay in loose pieces and was dropped: look for "
        "parts of the heart that are missing now",
        "el {} de lo que la red tomó por corazón eran piezas sueltas y se quitó: busque partes "
        "del corazón que falten ahora",
    ),
    (
        "{} of the LV cavity's outline has no myocardium around it: close the wall by hand, or "
        "check that the slices are short-axis",
        "el {} del contorno de la cavidad del VI no tiene miocardio alrededor: cierre la pared "
        "a mano, o compruebe que los cortes son de eje corto",
    ),
    (
        "holes of {} of the ventricle inside it: fill them by hand",
        "huecos del {} del ventrículo en su interior: rellénelos a mano",
    ),
    (
        "{} of the structures lie apart from the rest of their slice: look at those slices",
        "el {} de las estructuras está separado del resto de su corte: mire esos cortes",
    ),
    (
        "the heart touches the image's border: part of it may lie outside; take the uncropped "
        "series",
        "el corazón toca el borde de la imagen: puede que una parte quede fuera; tome la serie "
        "sin recortar",
    ),
    (
        "{} ml of heart in all, any adult has more than {}: check the spacing in the header and "
        "whether the whole heart was found",
        "{} ml de corazón en total, cualquier adulto tiene más de {}: compruebe el espaciado en la "
        "cabecera y si se encontró todo el corazón",
    ),
    (
        "{} of {} ml, adults have {} to {}: check the spacing in the header and whether the "
        "whole heart was found",
        "{} de {} ml, los adultos tienen de {} a {}: compruebe el espaciado en la cabecera y "
        "si se encontró todo el corazón",
    ),
    (
        "the left ventricle is {} mm across, adults' are {} to {}: check the pixel size in the "
        "header",
        "el ventrículo izquierdo mide {} mm de ancho, en adultos de {} a {}: compruebe el "
        "tamaño del píxel en la cabecera",
    ),
    (
        "no left ventricle in {} slice{} between others that have it (number {}, from the foot "
        "end): contour them by hand",
        "no hay ventrículo izquierdo en {} corte{} entre otros que lo tienen (número {}, desde "
        "los pies): contornéelos a mano",
    ),
    (
        "a slice's ventricle lies {} mm off its neighbours: check for breathing between slices "
        "or for slices in a wrong order",
        "el ventrículo de un corte está a {} mm de los de sus vecinos: compruebe si hubo "
        "respiración entre cortes o cortes en mal orden",
    ),
    (
        "a slice's ventricle differs by {} of the largest area from its neighbours: look at "
        "that slice, and at the order of the slices",
        "el ventrículo de un corte difiere de sus vecinos en el {} del área mayor: mire ese "
        "corte y el orden de los cortes",
    ),
    (
        "the left ventricle is {} times as long as wide in its largest slice: this looks like "
        "a long-axis view; choose the short-axis stack",
        "el ventrículo izquierdo es {} veces más largo que ancho en su corte mayor: parece una "
        "vista de eje largo; elija la pila de eje corto",
    ),
    (
        "the stack's last slice at the apex still has {} of the largest area: the apex is not "
        "in the scan; volumes are too small",
        "el último corte de la pila en el ápex aún tiene el {} del área mayor: el ápex no está "
        "en el estudio; los volúmenes son demasiado pequeños",
    ),
    (
        "the stack ends in a wide left ventricle that is only {} times as long as wide: the "
        "base is not in the scan; volumes are too small",
        "la pila termina en un ventrículo izquierdo ancho, solo {} veces más largo que ancho: "
        "la base no está en el estudio; los volúmenes son demasiado pequeños",
    ),
    (
        "by the file's orientation the slices run along the heart and not across it: this "
        "looks like a long-axis view; choose the short-axis stack",
        "según la orientación del archivo los cortes van a lo largo del corazón y no a través: "
        "parece una vista de eje largo; elija la pila de eje corto",
    ),
    (
        "the right ventricle winds around the left one the wrong way: the file seems to be "
        "mirrored (or the heart is, as in dextrocardia with situs inversus); convert it again "
        "from DICOM and compare left and right with the scanner's pictures",
        "el ventrículo derecho rodea al izquierdo al revés: el archivo parece reflejado (o lo "
        "está el corazón, como en la dextrocardia con situs inversus); conviértalo otra vez "
        "desde DICOM y compare izquierda y derecha con las imágenes del escáner",
    ),
    (
        "the picture seems to be mirrored, or stored with rows before columns: the file has "
        "lost the patient's orientation, so left and right are a guess; convert it again from "
        "DICOM",
        "la imagen parece reflejada, o guardada con filas antes que columnas: el archivo ha "
        "perdido la orientación del paciente, así que izquierda y derecha son una suposición; "
        "conviértalo otra vez desde DICOM",
    ),
    (
        "by the file's orientation the heart lies unusually: {}. Check the orientation in the "
        "header against the scanner's pictures; rarely it is the anatomy",
        "según la orientación del archivo el corazón está en una posición rara: {}. Compare la "
        "orientación de la cabecera con las imágenes del escáner; rara vez es la anatomía",
    ),
    (
        "the contours are probably wrong (expected Dice: {}): contour by hand",
        "los contornos son probablemente erróneos (Dice esperado: {}): contornee a mano",
    ),
    (
        "the contours are unsure (expected Dice: {}): check and correct them",
        "los contornos son dudosos (Dice esperado: {}): revíselos y corríjalos",
    ),
)

_PARTS = {
    "its apex does not point to the left, the front and the foot": (
        "su ápex no apunta a la izquierda, adelante y a los pies"
    ),
    "its right ventricle does not lie to the right and in front": (
        "su ventrículo derecho no está a la derecha y delante"
    ),
}

_PATTERNS = tuple(
    (re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.DOTALL), spanish)
    for english, spanish in _SENTENCES
)


def reason_words(reason: Reason, language: Language) -> str:
    """What a reason says in that language; a sentence that is not the gate's stays as it is.

    Examples
    --------
    >>> from cardioseg.core.quality import Verdict
    >>> words = "frame 3: holes of 1.5% of the ventricle inside it: fill them by hand"
    >>> reason_words(Reason(Verdict.REVIEW, "holes", words), Language.SPANISH)
    'fotograma 3: huecos del 1,5 % del ventrículo en su interior: rellénelos a mano'
    """
    if language is Language.ENGLISH:
        return reason.words
    framed = _FRAME.fullmatch(reason.words)
    words = framed["rest"] if framed else reason.words
    for pattern, spanish in _PATTERNS:
        found = pattern.fullmatch(words)
        if found:
            told = spanish.format(*map(_value, found.groups()))
            return f"fotograma {framed['frame']}: {told}" if framed else told
    return reason.words


def _value(text: str) -> str:
    """A number, a list of structures, or what the sentence is about, in Spanish."""
    if text in _PARTS:
        return _PARTS[text]
    if "; " in text:
        return "; ".join(_value(part) for part in text.split("; "))
    if _NUMBER.fullmatch(text):
        return text.replace(".", ",").replace("%", " %")
    for sign, spanish in ((" and ", " y "), (", ", ", ")):
        if sign in text:
            return spanish.join(_value(part) for part in text.split(sign))
    name, _, number = text.rpartition(" ")
    if name and _NUMBER.fullmatch(number):
        return f"{structure_name(name, Language.SPANISH)} {_value(number)}"
    return structure_name(text, Language.SPANISH)
