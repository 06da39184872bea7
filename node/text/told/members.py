"""Sentences for membership: records, invitations, governance, and what the mesh allows."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

_BAD_RECORD = N_("A record breaks its format and was refused. Whoever sent it is broken or hostile.")
_BAD_COMPARISON = N_("A member compared records in a way that the protocol does not allow; it was stopped.")

TOLD: Mapping[str, str] = {
    "address-not-dialable": N_(
        "The members are told no address at which this node can be dialled. Set `advertise` in maillon.toml, then "
        "restart."
    ),
    "ballot-key-replaced": N_("{organisation} has a newer key; a ballot by the old one does not count."),
    "card-epoch": N_("The card of namespace {namespace} has epoch {epoch}, which its certificate does not cover."),
    "card-journal": N_("A namespace's card names {holders} holders with a quorum of {quorum}; that cannot be."),
    "card-protocols": N_("A node's card says protocols {least} to {most}; that cannot be."),
    "card-subject": _BAD_RECORD,
    "certificate-envelope": _BAD_RECORD,
    "certificate-quorum": N_(
        "A decision is shown with {votes} ballots where {quorum} are needed; it does not count."
    ),
    "certificate-votes": _BAD_RECORD,
    "charter": N_("The charter does not belong to the federation {federation}. Ask for a new invitation."),
    "charter-classes": _BAD_RECORD,
    "charter-unknown": N_(
        "This node does not have its federation's charter yet. It comes from the first member it reaches."
    ),
    "decision": _BAD_RECORD,
    "decision-impossible": N_("That decision would leave {organisations} organisations, which cannot be."),
    "evidence": _BAD_RECORD,
    "federation-small": N_(
        "The federation has fewer than six organisations: it survives fewer losses than it will with more members."
    ),
    "invitation": N_("The invitation was not signed by the node that it names ({inviter}). Ask for a new one."),
    "invitation-expired": N_("The invitation has expired. Ask the member that sent it for a new one."),
    "invitation-federation": N_("The invitation is for the federation {found}; this one is {expected}."),
    "invitation-inviter": N_("The invitation is by another node, {inviter}. Ask that one."),
    "invitation-text": N_("This is not an invitation, or it was cut short or altered. Copy all of it."),
    "invitation-unreachable": N_(
        "This node has no address that a newcomer could dial. Set `advertise` in maillon.toml."
    ),
    "invitation-used": N_("The invitation {invitation} was used already. Each works once: ask for a new one."),
    "inviter-unreachable": N_(
        "The member that sent the invitation does not answer: {reasons}. Ask whether its node runs "
        "and its port is open to you, then try again with the same invitation."
    ),
    "lineage": N_("A statement in the name of {organisation} is not by its current key, and was refused."),
    "no-vote": N_("This organisation has no vote in this decision. Those that have: {electorate}."),
    "node-expelled": N_("The node {node} was expelled from the federation."),
    "node-not-member": N_("The node {node} is no member of this federation (yet)."),
    "node-unknown": N_("The node {node} is no member that is known here. It must join with an invitation first."),
    "not-a-guest": N_(
        "{path} is no machine that recovered a namespace. To add a node of your organisation elsewhere, use "
        "`maillon init --organisation-words` and `maillon federation join`."
    ),
    "organisation-not-known": N_(
        "The members know no organisation with these words ({organisation}). Are they those of another one?"
    ),
    "guest": N_(
        "This machine belongs to no organisation yet: it reads what it recovered, and keeps nothing for others. To "
        "write again: `maillon federation rejoin`, with the organisation's words."
    ),
    "sheet-federation": N_(
        "The member at {address} is of another federation than this sheet ({federation}). Compare the sheet's id and "
        "addresses; another address can be given with --address."
    ),
    "recover-elsewhere": N_(
        "This folder is for the federation {expected}; the sheet is of {found}. Use another folder with --dir."
    ),
    "namespace-node": N_("A certificate was made for the node {node}, not for the one that showed it."),
    "sheet-addresses": N_(
        "No member answers at the sheet's addresses: {reasons}. Ask a member of the federation for the address of "
        "its node, and give it with --address."
    ),
    "organisation-pending": N_(
        "The members have not admitted this organisation yet: it shares the limits of the one that invited it."
    ),
    "reconcile-answer": _BAD_COMPARISON,
    "reconcile-ids": _BAD_COMPARISON,
    "reconcile-path": _BAD_COMPARISON,
    "reconcile-salt": _BAD_COMPARISON,
    "record-counter": _BAD_RECORD,
    "record-early": N_("A record depends on another ({after}) that is not known here yet; it will be offered again."),
    "record-federation": N_("A record is of the federation {found}, not of this one ({expected})."),
    "record-kind": _BAD_RECORD,
    "record-quota": N_("{author} has said as much as a member may; its further records are not kept."),
    "record-signature": _BAD_RECORD,
    "record-size": N_("A record of {size_bytes} is larger than the {limit_bytes} allowed."),
    "record-stranger": N_("{author} is not known as a member that may say this."),
    "records-unwritten": N_("The disk refused the members' records ({reason}). Free space or replace the disk."),
    "standing-certifications": N_("Certifications must be listed once each, in order."),
    "stranger": N_("A node that is no member may only ask to join."),
    "swim-update": _BAD_RECORD,
    "view-full": N_("The federation has more than {limit} records, the most that this program keeps."),
    "join-card": N_("A newcomer must bring its {card}. Join with the organisation's first node before its others."),
    "join-uninvited": N_(
        "{organisation} is not admitted to the federation, so this node needs an invitation by a member."
    ),
    "join-incomplete": N_(
        "Not all records of the federation {federation} came. Join again with the same invitation."
    ),
    "join-invitation": N_("The card of {organisation} names another invitation than the one shown."),
    "joining-closed": N_("The charter admits nobody new."),
    "organisation-expelled": N_("{organisation} was expelled from the federation."),
    "sponsor-full": N_(
        "The inviting organisation already vouches for {limit} that are not admitted. Admit some of them first."
    ),
    "sponsor-not-admitted": N_("{organisation} is not admitted itself yet, so it cannot invite others."),
}
