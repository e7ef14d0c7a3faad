"""Networks for cardioseg that were trained on ACDC (CC BY-NC-SA 4.0)."""

from pathlib import Path

SAX = str(Path(__file__).parent / "sax")
"""Short axis: RV cavity, myocardium, LV cavity."""
