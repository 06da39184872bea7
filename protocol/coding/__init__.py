"""How bytes become blocks: sealed, coded k of n, and provable share by share."""
