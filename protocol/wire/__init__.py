"""How values become bytes on the wire, one encoding for each, bounded everywhere."""
