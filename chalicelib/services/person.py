"""The derived fields at rest: sealed, in an item of their own, for a limited time."""

import json
from dataclasses import asdict

from chalicelib.domain.verification import DerivedFields, Verification
from chalicelib.services.ports import Repository, Sealer, UnavailableError


def seal(person: DerivedFields, verification_id: str, sealer: Sealer) -> bytes:
    """What is stored of the derived fields; raises UnavailableError."""
    text = json.dumps(asdict(person), ensure_ascii=False, separators=(",", ":"))
    return sealer.seal(text.encode(), verification_id)


def kept(found: Verification, repository: Repository, sealer: Sealer) -> DerivedFields | None:
    """The derived fields while they are kept; None otherwise, or when they cannot be opened."""
    if found.outcome is None or found.erased:
        return None
    owner = found.reused_from or found.id
    try:
        sealed = repository.person(owner)
        return None if sealed is None else DerivedFields(**json.loads(sealer.unseal(sealed, owner)))
    except UnavailableError:
        return None
