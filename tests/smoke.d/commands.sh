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

# With no setting, no home and no server.
that 'postern sbom' env -i "$postern" sbom
cp "$tmp/that" "$tmp/sbom"
that '… is CycloneDX' jq -e '.bomFormat == "CycloneDX" and .metadata.component.name == "postern"' "$tmp/sbom"
that '… of what is linked' jq -e '.components | map(.name) | contains(["ring", "rustls"]) and (index("proptest") | not)' "$tmp/sbom"
that '… with a SHA-256 of each' jq -e 'all(.components[].hashes[0].content; test("^[0-9a-f]{64}$"))' "$tmp/sbom"
that '… twice the same' cmp "$tmp/sbom" <("$postern" sbom)
# A pipe whose reader is gone for certain.
exec {closed}> >(:)
wait "$!"
"$postern" sbom 1>&"$closed" 2>"$tmp/closed"
that '… nobody who reads on is no mistake' test "$?" -eq 0 -a ! -s "$tmp/closed"
exec {closed}>&-
"$postern" sbom >/dev/full 2>/dev/null
that '… a full disk is' test "$?" -eq 1

sort -u "$tmp/secrets" | grep -v '^$' >"$tmp/patterns"
that 'there were secrets to look for' test "$(wc -l <"$tmp/patterns")" -gt 20
for file in "$tmp"/err.*; do
    that "no secret in the log of run ${file##*.}" not grep -qFf "$tmp/patterns" "$file"
done
that 'nor on the streams' not grep -qFf "$tmp/patterns" "$tmp"/*.stream
that 'and no panic' not grep -qi 'panicked' "$tmp"/err.*
