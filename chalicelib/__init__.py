"""The verification service: what reaches Lambda beside ``app.py``.

    domain/       the rules: pure, standard library only, no clock, no I/O
    services/     use cases as functions; ``ports.py`` says what they need from outside
    adapters/     what we call: the upstream, AWS, callbacks, chat robots; and files of people
    entrypoints/  what calls us: HTTP, the queues; ``forms/`` has one file for each form vendor
    config.py     settings, the only reader of the environment
    bootstrap.py  the composition root

A question whose caller waits is asked in ``services/verify``. Any other is sealed and queued in
``services/intake`` (a form's entry comes there through ``services/hooks``) and asked in
``services/work``. ``services/store`` writes an end together with its delivery,
``services/deliver`` sends that on, ``services/sweep`` finds what was left lying. A list of people
comes in by ``services/batches``, is read in ``services/split`` and asked, row by row, in
``services/row_work``. What was paid for is in ``services/packages``, what may be in
``services/caps``, and ``services/watch`` tells the owner before it hurts.

The import rule, enforced by ``tests/unit/test_architecture.py``: domain imports the standard
library; services import domain; adapters import domain, ``services.ports`` and one library of
their own; entrypoints import domain, services and bootstrap, and chalice; only bootstrap and
config see everything but the entrypoints.
"""
