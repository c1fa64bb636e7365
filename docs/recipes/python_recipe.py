"""python_recipe.py [URL]: one call, and what it cost."""

import os
import sys

import requests

url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MOCK_URL", "http://127.0.0.1:8001")

requests.post(f"{url}/__admin/reset", timeout=10).raise_for_status()
answer = requests.post(
    f"{url}/idenAuthentication",
    data={"name": "李秀英", "idNo": "120101185304270249"},
    headers={"Authorization": "APPCODE any"},
    timeout=10,
)
ledger = requests.get(f"{url}/__admin/ledger", timeout=10).json()

# A gateway's refusal has an empty body: look at the status before the JSON.
code = answer.json()["respCode"] if answer.ok else answer.headers["X-Ca-Error-Message"]
print("respCode", code)
print("paid_calls", ledger["paid_calls"])
sys.exit(code != "0000" or ledger["paid_calls"] != 1)
