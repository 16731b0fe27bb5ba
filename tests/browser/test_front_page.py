"""front.html as a person meets it: a file opened from disk in a browser, without a network."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from autocompress.report.contract import FrontFile
from autocompress.report.front_files import write_front

EXAMPLE = Path(__file__).parents[2] / "docs" / "front.example.json"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("front")
    write_front(FrontFile.model_validate_json(EXAMPLE.read_bytes()), folder)
    return (folder / "front.html").as_uri()


@pytest.fixture
def opened(browser: webdriver.Chrome, page: str) -> webdriver.Chrome:
    _resize(browser, 1280)
    browser.get(page)
    return browser


def test_the_page_draws_its_plots_without_an_error_or_a_request(opened: webdriver.Chrome) -> None:
    assert opened.execute("getLog", {"type": "browser"})["value"] == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert len(opened.find_elements(By.CSS_SELECTOR, "#scatter .scatterlayer .point")) == 7 + 2 + 1
    assert opened.find_elements(By.CSS_SELECTOR, "#hypervolume .scatterlayer .point")


def test_the_task_and_the_split_can_be_chosen(opened: webdriver.Chrome) -> None:
    assert "click: AUC change against the teacher (test)" in _axis(opened)
    opened.find_element(By.XPATH, "//div[@id='choices']//button[text()='conversion']").click()
    assert "conversion: AUC change against the teacher (test)" in _axis(opened)
    opened.find_element(By.XPATH, "//div[@id='choices']//button[text()='valid']").click()
    assert "conversion: AUC change against the teacher (valid)" in _axis(opened)


def test_a_click_on_a_header_sorts_and_a_second_one_turns_it_round(opened: webdriver.Chrome) -> None:
    header = opened.find_element(By.XPATH, "//table[@id='files']/thead//button[text()='size']")
    header.click()
    sizes = _sizes(opened)
    assert sizes == sorted(sizes)
    header.click()
    assert _sizes(opened) == sorted(sizes, reverse=True)


def test_a_row_opens_to_its_plan(opened: webdriver.Chrome) -> None:
    button = opened.find_element(By.CSS_SELECTOR, "tbody.point button.more")
    detail = opened.find_element(By.ID, str(button.get_attribute("aria-controls")))
    assert not detail.is_displayed()
    button.click()
    assert json.loads(detail.find_element(By.TAG_NAME, "pre").text)["kind"] == "plan"
    button.click()
    assert not detail.is_displayed()


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_never_wider_than_the_window(browser: webdriver.Chrome, page: str, width: int) -> None:
    _resize(browser, width)
    browser.get(page)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def _resize(browser: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _axis(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "#scatter .ytitle").text


def _sizes(browser: webdriver.Chrome) -> list[int]:
    cells = browser.find_elements(By.CSS_SELECTOR, "#files > tbody > tr:first-child > td:nth-child(2)")
    return [int(str(cell.get_attribute("data-key"))) for cell in cells]


@pytest.mark.parametrize("width", [1280, 1100, 900, 400])
def test_a_plot_stays_inside_of_its_column_where_no_bandit_chose(
    browser: webdriver.Chrome, tmp_path: Path, width: int
) -> None:
    front = FrontFile.model_validate_json(EXAMPLE.read_bytes())
    write_front(front.model_copy(update={"bandit": ()}), tmp_path)
    _resize(browser, width)
    browser.get((tmp_path / "front.html").as_uri())
    for plot in ("scatter", "hypervolume"):
        drawn, column = browser.execute_script(
            "const plot = document.getElementById(arguments[0]);"
            "const right = (element) => element.getBoundingClientRect().right;"
            "return [right(plot.querySelector('.main-svg')), right(plot)];",
            plot,
        )
        assert drawn <= column + 1
