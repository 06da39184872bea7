"""How an epoch of a journal ends, and the next one begins: one decision among the epoch's holders.

A decree is the opening of the next epoch; single-decree Paxos among the holders of the epoch decides which. `ballot`
and `proposal` are what the candidates sign, `acceptor` is the rule of a holder, `proposer` that of a candidate, and
`succession` the proof that outlives both.
"""
