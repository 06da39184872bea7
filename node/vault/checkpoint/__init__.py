"""Checkpoints: tables in place of old journal entries, written by the gateway and read by whoever recovers."""
