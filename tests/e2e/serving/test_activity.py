"""What of a kernel the Hub is told."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tests.support import plain_http
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.activity_hub import ActivityHub
    from tests.support.kernels import StartKernel


def test_only_the_use_of_d_tale_counts(
    activity_hub: ActivityHub, start_kernel: StartKernel
) -> None:
    activity_hub.status = None  # and nobody in the grid waits for it
    kernel = start_kernel(environ=activity_hub.environ)
    kernel.run("%load_ext dtale_magics\nimport pandas as pd\n%dtale pd.DataFrame({'a': [7]})")
    status = kernel.status()
    strange = status["url"].replace(status["url"].rstrip("/")[-8:], "00000000")
    assert plain_http.request(f"{strange}dtale/main/1").status == 404
    assert plain_http.request(f"{status['url']}_magics/state").status == 403
    before = datetime.now(timezone.utc)
    frame = f"{status['url']}dtale/main/{status['frames'][0]['data_id']}"
    assert [row["a"] for row in plain_http.grid(frame)] == [7]
    wait_until(lambda: activity_hub.reports)
    # Had an earlier request counted, its report would have been the only one for five minutes.
    when = datetime.fromisoformat(activity_hub.reports[0]["last_activity"].replace("Z", "+00:00"))
    assert when >= before
