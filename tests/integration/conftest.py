"""The real peers, once a test process: no credentials or region of the caller's are used."""

from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest

from local_stack import dynoxide
from local_stack.aws import AwsServer
from local_stack.resources import ACCESS_KEY, REGION, Names, create, create_table
from local_stack.stack import local_secret
