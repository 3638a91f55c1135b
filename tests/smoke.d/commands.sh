# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# The other commands; and that no secret ever came into the server's own log.

that 'postern --version' test "$("$postern" --version)" = "postern $(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -n 1)"
env -i STATE_DIR="$tmp/never" "$postern" check --env-file /dev/null >"$tmp/check" 2>&1
that 'postern check: a good configuration' test "$?" -eq 0
that '… starts nothing and makes nothing' test ! -e "$tmp/never"
env -i LISTEN=nonsense JWT_EXPIRE_DURATION=soon SECRET_KEY=short "$postern" check --env-file /dev/null >"$tmp/check" 2>&1
that 'postern check: a bad one is 1' test "$?" -eq 1
for name in LISTEN JWT_EXPIRE_DURATION SECRET_KEY; do that "… and names $name" has "$tmp/check" "$name"; done
hash=$(printf '%s\n' "$new_password" | "$postern" hash-password --cost 10)
that 'postern hash-password: a bcrypt hash' grep -qE '^\$2b\$10\$[./A-Za-z0-9]{53}$' <<<"$hash"
"$postern" hash-password on-the-command-line >"$tmp/argv" 2>&1
that '… and never from the command line' test "$?" -eq 2
that '… nor is that shown' not has "$tmp/argv" on-the-command-line

sort -u "$tmp/secrets" | grep -v '^$' >"$tmp/patterns"
that 'there were secrets to look for' test "$(wc -l <"$tmp/patterns")" -gt 20
for file in "$tmp"/err.*; do
    that "no secret in the log of run ${file##*.}" not grep -qFf "$tmp/patterns" "$file"
done
that 'nor on the streams' not grep -qFf "$tmp/patterns" "$tmp"/*.stream
that 'and no panic' not grep -qi 'panicked' "$tmp"/err.*
