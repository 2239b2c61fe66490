"""The page on which readers look, correct and sign: built from a run, opened or served."""

from hoseg.review.case import CASE_FILE, case_script
from hoseg.review.page import PAGE, write_page

__all__ = ["CASE_FILE", "PAGE", "case_script", "write_page"]
