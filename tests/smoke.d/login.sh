# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Basic, login, bearer.

ask -K "$tmp/admin" /api/status
answers 'Basic' 200 '.status == "success" and .journal.writable'
ask -d "@$tmp/login.json" /api/auth/login
answers 'login' 200 '.status == "success" and .token_type == "Bearer" and .expires_in == 28800'
pair first
ask -K "$tmp/first.access" /api/status
answers 'bearer' 200 '.status == "success" and (.logs.sources | length) == 1'
jq -r '"header = \"Authorization: Bearer \(.refresh_token)\""' "$tmp/first.refresh" >"$tmp/refresh.access"
ask -K "$tmp/refresh.access" /api/status
answers 'a refresh token is no access token' 401
sed 's/\(.*\)..."$/\1abc"/' "$tmp/first.access" >"$tmp/tampered.access"
ask -K "$tmp/tampered.access" /api/status
answers 'a tampered token is 401' 401
that '… with error="invalid_token"' header 'www-authenticate:.*error="invalid_token"'
ask -K "$tmp/first.access" /api/openapi.json
answers 'the API describes itself' 200 '.openapi | startswith("3.1")'
