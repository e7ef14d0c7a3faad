"""Reports for people: one case or a cohort as one HTML page, in English or Spanish."""

from cardioseg.workflows.report.case import CaseContent, Frame, Origin, case_report
from cardioseg.workflows.report.messages import Language, language_named

__all__ = ["CaseContent", "Frame", "Language", "Origin", "case_report", "language_named"]
