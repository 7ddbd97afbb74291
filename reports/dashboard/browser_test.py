#!/usr/bin/python3
"""Tests the page in headless Chromium: browser_test.py DASHBOARD FIXTURE.

Without Chromium the tests are skipped, except where XDNA_CI is set: there they fail.  A screenshot
of each view, wide and narrow, light and dark, is among the test's outputs.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.sax.saxutils

import chromium

VIEWS = ("headline", "ladder", "history", "roofline", "budget", "sweep", "coverage", "headroom",
         "records")
CHARTS = VIEWS[:6] + ("headroom",)
WIDE, NARROW = (1400, 1100), (390, 1100)
# Of the browser's main thread, so that a busy machine changes little.
LOAD_SECONDS = 2

CHART_MARKS = ".scatterlayer .point, .waterfalllayer .point, .heatmaplayer image"
TABLE_MARKS = "#main tbody td"
COLUMN = """[...document.querySelectorAll('#main table:last-of-type tbody tr')]
    .map((row) => row.cells[%d].textContent)"""

PROGRAMS = {}


def make_page(folder, *arguments):
    """Writes records and their page; returns its address."""
    records = folder / "runs.jsonl"
    subprocess.run([PROGRAMS["fixture"], records, *arguments], check=True)
    subprocess.run([PROGRAMS["dashboard"], records, f"--out={folder}"], check=True,
                   stdout=subprocess.DEVNULL)
    return f"file://{folder}/index.html"


class PageTest(unittest.TestCase):
    """All tests share a browser; each opens the page anew or goes on with it."""

    @classmethod
    def setUpClass(cls):
        program = chromium.find()
        if program is None:
            reason = "no Chromium here; the package is in tools/apt-packages-browser.txt"
            raise AssertionError(reason) if os.environ.get("XDNA_CI") else unittest.SkipTest(reason)
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.page = make_page(cls.folder("page"))
        cls.browser = chromium.Browser(program)
        cls.addClassCleanup(cls.browser.close)

    @classmethod
    def folder(cls, name):
        path = pathlib.Path(cls.scratch.name) / name
        path.mkdir()
        return path

    def setUp(self):
        self.browser.size(*WIDE)
        self.browser.prefer("light")
        self.browser.complaints.clear()

    def tearDown(self):
        self.assertEqual(self.browser.complaints, [])

    def open(self, hash_="", page=None):
        self.browser.open((page or self.page) + hash_)
        self.browser.wait("document.documentElement.dataset.ready")

    def count(self, selector):
        return self.browser.run(f"document.querySelectorAll('{selector}').length")

    def text(self, selector):
        return self.browser.run(f"document.querySelector('{selector}').textContent")

    def go(self, hash_):
        """To another view of the page that is open."""
        self.browser.run(f"location.hash = {hash_!r}; new Promise(requestAnimationFrame)")
        name = hash_.lstrip("#").split("?")[0]
        self.browser.wait(f"document.querySelector('h2').textContent.toLowerCase() == '{name}'")

    def test_each_view_has_marks_and_fits_at_every_size(self):
        outputs = pathlib.Path(os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR", self.folder("shots")))
        self.open()
        for size in (WIDE, NARROW):
            self.browser.size(*size)
            for scheme in ("light", "dark"):
                self.browser.prefer(scheme)
                for view in VIEWS:
                    self.go("#" + view)
                    with self.subTest(view=view, size=size, scheme=scheme):
                        marks = CHART_MARKS if view in CHARTS else TABLE_MARKS
                        self.assertGreater(self.count(marks), 0)
                        self.assertEqual(self.count(".empty"), 0)
                        width = self.browser.run("document.documentElement.scrollWidth")
                        self.assertLessEqual(width, size[0])
                    self.browser.screenshot(outputs / f"{view}-{size[0]}-{scheme}.png")

    def test_nothing_comes_from_a_network(self):
        self.open()
        self.assertEqual([url for url in self.browser.requests
                          if not url.startswith(("file:", "data:", "blob:", "about:"))], [])

    def test_ten_thousand_records_load_quickly(self):
        page = make_page(self.folder("many"), "--many=10000")
        fresh = chromium.Browser(chromium.find())
        self.addCleanup(fresh.close)
        fresh.call("Performance.enable", timeDomain="threadTicks")
        fresh.open(page + "#records")
        fresh.wait("document.documentElement.dataset.ready")
        self.assertIn("Records: 10000", fresh.run("document.getElementById('main').textContent"))
        metrics = fresh.call("Performance.getMetrics")["metrics"]
        [seconds] = [metric["value"] for metric in metrics if metric["name"] == "ThreadTime"]
        self.assertLess(seconds, LOAD_SECONDS)

    def test_filter(self):
        self.open("#records")
        everything = self.count("#main tbody tr")
        self.browser.press("/")
        self.assertEqual(self.browser.run("document.activeElement.id"), "filter")
        for letter in "op=softmax bf16":
            self.browser.press(letter)
        self.browser.wait(f"document.querySelectorAll('#main tbody tr').length < {everything}")
        self.assertEqual(self.browser.run(COLUMN % 0),
                         ["softmax · m=1500,n=512 · bf16 · cpu · threads=2 · fast"])
        self.assertIn("q=op%3Dsoftmax+bf16", self.browser.run("location.hash"))
        # It holds for the other views, too, and one without data says so.
        self.go("#ladder?q=softmax")
        self.assertIn("no record of a schedule", self.text(".empty"))
        self.go("#headroom?q=softmax")
        self.assertEqual(self.count(CHART_MARKS), 2)

    def test_sort(self):
        self.open("#headroom")
        click = "document.getElementById('sort-% left').click()"
        numbers = lambda: [float(text) for text in self.browser.run(COLUMN % 1)]
        self.assertEqual(numbers(), sorted(numbers()))
        self.browser.run(click)
        self.assertEqual(numbers(), sorted(numbers(), reverse=True))
        self.assertEqual(self.count("[aria-sort=descending]"), 1)
        # The link carries the order.
        self.open(self.browser.run("location.hash"))
        self.assertEqual(numbers(), sorted(numbers(), reverse=True))

    def test_links_carry_choices(self):
        self.open("#ladder?shape=whisper-base&theme=dark")
        chosen = "document.getElementById('choose-shape').value"
        self.assertEqual(self.browser.run(chosen), "whisper-base")
        self.assertEqual(self.browser.run("document.documentElement.dataset.theme"), "dark")
        self.browser.run("""const s = document.getElementById('choose-shape');
            s.value = 'seed-3001'; s.dispatchEvent(new Event('change'))""")
        self.assertIn("shape=seed-3001", self.browser.run("location.hash"))
        self.go("#roofline?place=npu+%C2%B7+phx-1.0%2C+modelled")
        self.assertEqual(self.browser.run("document.getElementById('choose-place').value"),
                         "npu · phx-1.0, modelled")
        # A link to something that is not there shows something that is.
        self.open("#nowhere?shape=zzz")
        self.assertEqual(self.text("h2"), "Headline")

    def test_keyboard(self):
        self.open()
        self.browser.press("3")
        self.browser.wait("document.querySelector('h2').textContent == 'History'")
        self.browser.press("d")
        self.browser.wait("document.documentElement.dataset.theme == 'dark'")
        self.browser.press("Tab")
        self.assertNotEqual(self.browser.run("document.activeElement.tagName"), "BODY")

    def test_follows_the_systems_colours(self):
        back = "getComputedStyle(document.body).backgroundColor"
        self.open()
        light = self.browser.run(back)
        self.browser.prefer("dark")
        self.browser.wait(f"{back} != '{light}'")

    def test_measured_and_modelled_share_no_mark(self):
        marks = {"measured": set(), "modelled": set()}
        self.open()
        for view in ("roofline", "ladder", "history", "headroom", "headline",
                     "roofline?place=npu+%C2%B7+phx-1.0%2C+modelled"):
            self.go("#" + view)
            for name, symbol in self.browser.run("""document.querySelector('.chart').data
                    .filter((t) => t.marker).map((t) => [t.name, t.marker.symbol])"""):
                for provenance in marks:
                    if provenance in name:
                        marks[provenance].add(symbol)
        self.assertTrue(marks["measured"] and marks["modelled"])
        self.assertFalse(marks["measured"] & marks["modelled"])

    def test_wrong_results_have_no_time_and_text_stays_text(self):
        self.open("#ladder")
        reason = "rel-L2 0.31 > 0.07 </script><img src=x onerror"
        self.assertIn(reason, self.text("#main"))
        self.assertEqual(self.browser.run("document.images.length"), 0)
        # The first two are the claims and the line that joins what was found.
        found = "document.querySelector('.chart').data.slice(2).flatMap((t) => t.y)"
        names = self.browser.run(found)
        self.assertIn("phase6-resident", names)
        self.assertNotIn("phase5-int8", names)

    def test_a_step_is_named_with_its_revision(self):
        self.open("#history?series=encoder%2Fwhisper-base%2Fbf16%2Fcpu%2Fthreads%3D2%2Ffast%2F-%2F-"
                  "%2F1+measured+amd-family26-model2-avx512_bf16-2cpu")
        notes = "document.querySelector('.chart').layout.annotations.map((a) => a.text)"
        [text] = self.browser.run(notes)
        self.assertRegex(text, r"^\+1[12] % time<br>c0ffee000011$")

    def test_views_without_data_say_so(self):
        page = make_page(self.folder("few"), "--many=1")
        self.open("", page)
        for view in ("headline", "ladder", "budget", "sweep"):
            self.go("#" + view)
            self.assertRegex(self.text(".empty"), r"^There is no .*bazel run //bench:")


class Result(unittest.TextTestResult):
    """Keeps what the XML report of `bazel test` says of each test."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = {}

    def startTest(self, test):
        super().startTest(test)
        self.cases[test.id()] = ""

    def write_xml(self, path):
        for test, text in self.failures + self.errors:
            self.note(test, "failure", text)
        for test, reason in self.skipped:
            self.note(test, "skipped", reason)
        with open(path, "w", encoding="utf-8") as file:
            file.write("<testsuites><testsuite name='browser_test'>\n")
            for name, inner in self.cases.items():
                name = xml.sax.saxutils.quoteattr(name)
                file.write(f"<testcase name={name}>{inner}</testcase>\n")
            file.write("</testsuite></testsuites>\n")

    def note(self, test, kind, text):
        name = getattr(test, "test_case", test).id()
        self.cases[name] = f"<{kind} message={xml.sax.saxutils.quoteattr(text)}/>"


def main():
    PROGRAMS["dashboard"], PROGRAMS["fixture"] = map(os.path.abspath, sys.argv[1:3])
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(PageTest)
    result = unittest.TextTestRunner(resultclass=Result, verbosity=2).run(suite)
    if "XML_OUTPUT_FILE" in os.environ:
        result.write_xml(os.environ["XML_OUTPUT_FILE"])
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
