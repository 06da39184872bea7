"""An application lives from before its first request until after its last one."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.http.asgi import Receive, Scope, Send
from protocol.errors import Unavailable
from tests.support.http import GET, answer, serving


class Living:
    """An application that keeps a diary, and a word for its requests."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.may_answer = trio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.may_answer.wait()
            self.diary.append(scope["state"]["word"])
            scope["state"]["word"] = "another request's own"
            await answer(send, 200)
            return
        while True:
            asked = (await receive())["type"]
            self.diary.append(asked)
            scope["state"]["word"] = "kept"
            await send({"type": f"{asked}.complete"})


async def test_an_application_is_told_of_its_beginning_and_its_end(autojump_clock: MockClock) -> None:
    app = Living()
    async with serving(app, lives=True) as served:
        assert app.diary == ["lifespan.startup"]
        client = await served.client()
        await client.send(GET % b"a")
        await trio.testing.wait_all_tasks_blocked()
        served.server.drain()
        await trio.testing.wait_all_tasks_blocked()
        assert app.diary == ["lifespan.startup"]
        app.may_answer.set()
        assert (await client.response()).status == 200
        await served.done.wait()
    assert app.diary == ["lifespan.startup", "kept", "lifespan.shutdown"]


async def test_each_request_has_a_copy_of_what_the_application_keeps(autojump_clock: MockClock) -> None:
    app = Living()
    app.may_answer.set()
    async with serving(app, lives=True) as served:
        client = await served.client()
        for _time in range(2):
            assert (await client.ask(GET % b"a")).status == 200
    assert app.diary[1:3] == ["kept", "kept"]


async def test_who_cannot_begin_is_not_served(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.RaisesGroup(pytest.RaisesExc(Unavailable, match="application-failed.*no database")):
        async with serving(app, lives=True):
            pass


async def test_who_does_not_end_is_waited_for_only_so_long(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await trio.sleep_forever()

    async with serving(app, lives=True) as served:
        served.server.drain()
        with trio.fail_after(20):
            await served.done.wait()


@pytest.mark.parametrize("word", ["lifespan.startup.perhaps", "http.response.start"])
async def test_who_knows_of_no_lifespan_is_served_all_the_same(word: str, autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": word, "status": 500, "headers": []})
        assert "state" not in scope
        await answer(send, 200)

    async with serving(app, lives=True) as served:
        assert (await (await served.client()).ask(GET % b"a")).status == 200
