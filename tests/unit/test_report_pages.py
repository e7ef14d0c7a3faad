"""Pages for people: whole, escaped, in both languages, readable by everybody."""

from __future__ import annotations

import json
import os
import re
import shutil
import string
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import cardioseg.workflows.report as package
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, SCHEMES
from cardioseg.core.measurement import Measurement
from cardioseg.core.quality import Quality, Reason, Verdict
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import ConfigError, DatasetError, FormatError, OutputExistsError
from cardioseg.evaluation import Report, Row
from cardioseg.evaluation.figures import new_figure, png_bytes
from cardioseg.io.images import write_labels as write_segmentation
from cardioseg.io.nifti import write_frames, write_labels, write_volume
from cardioseg.workflows.report import CaseContent, Frame, Language, Origin, case_report
from cardioseg.workflows.report.cohort import CohortContent, claim_facts, cohort_report
from cardioseg.workflows.report.folder import ReportOptions, report_folder
from cardioseg.workflows.report.messages import Message, Words, language_named
from cardioseg.workflows.report.pdf import find_browser, write_pdf
from cardioseg.workflows.report.terms import QUANTITIES, STRUCTURES, quantity_meaning, quantity_name

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "\"><script>alert(1)</script>'{{ 7*7 }}&amp;"


class Page(HTMLParser):
    """Tags of a page, and whether each one that opens also closes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def require_sound(html: str, language: Language) -> Page:
    """A page that is whole, loads nothing, runs nothing, and can be read aloud."""
    page = Page(html)
    assert not page.open
    assert html.startswith("<!doctype html>")
    assert page.all("html") == [{"lang": language.value}]
    assert not page.all("script")
    assert not page.all("link")
    assert "http://" not in html
    assert "https://" not in html
    levels = [int(name[1]) for name, _ in page.tags if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for image in page.all("img"):
        assert image["src"].startswith("data:image/png;base64,iVBOR")
        assert image["alt"]
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(names) == len(set(names))
    assert all(a["aria-labelledby"] in names for _, a in page.tags if "aria-labelledby" in a)
    return page


def frame(name: str = "", radius: int = 5) -> Frame:
    grid = Geometry((24, 24, 4), np.diag([1.5, 1.5, 8.0, 1.0]))
    i, j = np.indices((24, 24)) - 12
    array = np.zeros(grid.shape, np.uint8)
    array[i**2 + j**2 < (radius + 3) ** 2] = 2
    array[i**2 + j**2 < radius**2] = 3
    image = np.random.default_rng(0).random(grid.shape).astype(np.float32) + array
    return Frame(name, LabelMap(array, grid, ACDC), Volume(image, grid))


PNG = png_bytes(new_figure(1, 1), dpi=10)


@pytest.fixture(scope="module")
def content() -> CaseContent:
    return CaseContent(
        name="case_7",
        frames=(frame("ED", 6), frame("ES", 4)),
        measurements=(
            Measurement("end-diastolic volume", "LV cavity", 120.25, "ml", 110.0, 130.0, "ED"),
            Measurement("ejection fraction", "RV cavity", None, "%", note="no RV cavity at ED"),
            Measurement("wall thickness", "myocardium, basal anterior (AHA 1)", 9.1, "mm"),
        ),
        quality=Quality(
            Verdict.REVIEW,
            {"LV cavity": 0.93},
            (Reason(Verdict.REVIEW, "holes", "holes in the wall: look at the contours"),),
        ),
        origin=Origin("sax", "00cae5ba02f523f1", "0.1.0", "ab" * 32),
        times_ms=(0.0, 50.0, 100.0),
        volumes_ml={"LV cavity": (120.0, 60.0, 110.0)},
        mesh=PNG,
        bulls_eye=PNG,
        others={"thickness": PNG},
        notes=("slice 3 is twice in the series",),
    )


@pytest.mark.parametrize("language", list(Language))
def test_a_case_is_told_whole_in_both_languages(content: CaseContent, language: Language) -> None:
    page = require_sound(case_report(content, language), language)
    # Two frames of four slices, the curve, the surfaces, the bull's eye and one more.
    assert len(page.all("img")) == 2 * 4 + 1 + 2 + 1
    words = Words(language)
    for message in (Message.NOT_A_DEVICE, Message.REVIEW, Message.UNDEFINED, Message.MESH):
        assert words.say(message) in page.text
    for told in ("case_7", "00cae5ba02f523f1", "ab" * 32, "no RV cavity at ED", "(AHA 1)"):
        assert told in page.text
    assert "holes in the wall" in page.text
    assert "slice 3 is twice" in page.text
    value = "120,2 ml (110,0 a 130,0)" if language is Language.SPANISH else "120.2 ml (110.0 to"
    assert value in page.text
    assert quantity_meaning("ejection fraction", language) in page.text
    other = Words(Language.ENGLISH if language is Language.SPANISH else Language.SPANISH)
    assert other.say(Message.NOT_A_DEVICE) not in page.text


def test_what_is_not_known_is_told(content: CaseContent) -> None:
    still = frame()
    bare = CaseContent(
        "bare",
        (Frame("", still.labels),),
        (Measurement("volume", "LV cavity", None, "ml", note="not found in the scan"),),
    )
    page = require_sound(case_report(bare), Language.ENGLISH)
    assert Message.NOT_ASSESSED.english in page.text
    assert Message.NO_INTERVALS.english in page.text
    assert Message.NO_IMAGE.english in page.text
    assert page.text.count(Message.NOT_STATED.english) == 4
    assert "undefined" in page.text
    assert "None" not in page.text
    assert Message.NO_INTERVALS.english not in case_report(content)


def test_hostile_words_are_shown_and_never_run(content: CaseContent) -> None:
    hostile = CaseContent(
        name=HOSTILE,
        frames=content.frames,
        measurements=(Measurement(HOSTILE, HOSTILE, 1.0, HOSTILE, phase=HOSTILE, note=HOSTILE),),
        quality=Quality(
            Verdict.REJECT, {HOSTILE: 0.1}, (Reason(Verdict.REJECT, HOSTILE, HOSTILE),)
        ),
        origin=Origin(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        others={HOSTILE: PNG},
        notes=(HOSTILE,),
    )
    html = case_report(hostile)
    page = require_sound(html, Language.ENGLISH)
    assert "<script" not in html
    assert page.text.count(HOSTILE) > 8
    assert "49" not in page.text.replace("249", "")
    rows = tuple(Row(HOSTILE + str(n), str(n), "LV cavity", "dice", 0.5) for n in range(3))
    cohort = cohort_report(CohortContent(HOSTILE, Report(rows), stated={1: HOSTILE}))
    require_sound(cohort, Language.ENGLISH)
    assert "<script" not in cohort


def test_every_sentence_is_in_both_languages_and_is_used() -> None:
    folder = Path(package.__file__).parent
    sources = [p for p in folder.iterdir() if p.suffix in {".py", ".j2"}]
    text = "\n".join(p.read_text(encoding="utf-8") for p in sources)
    for message in Message:
        english, spanish = message.value
        assert english.strip()
        assert spanish.strip()
        fields = [{f for _, f, _, _ in string.Formatter().parse(t) if f} for t in message.value]
        assert fields[0] == fields[1], message
        assert re.search(rf"\b(Message|m)\.{message.name}\b", text), f"{message} is unused"
    same = {m.name for m in Message if m.english == m.spanish}
    assert same == {"BLAND_ALTMAN"}


def test_every_structure_and_quantity_has_a_spanish_name() -> None:
    known = {term.english for term in STRUCTURES}
    assert {s.name for scheme in SCHEMES for s in scheme.structures} <= known
    for term in QUANTITIES:
        assert term.plain_english.endswith(".")
        assert term.plain_spanish.endswith(".")
    assert quantity_name("stroke volume index", Language.SPANISH).startswith("volumen sistólico (")
    assert quantity_name("unheard of", Language.SPANISH) == "unheard of"
    assert quantity_meaning("unheard of", Language.ENGLISH) == ""
    with pytest.raises(ConfigError, match="choose from en, es"):
        language_named("fr")


def test_colours_have_contrast() -> None:
    """Text on its background reaches WCAG's 4.5 to 1."""
    css = Path(package.__file__).with_name("page.html.j2").read_text(encoding="utf-8")

    def luminance(color: str) -> float:
        wide = "".join(c * 2 for c in color) if len(color) == 3 else color
        parts = [int(wide[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    texts = set(re.findall(r"(?<![-\w])color: #([0-9a-f]{3,6})", css))
    grounds = {g for g in re.findall(r"background: #([0-9a-f]{3,6})", css) if g != "000"}
    assert len(texts) > 3
    for text in texts:
        for ground in grounds:
            light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def rows() -> tuple[Row, ...]:
    answer = []
    for patient in range(4):
        for phase, volume in (("ED", 120.0), ("ES", 50.0)):
            case, off = f"p{patient}_{phase}", 1.0 * patient
            dice = None if patient == 3 else 0.9 - 0.1 * patient
            note = "" if dice is not None else "absent from both"
            answer += [
                Row(case, f"p{patient}", "LV cavity", "dice", dice, note=note, phase=phase),
                Row(case, f"p{patient}", "LV cavity", "volume_ml", volume + off, phase=phase),
                Row(case, f"p{patient}", "LV cavity", "volume_error_ml", off, phase=phase),
            ]
    return tuple(answer)


@pytest.mark.parametrize("language", list(Language))
def test_a_cohort_is_told_with_bland_altman_and_claim(language: Language) -> None:
    report = Report(rows())
    examples = (("p0_ED", PNG), ("p1_ED", None), ("p2_ED", None))
    html = cohort_report(CohortContent("ev", report, examples, claim_facts(report)), language)
    page = require_sound(html, language)
    words = Words(language)
    # Box plot, ED and ES volume and the ejection fraction, one example.
    assert len(page.all("img")) == 1 + 3 + 1
    assert page.text.count(words.say(Message.NOT_STATED)) >= 30
    assert "Bland-Altman" in page.text
    name = "fracción de eyección, cavidad del VI" if language is Language.SPANISH else "ejection"
    assert name in page.text
    claim = re.findall(r'<td class="number">(\d+)</td><th', html)
    assert claim == [str(n) for n in range(1, 43)]


def test_claim_states_only_what_the_rows_say() -> None:
    facts = claim_facts(Report(rows()))
    assert {11, 13, 28, 29, 33, 35, 36, 37} == facts.keys()
    assert "(2)" in facts[13]  # patient 3 has no LV cavity in two cases
    assert "8 cases of 4 patients" in facts[33]
    assert "bias 1.5 ml" in facts[36]
    one = cohort_report(CohortContent("one", Report(rows()[:3])))
    assert Message.COHORT_FEW.english in one


@pytest.fixture
def predictions(tmp_path: Path, content: CaseContent) -> Path:
    """A folder as `predict` writes it, with two cases; the first has NAME.json and pictures."""
    folder, images = tmp_path / "secret-person" / "out", tmp_path / "images"
    folder.mkdir(parents=True)
    images.mkdir()
    for name in ("one", "two"):
        shown = frame()
        assert shown.image
        write_labels(shown.labels, folder / f"{name}.nii.gz")
        write_volume(shown.image, images / f"{name}.nii.gz")
    run = {
        "format_version": 1,
        "command": "predict",
        "model": "sax",
        "model_id": "feed",
        "scheme": "acdc",
        "versions": {"cardioseg": "9.8.7"},
        "files": [{"name": "two", "input_sha256": "beef"}],
    }
    (folder / "run.json").write_text(json.dumps(run))
    facts = {
        "format_version": 1,
        "frames": [4],
        "later": "a key that this version does not know",
        "measurements": [
            {"quantity": "volume", "structure": "LV cavity", "value": 12.5, "unit": "ml"}
        ],
        "quality": {"verdict": "accept", "predicted_dice": {}, "reasons": []},
        "function": {"times_ms": [], "volumes_ml": {}, "ed": 4, "es": None},
        "notes": [],
        "provenance": {"model": "other", "scheme": "acdc"},
    }
    (folder / "one.json").write_text(json.dumps(facts))
    (folder / "one").mkdir()
    (folder / "one" / "mesh.png").write_bytes(PNG)
    (folder / "one_bulls_eye.png").write_bytes(PNG)
    return folder


def test_a_folder_of_predictions_becomes_pages(predictions: Path) -> None:
    options = ReportOptions(images=predictions.parents[1] / "images")
    written = report_folder(predictions, options)
    assert [path.name for path in written] == ["one.html", "two.html"]
    one, two = (path.read_text(encoding="utf-8") for path in written)
    for html in (one, two):
        page = require_sound(html, Language.ENGLISH)
        assert "secret-person" not in html
        assert Message.NO_IMAGE.english not in page.text
    assert "12.5 ml" in one
    assert Message.ACCEPT.english in one
    assert "Slices, ED" in one
    assert one.count("<img") == 4 + 2
    assert "beef" in two
    assert "9.8.7" in two
    assert Message.NOT_ASSESSED.english in two
    assert "undefined" in two  # there is no right ventricle
    with pytest.raises(OutputExistsError, match="--force"):
        report_folder(predictions, options)
    target = predictions / "single.html"
    with pytest.raises(DatasetError, match="name a folder"):
        report_folder(predictions, options, target)


def test_notes_on_the_function_stand_beside_those_on_the_scan(predictions: Path) -> None:
    facts = json.loads((predictions / "one.json").read_text())
    facts["notes"] = ["slice 3 is twice in the series"]
    facts["function"]["notes"] = ["frame 9 jumps out of the volume curve and is left out"]
    (predictions / "one.json").write_text(json.dumps(facts))
    page = pages_of(predictions)["one"]
    for note in (*facts["notes"], *facts["function"]["notes"]):
        assert note in page


def test_the_frame_that_was_segmented_is_shown(predictions: Path) -> None:
    images = predictions.parents[1] / "images"
    image = frame().image
    assert image
    write_frames([image] * 5, images / "one.nii.gz")  # NAME.json says that frame 4 was segmented
    page, _ = report_folder(predictions, ReportOptions(images=images))
    assert Message.NO_IMAGE.english not in page.read_text(encoding="utf-8")
    write_frames([image] * 3, images / "one.nii.gz")
    with pytest.raises(DatasetError, match="3 frames, the labels one"):
        report_folder(predictions, ReportOptions(images=images, force=True))


def test_what_cannot_be_reported_is_told(predictions: Path, tmp_path: Path) -> None:
    options = ReportOptions()
    with pytest.raises(DatasetError, match="no such folder"):
        report_folder(tmp_path / "nowhere", options)
    for unused in ("references", "predictions"):
        with pytest.raises(DatasetError, match="holds no evaluation; --references"):
            report_folder(predictions, ReportOptions(**{unused: tmp_path}))
    write_labels(frame().labels, predictions / "three.nii.gz")
    with pytest.raises(DatasetError, match="no image named three"):
        report_folder(predictions, ReportOptions(images=predictions.parents[1] / "images"))
    (predictions / "one.json").write_text('{"format_version": 1, "quality": {"verdict": "fine"}}')
    with pytest.raises(FormatError, match=r"one\.json: quality\.verdict"):
        report_folder(predictions, options)
    (predictions / "one.json").write_text('{"format_version": 2}')
    with pytest.raises(FormatError, match="format version 2"):
        report_folder(predictions, ReportOptions(force=True))
    (predictions / "one.json").unlink()
    run = json.loads((predictions / "run.json").read_text())
    (predictions / "run.json").write_text(json.dumps({**run, "format_version": 2}))
    with pytest.raises(FormatError, match=r"run\.json: format version 2"):
        report_folder(predictions, ReportOptions(force=True))
    (predictions / "run.json").unlink()
    labels = frame().labels
    write_volume(Volume(labels.array.astype(np.float32), labels.geometry), predictions / "one.nii")
    (predictions / "one.nii.gz").unlink()
    with pytest.raises(DatasetError, match="its header names its scheme; add --scheme"):
        report_folder(predictions, ReportOptions(force=True))


def told_of_run(predictions: Path, name: str, case: str, model: str, **also: object) -> None:
    """A record of a run that predicted one case of the folder, in a file of its own."""
    run = json.loads((predictions / "run.json").read_text())
    files = [{"name": case, "input_sha256": f"{model} saw this", **also}]
    (predictions / name).write_text(json.dumps({**run, "model": model, "files": files}))


def pages_of(predictions: Path) -> dict[str, str]:
    """The text of each page."""
    written = report_folder(predictions, ReportOptions(force=True))
    return {path.stem: Page(path.read_text(encoding="utf-8")).text for path in written}


def test_a_run_that_does_not_list_a_case_tells_nothing_of_it(predictions: Path) -> None:
    told_of_run(predictions, "run.json", "two", "second-model")
    (predictions / "one.json").unlink()
    pages = pages_of(predictions)
    assert "second-model" in pages["two"]
    assert "second-model" not in pages["one"]
    assert pages["one"].count(Message.NOT_STATED.english) == 4, "its scheme is in the header"


def test_every_run_of_predict_tells_of_its_cases_and_the_last_has_the_word(
    predictions: Path,
) -> None:
    (predictions / "one.json").unlink()
    told_of_run(predictions, "run-predict-1-of-2.json", "one", "first-share")
    told_of_run(predictions, "run-predict-2-of-2.json", "two", "second-share")
    (predictions / "run.json").unlink()
    pages = pages_of(predictions)  # which leaves a run.json of `report`
    assert "first-share saw this" in pages["one"]
    assert "second-share saw this" in pages["two"]
    run = json.loads((predictions / "run-predict-1-of-2.json").read_text())
    entries = [{"name": name, "input_sha256": "merged"} for name in ("one", "two")]
    merged = {**run, "model": "all", "files": entries}
    (predictions / "run-predict.json").write_text(json.dumps(merged))
    for age, name in enumerate(("run-predict.json", "run-predict-2-of-2.json")):
        os.utime(predictions / name, (2e9 + age, 2e9 + age))
    pages = pages_of(predictions)
    assert "merged" in pages["one"]
    assert "second-share saw this" in pages["two"]


def test_a_run_that_failed_on_a_case_did_not_make_its_labels(predictions: Path) -> None:
    (predictions / "one.json").unlink()
    told_of_run(predictions, "run-predict-1-of-1.json", "one", "unlucky", failed=True)
    assert "unlucky" not in pages_of(predictions)["one"]


def test_a_frames_segmentation_is_of_the_run_that_lists_its_cine(predictions: Path) -> None:
    (predictions / "two.nii.gz").unlink()
    write_segmentation(frame().labels, predictions / "two-phase07.seg.nrrd")
    assert "beef" in pages_of(predictions)["two-phase07"]


def test_a_page_has_the_pictures_of_its_own_case_alone(predictions: Path) -> None:
    for name in ("two_2", "two-es"):
        write_labels(frame().labels, predictions / f"{name}.nii.gz")
    own = ("two-mesh", "two_bulls_eye", "two_curves")
    others = ("two_2-mesh", "two_2_bulls_eye", "two-es-mesh", "two_2", "two-before-treatment")
    for name in (*own, *others):
        (predictions / f"{name}.png").write_bytes(PNG)
    written = report_folder(predictions, ReportOptions())
    counts = {path.stem: path.read_text(encoding="utf-8").count("<img") - 4 for path in written}
    assert counts == {"one": 2, "two": 2, "two_2": 2, "two-es": 1}
    (predictions / "two-es.nii.gz").unlink()
    written = report_folder(predictions, ReportOptions(force=True))
    page = next(path for path in written if path.stem == "two").read_text(encoding="utf-8")
    assert page.count("<img") - 4 == 3, "the models of end systole"


def test_an_evaluation_becomes_one_page(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(Report(rows()).to_json(), encoding="utf-8")
    run = {
        "format_version": 1,
        "command": "evaluate",
        "scheme": "acdc",
        "references_without_prediction": 3,
        "versions": {"numpy": "2"},
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    target = tmp_path / "pages" / "cohort.html"
    options = ReportOptions(language=Language.SPANISH)
    assert report_folder(tmp_path, options, target) == (target,)
    page = require_sound(target.read_text(encoding="utf-8"), Language.SPANISH)
    assert "3 references had no prediction" in page.text
    assert "numpy 2" in page.text
    assert Message.NO_EXAMPLES.spanish in page.text
    record = json.loads(target.with_name("cohort.html.run.json").read_text())
    assert (record["command"], record["language"]) == ("report", "es")
    assert record["files"][0]["name"] == "report.json"


def test_an_evaluation_in_a_folder_of_predictions_tells_its_own_run(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(Report(rows()).to_json(), encoding="utf-8")
    common = {"format_version": 1, "versions": {"numpy": "2"}}
    for name, facts in (
        ("run", {"command": "predict", "scheme": "camus", "versions": {"numpy": "1"}}),
        ("run-evaluate", {"command": "evaluate", "scheme": "acdc"}),
    ):
        facts["references_without_prediction"] = 3 if "evaluate" in name else 0
        (tmp_path / f"{name}.json").write_text(json.dumps({**common, **facts}))
    (page,) = report_folder(tmp_path, ReportOptions())
    text = require_sound(page.read_text(encoding="utf-8"), Language.ENGLISH).text
    assert "3 references had no prediction" in text
    assert "numpy 2" in text
    assert "acdc" in text
    assert "camus" not in text


def test_a_page_is_printed(tmp_path: Path) -> None:
    if find_browser() is None:
        pytest.skip("no Chromium or Chrome to print with")
    write_pdf("<!doctype html><title>t</title><p>words", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_without_a_browser_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(FormatError, match="install chromium"):
        write_pdf("<p>", tmp_path / "page.pdf")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    with pytest.raises(FormatError, match="printed nothing"):
        write_pdf("<p>", tmp_path / "page.pdf")
