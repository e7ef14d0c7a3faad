"""The page in a real Chromium: upload, look, correct, download, the numbers change."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Page,
    Route,
    expect,
    sync_playwright,
)
from tests.live_server import PATIENCE_S, Live, live, small_cine, small_heart

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import Volume
from cardioseg.io.nifti import read_labels, read_volume, write_volume
from cardioseg.service.page import has_viewer
from cardioseg.workflows.provenance import file_digest

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 1000 * PATIENCE_S
SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not has_viewer(), reason="NiiVue is not here; run make viewer"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=SOFTWARE_GL, timeout=PATIENCE_MS
        )
        yield started
        started.close()


def problem_of(message: ConsoleMessage) -> list[str]:
    """An error on the console; that the server refused something is none of the page's."""
    is_refusal = message.text.startswith("Failed to load resource")
    return [message.text] if message.type == "error" and not is_refusal else []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1000, "height": 700}, accept_downloads=True)
    opened.set_default_timeout(PATIENCE_MS)
    opened.set_default_navigation_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.extend(problem_of(message)))
    yield opened
    opened.close()
    assert not problems


def open_page(page: Page, server: Live, query: str = "") -> None:
    page.goto(f"{server.url}/{query}")
    page.wait_for_selector("html[data-ready]")


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#file", path)
    page.wait_for_selector("#canvas[data-shown]")


def coloured(page: Page) -> int:
    """Pixels of the picture that are neither grey nor the red of the crosshair."""
    picture = np.asarray(
        Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB")
    )
    red, green, blue = np.moveaxis(picture.astype(int), 2, 0)
    spread = np.max([red, green, blue], axis=0) - np.min([red, green, blue], axis=0)
    return int(((spread > 30) & (np.maximum(green, blue) > 60)).sum())


def wait_until(page: Page, met: object, tries: int = 300) -> None:
    for _ in range(tries):
        if met():  # type: ignore[operator]
            return
        page.wait_for_timeout(200)
    raise TimeoutError


def middle_of(page: Page) -> tuple[float, float]:
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def ask_page(page: Page, expression: str) -> object:
    """What an expression of the page's own `state` and `viewer` gives."""
    return page.evaluate(
        f"""async () => {{
            const {{ state }} = await import("/static/page.js");
            const {{ viewer }} = state;
            return {expression};
        }}"""
    )


def stroke(page: Page) -> None:
    middle = middle_of(page)
    page.mouse.move(middle[0] - 60, middle[1] - 40)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 40, steps=5)
    page.mouse.up()


def open_correcting(page: Page, server: Live, folder: Path) -> None:
    """A small heart on the page, ready to be corrected."""
    open_page(page, server)
    upload(page, small_heart(folder / "heart.nii.gz"))
    start_correcting(page)


def open_corrected(page: Page, server: Live, folder: Path) -> None:
    """The same with one stroke that is saved."""
    open_correcting(page, server, folder)
    stroke(page)
    wait_until(page, lambda: voxels(page) > 0)


def voxels(page: Page) -> int:
    found = re.search(r"(\d+) (voxels|vóxeles)", page.inner_text("#saved"))
    return int(found[1]) if found else -1


def saved(page: Page, path: Path, name: str) -> Path:
    with page.expect_download() as waiting:
        page.click(f"#files [data-file='{name}']")
    waiting.value.save_as(path)
    return path


def test_the_whole_way(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    page.click("#planes [data-plane=stack]")
    wait_until(page, lambda: coloured(page) > 500)
    page.fill("#opacity", "0")
    wait_until(page, lambda: coloured(page) < 100)
    page.fill("#opacity", "0.8")
    wait_until(page, lambda: coloured(page) > 500)
    before = page.inner_text("#table")
    assert "ml" in before

    page.click("#brush")
    page.wait_for_selector("#tools:not([hidden])")
    page.select_option("#label", "2")
    stroke(page)
    wait_until(page, lambda: voxels(page) > 0)
    changed = voxels(page)
    assert page.inner_text("#table") != before

    page.click("#undo")
    wait_until(page, lambda: voxels(page) == 0)
    assert page.inner_text("#table") == before
    page.click("#redo")
    wait_until(page, lambda: voxels(page) == changed)
    page.click("#propagate")
    wait_until(page, lambda: voxels(page) > changed)
    page.click("#brush")
    page.wait_for_selector("#tools", state="hidden")

    parent = saved(page, tmp_path / "parent.nii.gz", "result.nii.gz")
    edited = saved(page, tmp_path / "edited.nii.gz", "edited.nii.gz")
    first, second = (read_labels(path, ACDC).array for path in (parent, edited))
    assert int(np.count_nonzero(first != second)) == voxels(page)
    job = page.get_attribute("#canvas", "data-shown")
    edit = server.client.get(f"/api/jobs/{job}").json()["edit"]
    assert edit["parent_sha256"] == file_digest(parent)
    assert edit["seconds"] > 0
    saved(page, tmp_path / "training.zip", "training.zip")
    page.click("#remake")
    page.wait_for_selector("#jobs button:nth-child(2)[aria-pressed=true]")
    assert "corrected" in page.inner_text("#jobs")
    page.click("#planes [data-plane=model]")
    page.wait_for_selector("#planes [data-plane=model][aria-pressed=true]")
    wait_until(page, lambda: coloured(page) > 300)
    solid = saved(page, tmp_path / "heart.glb", "result.glb").read_bytes()
    assert solid[:4] == b"glTF"
    page.click("#planes [data-plane=stack]")


def test_the_brush_by_the_keyboard(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    page.focus("#brush")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tools:not([hidden])")
    page.focus("#canvas")
    for key in ("1", "+", "ArrowLeft", "ArrowUp", "Space"):
        page.keyboard.press(key)
    assert page.input_value("#label") == "1"
    assert page.input_value("#size") == "7"
    wait_until(page, lambda: voxels(page) > 0)
    page.keyboard.press("Control+z")
    wait_until(page, lambda: voxels(page) == 0)


def test_a_cine_plays_and_the_planes_and_models_change(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    page.click("#play")
    seen = set()
    wait_until(page, lambda: seen.add(page.input_value("#frame")) or len(seen) == 2)
    page.click("#play")
    assert page.get_attribute("#play", "aria-pressed") == "false"
    page.click("#planes [data-plane=render]")
    wait_until(page, lambda: coloured(page) > 300)
    assert "%" in page.inner_text("#table")
    page.reload()
    page.wait_for_selector("#canvas[data-shown]")
    page.click("#delete")
    page.wait_for_selector("#view", state="hidden")


def test_spanish_and_a_small_screen(page: Page, server: Live, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_page(page, server, "?lang=es")
    assert page.get_attribute("html", "lang") == "es"
    assert "Elegir un archivo" in page.inner_text("#drop")
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    assert "cavidad del VI" in page.inner_text("#table")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
    page.select_option("#language", "en")
    assert "LV cavity" in page.inner_text("#table")


def test_a_refusal_is_told_in_words(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    (tmp_path / "words.nii").write_text("not a scan")
    page.set_input_files("#file", tmp_path / "words.nii")
    expect(page.locator("#error")).to_contain_text("not a scan")


def test_every_control_has_a_name(page: Page, server: Live) -> None:
    open_page(page, server)
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, select, canvas")].filter((each) =>
            !each.textContent.trim() && !(each.labels?.length) && !each.ariaLabel
            && !each.getAttribute("aria-labelledby")).map((each) => each.id)"""
    )
    assert nameless == []
    assert page.title() == "cardioseg"


def held_labels(page: Page, method: str, path: str = "*") -> list[Route]:
    """Hold back the first request of a kind for the labels of a frame; the others go on."""
    held: list[Route] = []

    def handle(route: Route) -> None:
        if route.request.method == method and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(f"**/api/jobs/*/labels/{path}", handle)
    return held


def hold_all(page: Page, pattern: str) -> list[Route]:
    """Hold back all requests of a kind."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    return held


def start_correcting(page: Page) -> None:
    page.click("#brush")
    page.wait_for_selector("#tools:not([hidden])")
    page.select_option("#label", "2")


def edit_of(page: Page, server: Live) -> dict[str, object] | None:
    job = page.get_attribute("#canvas", "data-shown")
    return server.client.get(f"/api/jobs/{job}").json()["edit"]


def frames_saved(page: Page) -> list[str]:
    """Frames whose labels the page saves from now on."""
    frames: list[str] = []
    page.on(
        "request",
        lambda each: (
            frames.append(each.url.split("/")[-1].split("?")[0]) if each.method == "PUT" else None
        ),
    )
    return frames


def test_a_correction_that_cannot_be_saved_is_kept_told_and_saved_later(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    start_correcting(page)
    refusal = {"code": "no_space", "message": "the server cannot store it now"}
    failing = [True]
    page.route(
        "**/api/jobs/*/labels/*",
        lambda route: (
            route.fulfill(status=507, json=refusal)
            if failing[0] and route.request.method == "PUT"
            else route.continue_()
        ),
    )
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    stroke(page)
    expect(page.locator("#saved")).to_contain_text("Not saved: the server cannot store it now")
    page.click("#brush")
    expect(page.locator("#error")).to_contain_text("the server cannot store it now")
    assert len(asked) == 1
    page.fill("#frame", "2")
    wait_until(page, lambda: len(asked) == 2)
    expect(page.locator("#frame-told")).to_have_text("1")
    assert page.is_visible("#tools")
    assert edit_of(page, server) is None
    failing[0] = False
    wait_until(page, lambda: voxels(page) > 0)
    assert edit_of(page, server)["frames"] == [0]  # type: ignore[index]


def test_a_correction_that_cannot_be_saved_may_be_dropped(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_correcting(page, server, tmp_path)
    page.route(
        "**/api/jobs/*/labels/*",
        lambda route: route.abort() if route.request.method == "PUT" else route.continue_(),
    )
    stroke(page)
    expect(page.locator("#saved")).to_contain_text("The server does not answer")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.click("#brush")
    page.wait_for_selector("#tools", state="hidden")
    assert ["Drop it?" in each for each in asked] == [True]
    assert edit_of(page, server) is None


def test_a_scan_that_was_replaced_is_not_shown(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    held: list[Route] = []
    page.route(
        "**/api/jobs/*/events", lambda route: route.continue_() if held else held.append(route)
    )
    page.set_input_files("#file", small_heart(tmp_path / "heart.nii.gz"))
    wait_until(page, lambda: held)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    shown = page.get_attribute("#canvas", "data-shown")
    with page.expect_response("**/events"):
        held[0].continue_()
    page.wait_for_timeout(1000)
    assert page.get_attribute("#canvas", "data-shown") == shown
    assert page.is_visible("#cine")
    expect(page.locator("#jobs button")).to_have_text(["Scan 1: otsu", "Scan 2: otsu"])
    assert page.get_attribute("#jobs button:nth-child(2)", "aria-pressed") == "true"


def test_the_frame_that_is_shown_is_the_one_that_is_edited(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    held, frames = held_labels(page, "GET"), frames_saved(page)
    page.click("#brush")
    wait_until(page, lambda: held)
    page.fill("#frame", "2")
    page.wait_for_timeout(300)
    held[0].continue_()
    expect(page.locator("#frame-told")).to_have_text("2")
    page.wait_for_selector("#tools:not([hidden])")
    page.wait_for_load_state("networkidle")
    page.select_option("#label", "2")
    stroke(page)
    wait_until(page, lambda: voxels(page) > 0)
    assert set(frames) == {"1"}
    assert page.inner_text("#frame-told") == "2"


def test_a_quick_slider_while_correcting(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    start_correcting(page)
    frames = frames_saved(page)
    stroke(page)
    page.evaluate(
        """for (const value of ["2", "1", "2"]) {
            const slider = document.getElementById("frame");
            slider.value = value;
            slider.dispatchEvent(new Event("input"));
        }"""
    )
    expect(page.locator("#frame-told")).to_have_text("2")
    page.wait_for_selector("#tools:not([hidden])")
    page.wait_for_load_state("networkidle")
    assert page.inner_text("#error") == ""
    before = voxels(page)
    assert before > 0
    page.select_option("#label", "1")
    stroke(page)
    wait_until(page, lambda: voxels(page) > before)
    assert frames == ["0", "1"]


def test_a_stream_that_is_cut_is_followed_again(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    cuts: list[Route] = []

    def cut(route: Route) -> None:
        if len(cuts) == 2:
            return route.continue_()
        cuts.append(route)
        if len(cuts) == 2:
            return route.abort()
        return route.fulfill(status=200, content_type="text/event-stream", body=": ping\n\n")

    page.route("**/api/jobs/*/events", cut)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    assert len(cuts) == 2
    assert "ml" in page.inner_text("#table")


def test_a_deleted_job_is_told_in_words(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server, "?lang=es")
    gone = "event: gone\ndata: {}\n\n"
    page.route(
        "**/api/jobs/*/events",
        lambda route: route.fulfill(status=200, content_type="text/event-stream", body=gone),
    )
    page.set_input_files("#file", small_heart(tmp_path / "heart.nii.gz"))
    expect(page.locator("#error")).to_contain_text("El servidor ha borrado este trabajo")


def test_the_language_changes_while_a_cine_plays(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    page.click("#play")
    page.select_option("#language", "es")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    assert page.inner_text("#play") == "Pausa"


def test_after_a_revert_nothing_is_offered_as_corrected(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_corrected(page, server, tmp_path)
    assert page.is_visible("#remake")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#revert")
    wait_until(page, lambda: voxels(page) == 0)
    assert page.is_hidden("#remake")
    assert page.locator("#files [data-file='training.zip']").count() == 0


def test_nothing_is_drawn_while_the_server_carries(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_correcting(page, server, tmp_path)
    frames = frames_saved(page)
    stroke(page)
    wait_until(page, lambda: voxels(page) > 0)
    before = voxels(page)
    held = held_labels(page, "POST", "*/propagate*")
    page.click("#propagate")
    wait_until(page, lambda: held)
    assert page.is_disabled("#undo")
    page.select_option("#label", "1")
    page.focus("#canvas")
    stroke(page)
    for key in ("Space", "Control+z"):
        page.keyboard.press(key)
    held[0].continue_()
    wait_until(page, lambda: voxels(page) > before)
    page.wait_for_selector("#tools:not([hidden])")
    page.wait_for_load_state("networkidle")
    carried = voxels(page)
    page.wait_for_timeout(1500)
    assert frames == ["0"]
    assert edit_of(page, server)["voxels_changed"] == carried  # type: ignore[index]
    stroke(page)
    wait_until(page, lambda: frames == ["0", "0"])


def test_after_a_carry_that_failed_drawing_goes_on(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_corrected(page, server, tmp_path)
    page.route("**/propagate*", lambda route: route.abort())
    page.click("#propagate")
    expect(page.locator("#error")).to_contain_text("The server does not answer")
    expect(page.locator("#undo")).to_be_enabled()
    frames = frames_saved(page)
    page.select_option("#label", "1")
    page.focus("#canvas")
    stroke(page)
    wait_until(page, lambda: frames == ["0"])
    page.click("#undo")
    page.click("#undo")
    wait_until(page, lambda: voxels(page) == 0)


def test_the_stack_of_a_single_thin_picture_is_shown_from_the_front(
    page: Page, server: Live, tmp_path: Path
) -> None:
    heart = read_volume(small_heart(tmp_path / "heart.nii.gz"))
    affine = heart.geometry.affine @ np.diag([1, 1, 0.05, 1])
    middle = heart.array[:, :, heart.array.shape[2] // 2, None]
    write_volume(Volume(middle, Geometry(middle.shape, affine)), tmp_path / "picture.nii.gz")
    open_page(page, server)
    upload(page, tmp_path / "picture.nii.gz")
    page.click("#planes [data-plane=stack]")
    wait_until(page, lambda: coloured(page) > 500, tries=50)


def test_a_stroke_that_leaves_the_picture_is_saved_and_undone(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_correcting(page, server, tmp_path)
    across, down = middle_of(page)
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across, 0, steps=12)
    page.mouse.up()
    wait_until(page, lambda: voxels(page) > 0)
    page.click("#undo")
    wait_until(page, lambda: voxels(page) == 0)


def test_a_single_point_to_be_filled_is_saved(page: Page, server: Live, tmp_path: Path) -> None:
    open_correcting(page, server, tmp_path)
    page.check("#filled")
    across, down = middle_of(page)
    page.mouse.click(across + 30, down + 30)
    wait_until(page, lambda: voxels(page) > 0)


def test_a_stroke_that_is_under_way_is_saved_at_the_end(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_correcting(page, server, tmp_path)
    across, down = middle_of(page)
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across + 60, down + 40, steps=5)
    page.focus("#brush")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tools", state="hidden")
    page.mouse.up()
    assert edit_of(page, server)["voxels_changed"] > 0  # type: ignore[index,operator]


def test_no_numbers_stand_beside_the_picture_of_another_scan(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    page.route("**/files/image.nii.gz", lambda route: route.abort())
    page.set_input_files("#file", small_cine(tmp_path / "cine.nii.gz"))
    page.wait_for_selector("#cine:not([hidden])")
    expect(page.locator("#error")).to_contain_text("The server does not answer")
    assert ask_page(page, "viewer.nv.volumes.length") == 0
    assert page.get_attribute("#canvas", "data-shown") is None


def test_what_is_of_the_models_labels_says_so_after_a_correction(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_corrected(page, server, tmp_path)
    marked = page.locator("#files button", has_text="of the model's labels")
    assert {each.inner_text().split(" (of")[0] for each in marked.all()} == {
        "Label map",
        "Measurements (JSON)",
        "Findings (JSON)",
        "Make 3-D models (STL, glTF)",
        "Make the report",
        "Make files for 3D Slicer",
    }
    expect(page.locator("#quality")).to_contain_text("Quality (of the model's labels")
    page.click("#planes [data-plane=model]")
    expect(page.locator("#error")).to_contain_text("Make all files from the correction")
    assert page.get_attribute("#planes [data-plane=model]", "aria-pressed") == "false"


def test_a_model_is_shown_with_its_own_job_alone(page: Page, server: Live, tmp_path: Path) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    held = hold_all(page, "**/*.stl")
    page.click("#planes [data-plane=model]")
    wait_until(page, lambda: len(held) == 3)
    page.set_input_files("#file", small_cine(tmp_path / "cine.nii.gz"))
    page.wait_for_selector("#cine:not([hidden])")
    page.wait_for_selector("#canvas[data-shown]")
    for each in held:
        each.continue_()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    assert ask_page(page, "viewer.hasModel") is False
    assert page.get_attribute("#planes [data-plane=model]", "aria-pressed") == "false"


def test_no_key_moves_the_image_without_its_labels(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_cine(tmp_path / "cine.nii.gz"))
    start_correcting(page)
    page.mouse.move(*middle_of(page))
    page.focus("#canvas")
    for key in ("Control+ArrowRight", "Alt+ArrowRight", "Control+Shift+ArrowRight", "h", "v"):
        page.keyboard.press(key)
    assert ask_page(page, "viewer.nv.volumes.map((each) => each.frame4D)") == [0, 0]
    for key in ("Space", "Control+z"):
        page.keyboard.press(key)
    expect(page.locator("#redo")).to_be_enabled()


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal", "stack"])
def test_an_arrow_moves_the_crosshair_where_it_points(
    page: Page, server: Live, tmp_path: Path, plane: str
) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    page.click(f"#planes [data-plane={plane}]")
    page.focus("#canvas")
    where = "[...viewer.nv.frac2canvasPos(viewer.nv.scene.crosshairPos)]"
    before = ask_page(page, where)
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    after = ask_page(page, where)
    assert after[0] > before[0]  # type: ignore[index]
    assert after[1] < before[1]  # type: ignore[index]


def test_the_corrected_job_of_an_earlier_scan_is_found_again(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_corrected(page, server, tmp_path)
    first = page.get_attribute("#canvas", "data-shown")
    page.set_input_files("#file", small_cine(tmp_path / "cine.nii.gz"))
    page.wait_for_selector("#cine:not([hidden])")
    page.reload()
    page.wait_for_selector("#canvas[data-shown]")
    assert page.is_visible("#cine")
    page.click("#jobs button:has-text('Scan 1: otsu')")
    page.wait_for_selector(f"#canvas[data-shown='{first}']")
    assert voxels(page) > 0


def test_a_scan_that_is_done_while_another_is_corrected_waits(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    first = page.get_attribute("#canvas", "data-shown")
    held = hold_all(page, "**/api/jobs/*/events")
    page.set_input_files("#file", small_cine(tmp_path / "cine.nii.gz"))
    wait_until(page, lambda: held)
    start_correcting(page)
    held[0].continue_()
    expect(page.locator("#status")).to_contain_text("Scan 2 with otsu".lower())
    assert page.get_attribute("#canvas", "data-shown") == first
    stroke(page)
    wait_until(page, lambda: voxels(page) > 0)
    page.click("#jobs button:has-text('Scan 2: otsu')")
    page.wait_for_selector("#cine:not([hidden])")


def test_hand_work_is_dropped_only_where_a_person_says_so(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_corrected(page, server, tmp_path)
    before = voxels(page)
    asked: list[str] = []
    answers = [False, True, False, True]

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept() if answers[len(asked) - 1] else dialog.dismiss()

    page.on("dialog", answer)
    page.click("#revert")
    wait_until(page, lambda: len(asked) == 1)
    assert voxels(page) == before
    page.click("#revert")
    wait_until(page, lambda: voxels(page) == 0)
    page.click("#undo")
    wait_until(page, lambda: voxels(page) == before)
    page.click("#delete")
    wait_until(page, lambda: len(asked) == 3)
    assert page.is_visible("#view")
    page.click("#delete")
    page.wait_for_selector("#view", state="hidden")
    assert ["corrections" in each for each in asked] == [True] * 4


def test_what_was_carried_can_be_undone(page: Page, server: Live, tmp_path: Path) -> None:
    open_corrected(page, server, tmp_path)
    before = voxels(page)
    page.click("#propagate")
    wait_until(page, lambda: voxels(page) > before)
    expect(page.locator("#undo")).to_be_enabled()
    page.click("#undo")
    wait_until(page, lambda: voxels(page) == before)


def test_the_labels_that_another_window_saved_are_not_overwritten(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_correcting(page, server, tmp_path)
    job = page.get_attribute("#canvas", "data-shown")
    url = f"/api/jobs/{job}/labels/0"
    labels = bytearray(server.client.get(url).content)
    labels[-1] = (labels[-1] + 1) % 4
    assert server.client.put(url, content=bytes(labels)).status_code == 200
    stroke(page)
    expect(page.locator("#error")).to_contain_text("somebody else has changed these labels")
    page.wait_for_selector("#tools:not([hidden])")
    assert edit_of(page, server)["voxels_changed"] == 1  # type: ignore[index]
    wait_until(page, lambda: voxels(page) == 1)
    page.select_option("#label", "2")
    stroke(page)
    wait_until(page, lambda: voxels(page) > 1)
    assert server.client.get(url).content[-1] == labels[-1]


def test_a_save_whose_answer_was_lost_is_not_taken_for_anothers(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_correcting(page, server, tmp_path)
    lost: list[int] = []

    def lose_first(route: Route) -> None:
        if route.request.method != "PUT" or lost:
            return route.continue_()
        lost.append(route.fetch().status)
        return route.abort()

    page.route("**/api/jobs/*/labels/*", lose_first)
    stroke(page)
    expect(page.locator("#saved")).to_contain_text("The server does not answer")
    before = edit_of(page, server)["voxels_changed"]  # type: ignore[index]
    page.select_option("#label", "1")
    across, down = middle_of(page)
    page.mouse.click(across + 60, down - 40)
    wait_until(page, lambda: voxels(page) > before)  # type: ignore[operator]
    assert lost == [200]
    assert page.inner_text("#error") == ""


def test_a_scan_that_waits_is_taken_up_after_a_reload(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    held: list[Route] = []
    page.route(
        "**/api/jobs/*/events", lambda route: route.continue_() if held else held.append(route)
    )
    waiting = [True]

    def at_work(route: Route) -> None:
        """The job as it was before it was done."""
        answer = route.fetch()
        state = "queued" if waiting.pop() else "done"
        route.fulfill(json={**answer.json(), "state": state})

    page.set_input_files("#file", small_heart(tmp_path / "heart.nii.gz"))
    wait_until(page, lambda: held)
    page.route(re.compile(r"/api/jobs/\w+$"), at_work)
    page.reload()
    page.wait_for_selector("#canvas[data-shown]")
    assert not waiting


def test_where_one_of_several_jobs_is_deleted_another_is_shown(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_page(page, server)
    upload(page, small_heart(tmp_path / "heart.nii.gz"))
    first = page.get_attribute("#canvas", "data-shown")
    page.set_input_files("#file", small_cine(tmp_path / "cine.nii.gz"))
    page.wait_for_selector("#cine:not([hidden])")
    page.wait_for_selector("#canvas[data-shown]")
    page.click("#delete")
    page.wait_for_selector(f"#canvas[data-shown='{first}']")
    page.click("#delete")
    page.wait_for_selector("#view", state="hidden")


def test_a_double_click_makes_one_job(page: Page, server: Live, tmp_path: Path) -> None:
    open_corrected(page, server, tmp_path)
    posted: list[str] = []
    page.on("request", lambda each: posted.append(each.url) if each.method == "POST" else None)
    page.dblclick("#remake")
    page.wait_for_selector("#jobs button:nth-child(2)[aria-pressed=true]")
    page.wait_for_load_state("networkidle")
    assert len(posted) == 1
    assert page.locator("#jobs button").count() == 2


def test_several_files_at_once_are_refused(page: Page, server: Live) -> None:
    open_page(page, server, "?lang=es")
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            for (const name of ["a.dcm", "b.dcm"]) dataTransfer.items.add(new File(["x"], name));
            dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
        }"""
    )
    expect(page.locator("#error")).to_contain_text("en un solo zip")


def test_the_time_of_deletion_is_told_and_before_it_a_warning(
    page: Page, server: Live, tmp_path: Path
) -> None:
    open_corrected(page, server, tmp_path)
    assert re.search(r"at \d{1,2}:\d\d", page.inner_text("#kept"))
    told = page.inner_text("#status")
    assert "corrections" not in told
    page.evaluate(
        """async () => {
            const [{ state }, { update }] = await Promise.all(
                [import("/static/page.js"), import("/static/results.js")]);
            update({ ...state.shown, until: Date.now() + 5 * 60_000 + 500 });
        }"""
    )
    assert page.inner_text("#status") == told
    expect(page.locator("#status")).to_contain_text("deletes this job and its corrections at")
