# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# The audit log: what was done is in it (but for what the kills before cost), its chain is what sha256sum says, and a line taken out shows.

start
login audited
ask -K "$tmp/audited.access" -X POST /api/logout
ask -d "@$tmp/wrong.json" /api/auth/login
ask -K "$tmp/new-admin" '/api/audit-log?limit=1000'
answers 'the audit log has what happened' 200 \
    '[.data[].event] | contains(["lock_out_cleared", "stop", "start", "login", "logout", "failure"])'
answers '… numbered without a gap' 200 '[.data[].seq] | . == [range(.[0]; .[0] + length)]'
ask -K "$tmp/new-admin" '/api/audit-log?before=none'
answers '… and a bad question is 400' 400 '.detail | contains("before")'
env -i STATE_DIR="$state" "$postern" audit verify --env-file /dev/null >"$tmp/verified" 2>&1
that 'postern audit verify: whole, while it runs' test "$?" -eq 0
that 'sha256sum agrees' test "$(sed -n 1p "$state/audit.log" | tr -d '\n' | sha256sum | cut -c1-64)" = \
    "$(sed -n 2p "$state/audit.log" | jq -r .prev)"
that 'audit.log is 0600' mode "$state/audit.log" 600
mkdir "$tmp/audit"
sed 3d "$state/audit.log" >"$tmp/audit/audit.log"
"$postern" audit verify "$tmp/audit" >"$tmp/verified" 2>&1
that 'a line taken out: 1' test "$?" -eq 1
that '… and where' has "$tmp/verified" 'audit.log, line 3'
"$postern" audit "$state" >"$tmp/shown" 2>&1
that 'postern audit shows them' has "$tmp/shown" 'login'
that 'no secret in it' not grep -qFf <(sort -u "$tmp/secrets" | grep -v '^$') "$state/audit.log"
ended TERM
that 'its last entry is the stop' test "$(tail -n 1 "$state/audit.log" | jq -r .event)" = stop
