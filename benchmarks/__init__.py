"""Speed and memory beside plain D-Tale, in one run on one machine: ``make bench``.

Everything is measured in turns with what it is compared to, and medians are compared, because a
machine is never quiet. Each module measures one group of rows.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent
