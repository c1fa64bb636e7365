"""Webhooks of forms: one small file a vendor, pure; ``registry`` is the way in.

Each vendor's file has ``authenticate``, ``parse`` and ``PROFILE`` (``registry.Vendor``). Whatever
is wrong with a header, signature or token is one error, UnauthenticatedError; ``parse`` returns
and never raises, whatever the body holds.
"""
