"""The verification service: what reaches Lambda beside ``app.py``.

    domain/       the rules: pure, standard library only, no clock, no I/O
    services/     use cases as functions; ``ports.py`` says what they need from outside
    adapters/     what we call: the upstream, DynamoDB, Secrets Manager, KMS
    entrypoints/  what calls us: HTTP
    config.py     settings, the only reader of the environment
    bootstrap.py  the composition root

The import rule, enforced by ``tests/unit/test_architecture.py``: domain imports the standard
library; services import domain; adapters import domain, ``services.ports`` and one library of
their own; entrypoints import domain, services and bootstrap, and chalice; only bootstrap and
config see everything but the entrypoints.
"""
