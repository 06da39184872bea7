"""Sentences for what comes over the wire: messages, frames, connections and the proof of who is at the other end."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

_BROKEN_PEER = N_(
    "The other node does not follow the protocol; its connection was closed. Update the older of the two."
)
_BROKEN_SHARE = N_("Another node sent a share or a proof of one that breaks the format. Others are asked instead.")

TOLD: Mapping[str, str] = {
    "address": N_("`{address}` is not an address. Write host:port, or [::1]:port for IPv6."),
    "address-in-use": N_("{address} is in use by another program. Stop that, or change `listen` in maillon.toml."),
    "application-failed": N_("What was to be served here could not begin: {because}"),
    "answer-missing": _BROKEN_PEER,
    "answer-items": N_("The other node answered for {found} shares where {expected} were meant."),
    "payload-size": N_("Shares of {size_bytes} in one question are more than the {limit_bytes} that a node takes."),
    "answer-payload": N_("The other node announced {size_bytes}, more than the {limit_bytes} that were asked for."),
    "answer-undeclared": _BROKEN_PEER,
    "connection-lost": N_("The connection was lost. Check that the node still runs, then try again."),
    "control-frames": _BROKEN_PEER,
    "deadline": N_("There was no answer in time. Check that the node still runs, then try again."),
    "dial-failed": N_("{address} cannot be reached ({reason}). Check the address, the network and the firewall."),
    "exchanges": _BROKEN_PEER,
    "exchanges-busy": N_("Too much is asked at once (more than {limit} requests). Ask for less at a time."),
    "federation-other": N_("The other node belongs to another federation, {federation}. Check the address."),
    "frame-credit": _BROKEN_PEER,
    "frame-exchange": _BROKEN_PEER,
    "frame-flags": _BROKEN_PEER,
    "frame-magic": N_("What answers there is no Maillon node. Check the address and port."),
    "frame-payload": _BROKEN_PEER,
    "frame-size": _BROKEN_PEER,
    "frame-truncated": _BROKEN_PEER,
    "frame-type": _BROKEN_PEER,
    "frame-unexpected": _BROKEN_PEER,
    "frame-version": N_("The other node speaks version {version} of the frames, unknown here. Update the older one."),
    "frame-window": _BROKEN_PEER,
    "handshake-timeout": N_("The other end did not prove who it is within {deadline_ms} ms, and was let go."),
    "hello-anonymous": N_("The other end did not say which node and federation it is, and was let go."),
    "kind-unknown": N_("The node does not know requests of kind {kind}: it runs another version of this program."),
    "listen-failed": N_("This node cannot listen at {address} ({reason}). Change `listen` in maillon.toml."),
    "message-depth": N_("A message is nested deeper than {limit} levels and was refused."),
    "message-field": N_("A message has an impossible value for {field} and was refused."),
    "message-field-size": N_("{field} is too long: {size}, where at most {limit} is allowed."),
    "message-form": N_("A message is not canonical at byte {offset} and was refused."),
    "message-items": N_("A message holds more than {limit} items and was refused."),
    "message-size": N_("A message of {size_bytes} is larger than the {limit_bytes} allowed."),
    "message-type": N_("A value of type {type} cannot be sent in a message."),
    "message-version": N_("{message} has the version {version}, unknown here. Update the older of the two programs."),
    "node-unreachable": N_("A member does not answer at any of its addresses. Check that it runs, then try again."),
    "peer-internal": N_("The other node met a fault of its own. Its log says what; please report it."),
    "peer-is-self": N_("This node was about to talk to itself. Check the addresses in maillon.toml."),
    "peer-proof": N_("Whoever answers as node {node} does not have its key. Somebody may be in the middle."),
    "peer-role": N_("The other end asked for a role ({role}) that this door does not serve."),
    "peer-silent": N_("The other node said nothing for {silent_ms} ms and was given up."),
    "peer-stalled": N_("The other node stopped reading and was given up."),
    "peer-unexpected": N_("Node {found} answered where {expected} was expected. Check the address."),
    "protocol-range": N_("The two nodes have no protocol version in common ({lowest} to {highest}). Update one."),
    "proof-leaves": _BROKEN_SHARE,
    "proof-path": _BROKEN_SHARE,
    "proof-root": N_(
        "The proof of share {index} does not lead to the root of block {block}. Others are asked instead."
    ),
    "receive-buffers-full": N_("More bytes came than this node can hold at once. Try again in a moment."),
    "seal": N_("Segment {segment} does not open with its key: the bytes are not what was sealed."),
    "sealed-size": N_("{size_bytes} cannot be the size of sealed bytes."),
    "share-leaf": N_("Leaf {leaf} of share {index} is not what its proof promises. Others are asked instead."),
    "share-meta": _BROKEN_SHARE,
    "share-size": N_("A share of {size_bytes} does not have the size that its header gives."),
    "signature": N_("A signature for {purpose} does not match. What it vouches for was refused."),
    "stream-broken": N_("The connection broke ({reason}). Try again."),
    "stream-unbound": N_("The connection is not protected by TLS, so nobody can be proven there; it was closed."),
    "unix-path-too-long": N_("The path {path} is too long for a socket. Choose a shorter folder with --dir."),
    "bulk-busy": N_("There are too many plain connections already; the bytes go through TLS instead."),
    "bulk-lost": N_("The plain connection for sealed bytes was lost; the bytes go through TLS instead."),
    "bulk-none": N_("That node takes no plain connections; the bytes go through TLS instead."),
    "bulk-token": N_("A plain connection came without its token and was closed."),
    "request-head": _BROKEN_PEER,
}
