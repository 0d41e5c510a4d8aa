"""A notebook with a small and a large frame, the large one dark and low."""

from __future__ import annotations

CELLS = [
    (
        "%load_ext dtale_magics\nimport pandas as pd\n"
        "few = pd.DataFrame({'a': [1, 2, 3, 4], 'b': ['Oslo', 'Rome', 'Kyiv', 'Bern']})\n"
        "many = pd.DataFrame({'n': range(1000)})"
    ),
    "%dtale few",
    "%config DtaleMagics.theme = 'dark'\n%config DtaleMagics.height = 250\n%dtale many",
]
