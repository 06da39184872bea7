"""Which node holds which share: data classes, weighted rendezvous hashing, caps, and the reasons given for them."""
