"""The verification service: what reaches Lambda beside ``app.py``.

    domain/       the rules: pure, standard library only, no clock, no I/O
    services/     use cases as functions; ``ports.py`` says what they need from outside
    adapters/     what we call: the upstream, DynamoDB, Secrets Manager, KMS, SQS, callbacks
    entrypoints/  what calls us: HTTP, the queue; ``forms/`` has one file for each form vendor
    config.py     settings, the only reader of the environment
    bootstrap.py  the composition root

A question whose caller waits is asked in ``services/verify``. Any other is sealed and queued in
``services/intake`` (a form's entry comes there through ``services/hooks``) and asked in
``services/work``. ``services/store`` writes an end together with its delivery,
``services/deliver`` sends that on, ``services/sweep`` finds what was left lying. What was paid for
is in ``services/packages``.

The import rule, enforced by ``tests/unit/test_architecture.py``: domain imports the standard
library; services import domain; adapters import domain, ``services.ports`` and one library of
their own; entrypoints import domain, services and bootstrap, and chalice; only bootstrap and
config see everything but the entrypoints.
"""
