"""One run of a scenario: playing it, writing it down, replaying, shrinking and explaining it."""
