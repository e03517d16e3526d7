"""Takes the picture of a run for the README: `.venv/bin/python docs/pictures.py RUN`. Look at it afterwards."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent / "pictures"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
# Name of the picture -> page of the run, width and height of the window.
PICTURES = {
    "index-desktop": ("index.html", 1200, 1500),
}
COLOURS = 128  # enough for pages of text, and a quarter of the size


def take(run: Path) -> None:
    """Open each page in a headless browser, and keep what is seen without scrolling."""
    binary = os.environ.get("LAB2LIVE_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        for name, (page, width, height) in PICTURES.items():
            window = browser.new_page(viewport={"width": width, "height": height})
            window.goto((run.resolve() / page).as_uri())
            picture = Image.open(io.BytesIO(window.screenshot())).convert("RGB")
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
