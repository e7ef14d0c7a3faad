"""Every sentence of the reports, in English and in Spanish, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, unique

from cardioseg.errors import ConfigError


class Language(StrEnum):
    """A language of the reports."""

    ENGLISH = "en"
    SPANISH = "es"


def language_named(code: str) -> Language:
    """The language of that code; a ConfigError lists the codes there are."""
    try:
        return Language(code)
    except ValueError as error:
        known = ", ".join(language.value for language in Language)
        raise ConfigError(f"unknown language {code!r}; choose from {known}") from error


@unique
class Message(Enum):
    """A sentence: its English and its Spanish, with the same `{placeholders}`."""

    TITLE = ("Heart segmentation: {name}", "Segmentación del corazón: {name}")
    NOT_A_DEVICE = (
        "This is not a medical device. It is for research; a person must check every contour, and "
        "no decision about a patient may rest on it.",
        "Esto no es un producto sanitario. Es para investigación; una persona debe revisar cada "
        "contorno y ninguna decisión sobre un paciente puede basarse en él.",
    )
    SKIP = ("Skip to the results", "Ir a los resultados")
    QUALITY = ("Quality", "Calidad")
    ACCEPT = (
        "Accept: the automatic check found nothing wrong.",
        "Aceptar: la revisión automática no encontró nada sospechoso.",
    )
    REVIEW = (
        "Review: a person must look at this before it is used.",
        "Revisar: una persona debe mirarlo antes de usarlo.",
    )
    REJECT = ("Reject: do not use this result.", "Rechazar: no use este resultado.")
    NOT_ASSESSED = (
        "Not assessed: no automatic check was made. Look at every contour.",
        "Sin evaluar: no se hizo ninguna revisión automática. Mire cada contorno.",
    )
    REASONS = ("Reasons", "Motivos")
    NOTES_LANGUAGE = (
        "As the program wrote them when it read and measured the scan.",
        "En inglés, como las escribió el programa al leer y medir el estudio.",
    )
    PREDICTED_DICE = (
        "Expected agreement with a person's contours (Dice, 0 none to 1 perfect)",
        "Coincidencia esperada con los contornos de una persona (Dice, de 0 ninguna a 1 perfecta)",
    )
    FINDINGS = ("Volumes and function", "Volúmenes y función")
    FINDINGS_NOTE = (
        "In brackets the 95 % interval, where it is known. Volumes add up whole voxels.",
        "Entre paréntesis, el intervalo del 95 % donde se conoce. Los volúmenes suman vóxeles "
        "enteros.",
    )
    NO_INTERVALS = (
        "No interval is known for these figures: how far they can be off was not estimated.",
        "No se conoce ningún intervalo para estas cifras: no se estimó cuánto pueden desviarse.",
    )
    QUANTITY = ("Quantity", "Magnitud")
    STRUCTURE = ("Structure", "Estructura")
    PHASE = ("Phase", "Fase")
    VALUE = ("Value", "Valor")
    UNDEFINED = ("undefined", "no definido")
    RANGE = ("{low} to {high}", "{low} a {high}")
    FRAME = ("frame {number}", "fotograma {number}")
    SEGMENTS = ("Wall by AHA segment", "Pared por segmento AHA")
    SLICES = ("Slices with contours", "Cortes con contornos")
    SLICES_OF = ("Slices, {frame}", "Cortes, {frame}")
    SLICE = ("slice {number} of {count}", "corte {number} de {count}")
    SLICE_ALT = (
        "Slice {number} of {count}, {frame}: contours of {structures}.",
        "Corte {number} de {count}, {frame}: contornos de {structures}.",
    )
    SLICE_EMPTY = (
        "Slice {number} of {count}, {frame}: no structure.",
        "Corte {number} de {count}, {frame}: ninguna estructura.",
    )
    NO_IMAGE = (
        "The image was not given: the label maps are drawn without it, and contours cannot be "
        "checked here.",
        "No se dio la imagen: las etiquetas se dibujan sin ella y aquí no se pueden revisar los "
        "contornos.",
    )
    SOME_SLICES = (
        "{shown} of {count} slices are shown: those that hold a label, thinned out where there are "
        "many.",
        "Se muestran {shown} de {count} cortes: los que tienen etiquetas, menos si son muchos.",
    )
    NO_SLICE_AXIS = (
        "No single axis has the largest spacing: the slices are cut along the last axis.",
        "Ningún eje tiene por sí solo el mayor espaciado: se corta por el último eje.",
    )
    STILL = ("still volume", "volumen fijo")
    LEGEND = ("Colours of the contours", "Colores de los contornos")
    MESH = ("The heart in 3-D", "El corazón en 3-D")
    MESH_ALT = (
        "Surfaces of the segmented structures, seen from outside.",
        "Superficies de las estructuras segmentadas, vistas desde fuera.",
    )
    BULLS_EYE = ("Wall thickness, 17 segments", "Grosor de la pared, 17 segmentos")
    BULLS_EYE_ALT = (
        "Bull's eye of the 17 AHA segments; the values are in the table.",
        "Diana de los 17 segmentos AHA; los valores están en la tabla.",
    )
    PICTURE_ALT = ("Picture: {name}.", "Imagen: {name}.")
    CURVES = ("Volume over the heartbeat", "Volumen a lo largo del latido")
    CURVES_ALT = (
        "Volume of each cavity by time; the largest is {largest} ml, the smallest {smallest} ml.",
        "Volumen de cada cavidad en el tiempo; el mayor es {largest} ml, el menor {smallest} ml.",
    )
    TIME = ("time (ms)", "tiempo (ms)")
    FRAME_AXIS = ("frame", "fotograma")
    VOLUME_AXIS = ("volume (ml)", "volumen (ml)")
    GLOSSARY = ("What the words mean", "Qué significan las palabras")
    NOTES = ("Notes on the scan", "Notas sobre el estudio")
    PROVENANCE = ("Where this comes from", "De dónde viene")
    MODEL = ("Model", "Modelo")
    MODEL_ID = ("Model id", "Identificador del modelo")
    VERSION = ("cardioseg version", "Versión de cardioseg")
    INPUT_DIGEST = ("SHA-256 of the input", "SHA-256 de la entrada")
    SCHEME = ("Label scheme", "Esquema de etiquetas")
    GRID = ("Grid", "Rejilla")
    NOT_STATED = ("not stated", "no se indica")

    COHORT_TITLE = ("Evaluation: {name}", "Evaluación: {name}")
    COHORT_SIZE = (
        "{cases} cases of {subjects} patients.",
        "{cases} casos de {subjects} pacientes.",
    )
    COHORT_FEW = (
        "One patient says nothing about the next: there are no intervals.",
        "Un paciente no dice nada del siguiente: no hay intervalos.",
    )
    ACCURACY = ("Agreement with the reference", "Coincidencia con la referencia")
    ACCURACY_NOTE = (
        "Per volume; mean over patients, the cases of a patient averaged first; 95 % bootstrap "
        "interval over patients. A structure missed or found where there is none counts with Dice "
        "0 and the diagonal of the grid as its distance.",
        "Por volumen; media entre pacientes, promediando antes los casos de cada uno; intervalo "
        "bootstrap del 95 % entre pacientes. Una estructura omitida, o hallada donde no la hay, "
        "cuenta con Dice 0 y la diagonal de la rejilla como distancia.",
    )
    METRIC = ("Metric", "Métrica")
    MEAN = ("Mean", "Media")
    INTERVAL = ("95 % interval", "Intervalo del 95 %")
    MEDIAN = ("Median", "Mediana")
    PATIENTS = ("Patients", "Pacientes")
    UNDEFINED_COUNT = ("Undefined", "No definidos")
    MISSED_COUNT = ("Missed", "Omitidas")
    SPURIOUS_COUNT = ("Spurious", "Espurias")
    BOXES = ("Dice by structure", "Dice por estructura")
    BOXES_ALT = (
        "Box plot of Dice by structure, a point for each patient; the figures are in the table.",
        "Diagrama de cajas del Dice por estructura, un punto por paciente; las cifras están en la "
        "tabla.",
    )
    CLINICAL = ("Clinical quantities", "Magnitudes clínicas")
    CLINICAL_NOTE = (
        "Bias is prediction minus reference; the limits hold 95 % of the differences.",
        "El sesgo es predicción menos referencia; los límites contienen el 95 % de las "
        "diferencias.",
    )
    NO_CLINICAL = (
        "The report holds no volumes: nothing to compare.",
        "El informe no contiene volúmenes: nada que comparar.",
    )
    PREDICTION = ("Prediction", "Predicción")
    REFERENCE = ("Reference", "Referencia")
    BIAS = ("Bias", "Sesgo")
    LIMITS = ("Limits of agreement", "Límites de concordancia")
    BLAND_ALTMAN = ("Bland-Altman: {quantity}", "Bland-Altman: {quantity}")
    BLAND_ALTMAN_ALT = (
        "Bland-Altman plot of {quantity}: bias {bias} {unit}, limits {low} to {high}.",
        "Gráfico de Bland-Altman de {quantity}: sesgo {bias} {unit}, límites {low} a {high}.",
    )
    AVERAGE_AXIS = ("mean of the two ({unit})", "media de ambas ({unit})")
    DIFFERENCE_AXIS = ("prediction - reference ({unit})", "predicción - referencia ({unit})")
    EXAMPLES = ("Best, median and worst case", "Mejor caso, mediano y peor")
    BEST = ("best", "mejor")
    MEDIAN_CASE = ("median", "mediano")
    WORST = ("worst", "peor")
    CASE = ("Case", "Caso")
    EXAMPLES_NOTE = (
        "By mean Dice over structures.",
        "Según el Dice medio de las estructuras.",
    )
    NO_EXAMPLES = (
        "Pictures need the image, the reference and the prediction: give --images, --references "
        "and --predictions.",
        "Las imágenes necesitan el estudio, la referencia y la predicción: indique --images, "
        "--references y --predictions.",
    )
    EXAMPLE_ALT = (
        "{kind} case {case}: image, reference and prediction as contours.",
        "Caso {kind}, {case}: imagen, referencia y predicción como contornos.",
    )
    CLAIM = ("CLAIM-style sheet", "Hoja al estilo de CLAIM")
    CLAIM_NOTE = (
        "After the Checklist for Artificial Intelligence in Medical Imaging (Mongan 2020, "
        "doi:10.1148/ryai.2020200029), in our words; filled from the evaluation's own files. What "
        "they don't tell reads 'not stated': {stated} of {total} items are filled.",
        "Según la lista de comprobación de inteligencia artificial en imagen médica (CLAIM, Mongan "
        "2020, doi:10.1148/ryai.2020200029), con nuestras palabras; rellenada con los ficheros de "
        "la evaluación. Lo que no dicen figura como 'no se indica': {stated} de {total} puntos "
        "están rellenados.",
    )
    ITEM = ("Item", "Punto")
    STATED = ("Stated", "Indicado")

    @property
    def english(self) -> str:
        """The English sentence."""
        return self.value[0]

    @property
    def spanish(self) -> str:
        """The Spanish sentence."""
        return self.value[1]


@dataclass(frozen=True)
class Words:
    """Sentences and numbers in one language.

    Examples
    --------
    >>> words = Words(Language.SPANISH)
    >>> words.say(Message.SLICE, number=3, count=9), words.number(61.25)
    ('corte 3 de 9', '61,2')
    """

    language: Language

    def say(self, message: Message, **values: object) -> str:
        """A sentence with its placeholders filled."""
        spanish = self.language is Language.SPANISH
        return (message.spanish if spanish else message.english).format(**values)

    def number(self, value: float, decimals: int = 1) -> str:
        """A number with the language's decimal sign; never a negative zero."""
        text = f"{value:.{decimals}f}"
        text = text.removeprefix("-") if float(text) == 0 else text
        return text.replace(".", ",") if self.language is Language.SPANISH else text
