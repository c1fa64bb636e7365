"""The command-line client: ``python -m client``, or ``eryaosu`` where it is installed.

It talks HTTP to a running service and imports nothing of it.

    __main__.py   from the command line to an exit code; the last place where errors end
    arguments.py  the command line itself, in two languages
    settings.py   which service, and with whose key
    service.py    calls: what is repeated, and what a failure means
    console.py    what is printed, for people or as JSON
    questions.py  verify, get, resolve
    books.py      usage, packages, export
    batches.py    list, show, pause, resume, cancel
    batch.py      a file, from its upload to its result
    source.py     that file: what it is, its hash, its upload
    sheet.py      its rows
    follow.py     a batch until it ends, with a progress bar
    forecast.py   a dry run's answer
    joining.py    the service's results beside the original rows
    written.py    a file that is whole or not there
    reasons.py    codes in two languages
    exits.py      the exit codes

Libraries are imported by the command that needs them, so that ``--help`` starts at once.
"""
