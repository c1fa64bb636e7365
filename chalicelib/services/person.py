"""The derived fields at rest: sealed, in an item of their own, for a limited time."""

import json

from chalicelib.domain.verification import DerivedFields, Verification
from chalicelib.services.ports import Repository, Sealer, UnavailableError


def seal(person: DerivedFields, verification_id: str, sealer: Sealer) -> bytes:
    """What is stored of the derived fields; raises UnavailableError."""
    text = json.dumps(person._asdict(), ensure_ascii=False, separators=(",", ":"))
    return sealer.seal(text.encode(), verification_id)


def kept(found: Verification, repository: Repository, sealer: Sealer) -> DerivedFields | None:
    """The derived fields while they are kept; None otherwise, or when they cannot be opened."""
    if found.outcome is None or found.erased:
        return None
    owner = found.reused_from or found.id
    try:
        if found.reused_from is not None and not _is_source(repository.get(owner), found):
            return None
        sealed = repository.person(owner)
        return None if sealed is None else DerivedFields(**json.loads(sealer.unseal(sealed, owner)))
    except UnavailableError:
        return None


def _is_source(standing: Verification | None, reused: Verification) -> bool:
    """Not one that came later: a key is free again when its record ends, for somebody else too."""
    return (
        standing is not None
        and reused.ended_at is not None
        and standing.created_at <= reused.ended_at
    )
