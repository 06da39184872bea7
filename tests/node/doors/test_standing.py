"""What a gateway says it is to a bucket, over a real vault in a federation of the small world."""

from __future__ import annotations

from node.admin.services import Services
from node.doors.passing import Standing
from node.s3_door import standing
from tests.support.clients import BUCKET
from tests.support.township import Township, in_a_township


def test_a_gateway_that_has_just_started_does_not_say_that_a_bucket_is_not_there() -> None:
    """Who asked would tell programs so, and they give up, or make one of their own."""

    async def main(town: Township) -> None:
        async def to(services: Services) -> tuple[Standing, Standing]:
            return standing(services.vault, "", BUCKET), standing(services.vault, "", "nobodys")

        await (await town.settle(4)).put("a", b"x")
        assert await town.on(1, to) == (Standing.WRITER, Standing.STRANGER)
        town.kill(1)
        await town.start(1)
        assert await town.on(1, to) == (Standing.UNSURE, Standing.UNSURE)
        await town.until_open()
        assert await town.on(1, to) == (Standing.WRITER, Standing.STRANGER)

    in_a_township(main)
