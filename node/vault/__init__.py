"""Objects in, objects out: what a gateway does for its namespaces.

Begin at `vault`: a PUT goes put → spread → holders → journal, a GET goes get → gather → holders.
"""
