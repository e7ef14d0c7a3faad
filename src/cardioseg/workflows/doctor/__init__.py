"""What is wrong in a data set, and a repaired copy of it."""

from cardioseg.workflows.doctor.examine import Examination, examine
from cardioseg.workflows.doctor.finding import Finding
from cardioseg.workflows.doctor.mend import write_repaired

__all__ = ["Examination", "Finding", "examine", "write_repaired"]
