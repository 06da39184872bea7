"""Every error identifier that the program knows, with its sentence, gathered from one module per floor."""

from __future__ import annotations

from collections.abc import Mapping

from node.text.told import http, machine, members, scenarios, storage, succession, wire

TOLD: Mapping[str, str] = {
    **http.TOLD,
    **machine.TOLD,
    **members.TOLD,
    **scenarios.TOLD,
    **storage.TOLD,
    **succession.TOLD,
    **wire.TOLD,
}
