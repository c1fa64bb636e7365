#!/bin/sh
# curl.sh [URL]: one call, and what it cost.
set -eu
url=${1:-${MOCK_URL:-http://127.0.0.1:8001}}

curl -sSf -X POST "$url/__admin/reset" >/dev/null
answer=$(curl -sSf "$url/idenAuthentication" \
  -H 'Authorization: APPCODE any' \
  --data-urlencode 'name=李秀英' --data-urlencode 'idNo=120101185304270249')
ledger=$(curl -sSf "$url/__admin/ledger")

code=$(printf '%s' "$answer" | sed -n 's/.*"respCode":"\([0-9]*\)".*/\1/p')
paid=$(printf '%s' "$ledger" | sed -n 's/.*"paid_calls":\([0-9]*\).*/\1/p')
echo "respCode $code"
echo "paid_calls $paid"
[ "$code" = 0000 ] && [ "$paid" = 1 ]
