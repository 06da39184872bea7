"""Sentences for data: blocks and shares, disks and volumes, placement, the journal, the catalog and objects."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

_BAD_SHARE = N_("A share or its label breaks the format and was refused. Whoever sent it is broken or hostile.")
_BAD_INVENTORY = N_("A question about what is kept here breaks the format and was refused.")
_BAD_TABLE = N_(
    "A table of the namespace's checkpoint is not as it must be. The program that wrote it made a mistake."
)

TOLD: Mapping[str, str] = {
    "block-malformed": N_(
        "The block {block} does not match its own root: its writer made it wrong. It cannot be read."
    ),
    "block-reference": _BAD_SHARE,
    "block-shares": N_("Block {block} needs {needed} shares and only {present} are here."),
    "block-unreadable": N_(
        "Block {block} needs {needed} shares; {found} were found. Not answering or without it: {missing}. "
        "Start those nodes, then try again."
    ),
    "bucket-document-size": N_("A document of a bucket has {size_bytes}; {limit_bytes} is the most."),
    "bucket-documents": N_("The bucket {bucket} has as many documents as one may have ({limit})."),
    "bucket-exists": N_("There is a bucket {bucket} already."),
    "bucket-locked": N_("The objects of {bucket} can be locked, so it keeps their versions for ever."),
    "bucket-not-empty": N_("There are objects in the bucket {bucket}, or older versions of some. Delete them first."),
    "bucket-not-locked": N_("The objects of {bucket} cannot be locked: it was not made for that."),
    "buckets-too-many": N_("A namespace has {limit} buckets at most."),
    "bucket-missing": N_("There is no bucket {bucket}. `maillon ls` lists them."),
    "catalog-gap": N_(
        "The catalog of {namespace} is behind its journal and is being rebuilt. Try again in a moment."
    ),
    "catalog-full": N_(
        "The disk of this gateway is full, so changes to {namespace} cannot be noted. Free space there: it goes on "
        "by itself."
    ),
    "catalog-rebuilding": N_("The catalog of {namespace} is being rebuilt from the journal. Try again in a moment."),
    "change-unknown": N_(
        "The journal holds a change of kind {kind}, version {version}, unknown to this program. "
        "Update it before writing."
    ),
    "class-unknown": N_("The charter has no data class {data_class}. It has: {known}."),
    "client-stalled": N_("Nothing moved for {after_s} seconds, so the transfer was given up. Try again."),
    "code-impossible": N_("{k} of {n} with a margin of {margin} is no possible code. Choose 1 ≤ k < n ≤ 32."),
    "codec-unknown": N_("Block {block} was coded by a codec ({codec}) that this program does not know. Update it."),
    "disk-absent": N_("The disk {path} is not there ({reason}). Mount it, or correct its path in maillon.toml."),
    "disk-unreadable": N_(
        "The disk {disk} cannot be read. Its shares must be rebuilt from others; replace the disk."
    ),
    "engine-missing": N_('No {engine} library was found. Install libisal2, or set engine = "auto" in maillon.toml.'),
    "entry-size": N_("A journal entry of {size_bytes} is larger than the {limit_bytes} allowed."),
    "fault-injected": N_("A test made this fail at {point}."),
    "faults": N_("MAILLON_FAULTS has an item that means nothing: {item}."),
    "federation-too-small": N_(
        "There are {organisations} organisations, and data needs at least {needed}. Invite another: "
        "maillon federation invite"
    ),
    "file-size": N_("{path} is larger than the {size_bytes_max} that it may have. It is damaged, or another file."),
    "generation-key-missing": N_("This node lacks the key of generation {generation} of {namespace}."),
    "header-code": _BAD_SHARE,
    "holders-too-few": N_(
        "A block of code {code} must reach {needed} members before it is safe; {reached} took it. "
        "Those missing: {because}. See to them, then try again."
    ),
    "index-damaged": N_("The index {index} is damaged ({reason}); it is rebuilt from the volumes."),
    "index-full": N_("The disk of the index {index} is full. Free space, then start again."),
    "journal-certificate": N_("The journal of {namespace} was opened by a writer whose certificate does not hold."),
    "journal-chain": N_(
        "The journal of {namespace} is broken at entry {position} of epoch {epoch}; it was not believed."
    ),
    "journal-fork": N_("The journal of {namespace} has two entries at position {position}. One is false."),
    "journal-gap": N_("An entry at {first} was offered where the copy ends at {length}."),
    "journal-holders-too-few": N_(
        "The journal needs {needed} members to hold it and {found} answer. Start more nodes, or invite members."
    ),
    "journal-opening": N_("A journal's opening is not possible ({what})."),
    "key-exists": N_("There is an access key {key} already."),
    "key-name": N_(
        "`{key}` cannot be an access key: its name has 3 to 128 letters, digits, hyphens or underscores, and its "
        "secret 8 to 128 printable ASCII characters."
    ),
    "key-unknown": N_(
        "No namespace of this node has an access key {key}, so nothing was revoked. `maillon s3 key list` lists "
        "those that there are; a key of another gateway's namespace is revoked there."
    ),
    "keys-too-many": N_("A namespace has {limit} access keys at most. Revoke some."),
    "key-damaged": N_(
        "The key file {path} is damaged. Put it back from your backup of the node's folder; or, if it is a "
        "namespace's, recover that from its sheet with `maillon namespace recover`."
    ),
    "key-missing": N_(
        "The key file {path} is not there. Put it back from your backup of the node's folder; or, if it is a "
        "namespace's, recover that from its sheet with `maillon namespace recover`."
    ),
    "key-unreadable": N_("The key file {path} cannot be read ({reason}). Correct its owner and mode (0600)."),
    "label-placing": _BAD_SHARE,
    "local-file-is-folder": N_("{path} is a folder; give a file name."),
    "local-name-encoding": N_("The file name {path} is not valid UTF-8, so it cannot be a key. Rename it."),
    "local-name-long": N_("The name of {path} is longer than a key may be ({limit_bytes})."),
    "namespace-ambiguous": N_("This node serves several namespaces ({known}). Say which with --namespace."),
    "namespace-exists": N_("There is a namespace {namespace} already. Choose another name."),
    "namespace-missing": N_(
        "This node does not serve the namespace {namespace}. Those that it serves: maillon namespace list"
    ),
    "namespace-none": N_("This node serves no namespace. Create one: maillon namespace create NAME"),
    "namespace-name": N_("`{namespace}` cannot be a namespace's name: use printable letters, at most {limit_bytes}."),
    "namespace-opening": N_("The namespace {namespace} is being opened. Try again in a moment."),
    "node-dir-unfinished": N_("{path} holds no finished node. Create it with `maillon init --dir {path}`."),
    "not-the-gateway": N_(
        "Another node is the gateway of that namespace: {gateways}. Run the command on that node's machine."
    ),
    "object-condition": N_("{bucket}/{key} is not what it had to be for this, so nothing was done."),
    "object-deleted": N_("{bucket}/{key} was deleted. Its older versions are there."),
    "object-is-marker": N_("This version of {bucket}/{key} says that it was deleted: it has no bytes."),
    "object-locked": N_("{bucket}/{key} is locked, and must stay."),
    "object-range": N_("Bytes {first} to {end} are not within an object of {size_bytes}."),
    "object-content": N_("The catalog has an impossible entry for {key}."),
    "object-cut-short": N_("{bucket}/{key} ended before its size; nothing was written. Try again."),
    "object-key": N_("A key has 1 to {limit_bytes}; this one has {size_bytes}."),
    "object-missing": N_("There is no object {bucket}/{key}. `maillon ls {bucket}` lists the keys."),
    "object-size": N_("An object may have at most {limit_bytes}."),
    "object-size-changed": N_(
        "The file changed while it was read: {expected_bytes} were expected and {found_bytes} came. "
        "Nothing was stored."
    ),
    "organisation-unnamed": N_(
        "Name the organisation with --organisation, or take it over with --organisation-from."
    ),
    "placement-impossible": N_(
        "No legal place for a block of class {data_class} with code {code}: of {nodes} nodes answering, {eligible} "
        "are allowed, in {organisations} organisations and {zones} zones; at most {per_organisation} shares fit in "
        "one organisation and {per_zone} in one zone, so {placeable} can be placed. Start nodes, or invite members."
    ),
    "release-ahead": N_("This node has not heard of the new writer of {namespace} yet. It is asked again."),
    "inventory-part": _BAD_INVENTORY,
    "inventory-part-size": N_(
        "There are more blocks here than are compared at once ({limit}): ask for smaller parts."
    ),
    "stray-horizon": _BAD_INVENTORY,
    "release-superseded": N_(
        "This gateway may not free blocks of {namespace}: another writer took over, in epoch {epoch} or before it."
    ),
    "upload-missing": N_("Nobody uploads {bucket}/{key} under this name, or no longer."),
    "upload-part-missing": N_("Part {number} was not uploaded as it is listed."),
    "upload-part-number": N_("{number} is no part's number: they go from 1 to {limit}."),
    "upload-part-order": N_("The parts of an object are listed by rising number, at least one."),
    "upload-part-small": N_("Part {number} is too small: all but the last have at least {least_bytes}."),
    "upload-size": N_("These parts are more than an object may have ({limit_bytes})."),
    "version-missing": N_("There is no such version of {bucket}/{key}."),
    "pack-bounds": _BAD_SHARE,
    "manifest-nodes": _BAD_TABLE,
    "manifest-size": N_(
        "The list of the namespace's tables takes {size_bytes}, and {limit_bytes} is the most: "
        "it has too many objects."
    ),
    "manifest-table": _BAD_TABLE,
    "table-page": _BAD_TABLE,
    "table-page-size": _BAD_TABLE,
    "row-node": N_("A row names a node by the number {number}, which none has. The catalog is being rebuilt."),
    "pack-directory": N_("A block of {size_bytes} bytes is no pack of small objects, though the journal says so."),
    "share-block": _BAD_SHARE,
    "share-damaged": N_("Share {index} of block {block} is damaged on this disk; others must serve."),
    "share-index": _BAD_SHARE,
    "share-kept": N_("Share {index} of block {block} is locked until {until_s} (seconds since 1970)."),
    "share-leaves": N_("Leaf {first_leaf} of share {index} of block {block} was asked for; it has fewer."),
    "share-missing": N_("Share {index} of block {block} is not here."),
    "sheet-empty": N_("There is no recovery sheet in what was given (or more than {limit}). Type all of the paper."),
    "sheet-form": N_("Line {line} of the sheet is not as it must be. Compare it with the paper."),
    "sheet-incomplete": N_("The sheet lacks {field}. Copy all of it."),
    "sheet-is-namespace": N_(
        "This is the recovery sheet of a namespace; what is needed here are the organisation's words, from `init`."
    ),
    "generations": N_("The namespace's secrets were replaced {limit} times; that is the most. Create a new one."),
    "sheet-split": N_(
        "{needed}/{total} is no way to split a sheet. Write for instance 3/5: any 3 of 5 sheets; at most {limit}."
    ),
    "sheet-word-count": N_("A sheet has {needed} words; sheet {sheet} of those given has {found}."),
    "sheet-word-unknown": N_("Sheet {sheet}, word {number}: `{word}` is in no list. Did you mean `{nearest}`?"),
    "sheet-word-wrong": N_("Sheet {sheet}, word {number}: `{word}` must be `{nearest}`."),
    "sheet-words": N_(
        "Sheet {sheet}: the words do not belong together; more than one is wrong. Compare them with the paper."
    ),
    "sheet-words-swapped": N_("Sheet {sheet}: words {first} and {second} have changed places."),
    "sheets-mixed": N_(
        "Sheet {other} does not belong with sheet {first}: they are of different namespaces, or were made on "
        "different days. Only sheets made together give the words back."
    ),
    "sheets-too-few": N_(
        "{needed} sheets of this set are needed; {found} were given (number {present}). Ask the other keepers."
    ),
    "store-closed": N_("The node is stopping and stores nothing more."),
    "store-failing": N_(
        "No disk can be written. Look at the log for disk-unreadable: if a disk is not mounted, mount "
        "it and start again; if it fails, replace it."
    ),
    "store-full": N_(
        "The disks of that node are full, or its capacity is used up. Its owner can free space, raise "
        "capacity in maillon.toml, or add a disk; deleting objects frees theirs after a while."
    ),
    "volume-header": N_("A volume's first bytes are not a volume's. It was set aside."),
    "volume-version": N_("A volume has the format {version}, unknown to this program. Use the one that wrote it."),
    "bucket-name": N_("`{bucket}` cannot be a bucket name: use 3 to 63 small letters, digits, dots and hyphens."),
    "checkpoint-manifest": _BAD_TABLE,
    "entry-changes": N_("An append of {count} changes is more than the {limit} that one entry holds."),
    "entry-missing": N_(
        "No holder that answers has entry {position} of the journal of {namespace}. Start more nodes, then try again."
    ),
    "entry-unreadable": N_("Entry {position} of the journal of {namespace} does not open with this node's keys."),
    "gateway-not-member": N_("The gateway of {namespace} is no member any more, so nothing new is kept for it."),
    "journal-answer": N_("{node} answered about the journal with something impossible; it was not believed."),
    "journal-append": N_("The sizes of the entries offered do not add up to {size_bytes}."),
    "journal-append-size": N_("{size_bytes} of entries were offered at once; at most {limit_bytes} may be."),
    "journal-closed": N_("The journal of {namespace} is being closed. Try again in a moment."),
    "journal-damaged": N_(
        "The copy of the journal of {namespace} is damaged at entry {position} of epoch {epoch}; others must serve."
    ),
    "journal-epoch": N_("Epoch {epoch} of the journal of {namespace} is not held here."),
    "journal-head": N_("{node} shows a journal that is not this one after {length} entries; it was not believed."),
    "journal-holders-away": N_(
        "The journal of {namespace} needs {needed} holders and {answering} answer. Away: {away}. Start those "
        "nodes, then try again."
    ),
    "journal-local": N_(
        "This node's own copy of the journal of {namespace} ends at {length}, not {expected}: its disk may be"
        " failing."
    ),
    "journal-not-holder": N_("This node was not chosen to hold epoch {epoch} of the journal of {namespace}."),
    "journal-not-ready": N_(
        "The journal of {namespace} waits for {needed} of its holders. Away: {away}. Start those nodes, then "
        "try again."
    ),
    "journal-opening-other": N_(
        "Another opening of epoch {epoch} of {namespace} is held already; this one was refused."
    ),
    "journal-unacknowledged": N_(
        "The change to {namespace} reached fewer than {needed} holders of its journal in time, so it is not "
        "certain. Away: {away}. Look whether it is there before repeating it."
    ),
    "label-writer": N_("A share was offered in the name of {namespace} by somebody who is not its writer."),
    "namespace-unknown": N_(
        "The namespace {namespace} is not known here yet. Its card comes by gossip: try again in a moment."
    ),
    "payload-slow": N_("The {size_bytes} announced did not come in time."),
    "placing-elsewhere": N_("Share {index} of block {block} belongs on another node."),
    "placing-unlawful": N_("Block {block} may not be placed so: {reasons}."),
    "quota-reached": N_(
        "The organisation {organisation} has used its room here: {used_bytes} of {allowed_bytes}. More comes "
        "with admission, or with capacity that it offers."
    ),
}
