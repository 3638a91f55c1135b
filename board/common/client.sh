# A person with curl, for the tests of boards: what is asked, and what the answer must be. Sourced by bash, behind lib.sh.
# The caller sets $tmp, a folder of its own, $base, the server's address, and `console`, which shows what it said.
# shellcheck shell=bash disable=SC2034,SC2154

# shellcheck source=tests/lib.sh
. "$top/tests/lib.sh"

# The first step that fails ends it: what comes after it would mean nothing.
give_up() {
    fail "$@"
    console
    exit 1
}
# is WHAT GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else give_up "$1" "$2, and not $3"; fi; }

# ask METHOD PATH [curl's arguments]: the body goes to $tmp/answer, the status to standard output. The key is pinned as
# soon as the console has told it.
ask() {
    local method=$1 path=$2
    shift 2
    curl -sk ${pin:+--pinnedpubkey "$pin"} --max-time 20 -o "$tmp/answer" -w '%{http_code}' -X "$method" "$@" "$base$path" || true
}

# Bodies and tokens by a file: not in a list of processes.
login() {
    jq -n --arg password "$1" '{username: "admin", $password}' >"$tmp/body"
    ask POST /api/auth/login -H 'Content-Type: application/json' -d "@$tmp/body"
}
token() { jq -r .access_token "$tmp/answer"; }
with() {
    local token=$1
    shift
    printf 'Authorization: Bearer %s\n' "$token" >"$tmp/bearer"
    ask "$@" -H "@$tmp/bearer"
}
change() {
    jq -n --arg old "$2" --arg new "$3" '{current_password: $old, new_password: $new}' >"$tmp/body"
    with "$1" POST /api/change-password -H 'Content-Type: application/json' -d "@$tmp/body"
}
healthy() { ask GET /health >/dev/null; jq -r .status "$tmp/answer"; }
clock() { with "$1" GET /api/status >/dev/null; jq -r .clock.state "$tmp/answer"; }
