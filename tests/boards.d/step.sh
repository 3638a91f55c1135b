# shellcheck shell=bash disable=SC2154
# What tests/boards and tests/packages stand on: a line a step, and the count of what passed. $tmp is the caller's.

passed=0
failed=0

# step NAME COMMAND...: what the command says is shown if it fails, and what it leaves in $note if not.
step() {
    local name=$1
    shift
    note=''
    if "$@" >"$tmp/said" 2>&1; then
        passed=$((passed + 1))
        printf 'ok   %s%s\n' "$name" "${note:+: $note}"
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$name"
        sed 's/^/     /' "$tmp/said"
    fi
}

# What a step does not want to see.
not() { if "$@"; then echo "should not be: $*"; return 1; fi; }

same() { [ "$1" = "$2" ] || { printf 'got:  %s\nwant: %s\n' "$1" "$2"; return 1; }; }
