"""Who judges a run: clients that remember, the ledger of what was acknowledged, and what must hold."""
