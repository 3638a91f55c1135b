# A person with curl, for the tests of boards: what is asked, and what the answer must be. Sourced by bash.
# The caller sets $work, a folder of its own, $base, the server's address, and `console`, which shows what it said.
# shellcheck shell=bash disable=SC2034,SC2154

steps=0
ok() { steps=$((steps + 1)); printf 'ok %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*"
    console
    exit 1
}
# is WHAT GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else fail "$1: $2, and not $3"; fi; }

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# ask METHOD PATH [curl's arguments]: the body goes to $work/answer, the status to standard output. The key is pinned as
# soon as the console has told it.
ask() {
    local method=$1 path=$2
    shift 2
    curl -sk ${pin:+--pinnedpubkey "$pin"} --max-time 20 -o "$work/answer" -w '%{http_code}' -X "$method" "$@" "$base$path" || true
}

# Bodies and tokens by a file: not in a list of processes.
login() {
    jq -n --arg password "$1" '{username: "admin", $password}' >"$work/body"
    ask POST /api/auth/login -H 'Content-Type: application/json' -d "@$work/body"
}
token() { jq -r .access_token "$work/answer"; }
with() {
    local token=$1
    shift
    printf 'Authorization: Bearer %s\n' "$token" >"$work/bearer"
    ask "$@" -H "@$work/bearer"
}
change() {
    jq -n --arg old "$2" --arg new "$3" '{current_password: $old, new_password: $new}' >"$work/body"
    with "$1" POST /api/change-password -H 'Content-Type: application/json' -d "@$work/body"
}
healthy() { ask GET /health >/dev/null; jq -r .status "$work/answer"; }
clock() { with "$1" GET /api/status >/dev/null; jq -r .clock.state "$work/answer"; }
