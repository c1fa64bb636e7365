"""Killed at random, again and again: nothing is paid twice, nothing paid is lost."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from chalicelib import bootstrap
from chalicelib.config import Settings
from chalicelib.domain.codes import Billed
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import CHINA, Action, Status
from chalicelib.services.resolve import resolve
from chalicelib.services.sweep import sweep
from local_stack import dynoxide
from local_stack.aws import AwsServer
from local_stack.resources import REGION, create
from local_stack.stack import local_secret
from mock_server import Options, create_app
from mock_server.serving import Server
from tests.e2e.conftest import ROOT, unused_number
from tests.e2e.crash_harness import CLIENT, LEASE

KEYS = 300
OPS = Client("ops", (), frozenset({"admin"}))


@pytest.fixture
def mock() -> Iterator[Server]:
    with Server(create_app(Options())) as server:
        yield server
