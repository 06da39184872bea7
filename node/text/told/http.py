"""Sentences for the doors that speak HTTP: what a client did wrong, and what the door needs to open."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

TOLD: Mapping[str, str] = {
    "gateways-asked-too-often": N_("Too many access keys that nobody knows were tried. Try again in a moment."),
    "gateway-lost": N_(
        "The gateway {node}, which this one passes the request on to, does not answer. Try again in a moment; should "
        "it go on, look at that node."
    ),
    "gateway-not-ready": N_("The gateway of this namespace is starting or stopping. Try again in a moment."),
    "http-body": N_("The body of the request breaks HTTP's rules: {reason}."),
    "http-body-size": N_("The body of the request is longer than {limit} bytes."),
    "http-client-gone": N_("The client went away before its request was whole."),
    "http-client-slow": N_("The client was too slow and was given up."),
    "key-halves": N_("Give both halves of a key, its name and its secret, or neither."),
    "voucher-not-its-own": N_("Only the gateway of the namespace {namespace} vouches for programs with its keys."),
    "not-of-the-organisation": N_("Only nodes of the same organisation pass requests on to each other."),
    "tls-certificate": N_("The certificate in {path} or its key cannot be used: {reason}."),
}
