"""The table of commands: verb -> handler, the states it is legal in, the section. RFC 3501 §6."""

from typing import Final

from pymaild.imap.commands import (
    access,
    anystate,
    append,
    authenticated,
    enabling,
    listing,
    messages,
    metadata,
    multisearch,
    notauthenticated,
    quota,
    searching,
    selected,
    waiting,
)
from pymaild.imap.table import Commands

COMMANDS: Final[Commands] = {
    **anystate.COMMANDS,
    **notauthenticated.COMMANDS,
    **authenticated.COMMANDS,
    **enabling.COMMANDS,
    **listing.COMMANDS,
    **access.COMMANDS,
    **metadata.COMMANDS,
    **quota.COMMANDS,
    **append.COMMANDS,
    **selected.COMMANDS,
    **messages.COMMANDS,
    **searching.COMMANDS,
    **multisearch.COMMANDS,
    **waiting.COMMANDS,
}
