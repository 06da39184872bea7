"""`maillon federation admit`: cast this organisation's ballot for another's admission, proposing it if need be.

The facts that the admission states (jurisdiction, legal form, certifications, capacity ceiling) are what placement
goes by from then on: the members vouch for them, so check them before voting. A vote for a proposal that exists
agrees with the facts that it states.
"""

from __future__ import annotations

import click

from node.admin.member_calls import ADMIT, Admit
from node.cli.federation_members import proposals_told
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sizes import SIZE_TYPE
from node.text import _


@make_command(_("Vote that ORGANISATION (name or id) be admitted."))
@click.argument("organisation")
@click.option("--jurisdiction", default="FR", show_default=True, help=_("Country whose law binds it."))
@click.option("--legal-form", default="association", show_default=True, help=_("Association, commune, cooperative…"))
@click.option("--certification", "certifications", multiple=True, help=_("A certification it holds, such as HDS."))
@click.option(
    "--capacity-ceiling", default="100 TB", show_default=True, type=SIZE_TYPE, help=_("Most it is credited.")
)
async def command(
    session: Session,
    *,
    organisation: str,
    jurisdiction: str,
    legal_form: str,
    certifications: tuple[str, ...],
    capacity_ceiling: int,
) -> None:
    question = Admit(organisation, jurisdiction, legal_form, tuple(sorted(set(certifications))), capacity_ceiling)
    async with node_of(session) as client:
        line = await client.call(ADMIT, question)
    session.output.document(line, proposals_told((line,)))
