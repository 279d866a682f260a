"""The page in a real browser: nothing breaks its policy, nothing is wider than a phone, all can be used."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from agent.page.conftest import VIEWS, Page
from support.browser import browse, in_browser, scheme_option

pytestmark = in_browser


PROBE = """
<script>%s</script>
<script>
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
axe.run(document, {runOnly: rules}).then((found) => {
  const rows = found.violations.map((item) => [item.id, item.nodes.map((node) => node.html).slice(0, 3)]);
  const wide = [document.documentElement.scrollWidth, innerWidth];
  const out = document.createElement("script");
  out.type = "text/plain";
  out.id = "probe";
  out.textContent = JSON.stringify({rows, wide, passes: found.passes.length});
  document.documentElement.append(out);
});
</script>
"""


def probe(page: Page, view: str, folder: Path, *arguments: str, spoil: str = "") -> dict[str, list[object]]:
    """Open a view with the accessibility checker inside; its policy, which forbids that, stays behind."""
    import axe_core_python.base

    style = page.get("/style.css").text
    text = page.get(view).text.replace("<head>", f"<head><style>{style}{spoil}</style>")
    path = folder / "view.html"
    path.write_text(
        text.replace("</html>", PROBE % axe_core_python.base.AXE_SCRIPT + "</html>"), encoding="utf-8"
    )
    done = browse(path.as_uri(), folder / "profile", "--dump-dom", "--virtual-time-budget=20000", *arguments)
    found = re.search(r'<script type="text/plain" id="probe">(.*?)</script>', done.stdout, re.DOTALL)
    assert found, done.stderr
    document = json.loads(html.unescape(found[1]) if "&quot;" in found[1] else found[1])
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_used_by_everybody(page: Page, tmp_path: Path, view: str) -> None:
    for width, scheme in ((360, "light"), (1200, "dark")):
        found = probe(page, view, tmp_path, f"--window-size={width},900", scheme_option(scheme))

        assert found["rows"] == []
        assert found["passes"]
        needed, given = found["wide"]
        assert isinstance(needed, int)
        assert isinstance(given, int)
        assert needed <= given


def test_positive_control_a_text_without_contrast_is_found(page: Page, tmp_path: Path) -> None:
    found = probe(page, "/", tmp_path, spoil="p { color: #ddd !important; background: #fff !important; }")

    assert [row[0] for row in found["rows"] if isinstance(row, list)] == ["color-contrast"]


def test_a_browser_gets_in_with_the_token_and_shows_the_page_without_a_complaint(
    page: Page, tmp_path: Path
) -> None:
    entered = browse(page.url, tmp_path / "profile", "--dump-dom")

    assert "CONSOLE" not in entered.stderr
    assert "<title>Overview · jilog on alpha</title>" in entered.stdout
    assert "token=" not in entered.stdout


def test_hostile_text_runs_nothing(page: Page, tmp_path: Path) -> None:
    browse(page.url, tmp_path / "profile", "--dump-dom")

    shown = browse(f"http://127.0.0.1:{page.port}/search?q=SQLite", tmp_path / "profile", "--dump-dom")

    assert "<title>Search · jilog on alpha</title>" in shown.stdout
    assert "CONSOLE" not in shown.stderr
