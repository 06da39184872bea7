"""Sentences for the doors that speak HTTP: what a client did wrong, and what the door needs to open."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

TOLD: Mapping[str, str] = {
    "http-body": N_("The body of the request breaks HTTP's rules: {reason}."),
    "http-body-size": N_("The body of the request is longer than {limit} bytes."),
    "http-client-gone": N_("The client went away before its request was whole."),
    "http-client-slow": N_("The client was too slow and was given up."),
    "tls-certificate": N_("The certificate in {path} or its key cannot be used: {reason}."),
}
