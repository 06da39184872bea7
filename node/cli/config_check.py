"""`maillon config check`: read the node's configuration as the node would, and say what is wrong with it.

The S3 door's certificate is loaded too: a node that cannot load it does not start, and then serves no member either.
"""

from __future__ import annotations

from pathlib import Path

from node.cli.session import Session
from node.cli.session import command as make_command
from node.config import S3Section
from node.config_file import FILE_NAME, load
from node.text import _


@make_command(_("Check this node's configuration file; the first thing that is wrong is told."))
def command(session: Session) -> None:
    path = session.dir / FILE_NAME
    config = load(path)
    if config.s3.listen and config.s3.certificate:
        _check_certificate(session.dir, config.s3)
    session.output.document(config, [_("{path} is good.").format(path=path)])


def _check_certificate(folder: Path, s3: S3Section) -> None:
    """Raises Malformed(`tls-certificate`)."""
    from node.host.ports import CertificateFiles
    from node.host.public import load_certificate

    load_certificate(CertificateFiles(str(folder / s3.certificate), str(folder / (s3.key or s3.certificate))))
