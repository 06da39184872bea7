"""Who belongs to the federation: what members say, what of it is kept, what is decided, and who answers.

From the ground up: `records` and `lineage` (who signs); `charter`, `cards`, `governance`, `certificate` and
`evidence` (what can be said); `shelf`, `rules`, `keeping` and `assembly` (what is kept); `facts` (what follows);
`view` (all of it, for one node). Beside them `swim` and `reconcile` spread it, `invitations` let people in, and
`quota` bounds what each may store.
"""
