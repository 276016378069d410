"""The quality page: what a reader must see before using a map, and a notice where no map was made.

Pages are arrays, drawn by matplotlib's Agg renderer without pyplot and its global state. They hold nothing of the
patient but the images.
"""

from recon.quality.page.pages import quality_pages
from recon.quality.page.refusal import refusal_page

__all__ = ["quality_pages", "refusal_page"]
