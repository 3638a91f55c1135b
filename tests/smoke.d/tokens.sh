# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Passwords, tokens and tickets in files, and a client that follows the stream with one.

# Secrets go to curl in files, never in argv; and each is kept, to look for it in the server's log at the end.
remember() { printf '%s\n' "$1" >>"$tmp/secrets"; }
basic() {
    remember "$2"
    printf 'user = "admin:%s"\n' "$2" >"$tmp/$1"
}
credentials() {
    remember "$2"
    printf '{"username":"admin","password":"%s"}' "$2" >"$tmp/$1"
}

# login NAME: logs in with $tmp/login.json. Leaves $tmp/NAME.access and .refresh for curl's -K and -d.
login() {
    ask -d "@$tmp/login.json" /api/auth/login
    pair "$1"
}
pair() {
    local access refresh
    access=$(jq -r '.access_token // empty' "$tmp/body")
    refresh=$(jq -r '.refresh_token // empty' "$tmp/body")
    if [ -z "$access" ] || [ -z "$refresh" ]; then
        fail "tokens for $1" "$status $(cat "$tmp/body")"
        access=none refresh=none
    else
        remember "$access"
        remember "$refresh"
    fi
    printf 'header = "Authorization: Bearer %s"\n' "$access" >"$tmp/$1.access"
    printf '{"refresh_token":"%s"}' "$refresh" >"$tmp/$1.refresh"
}

# ticket NAME: a ticket to the log stream, got with $tmp/NAME.access, into $tmp/ticket.
ticket() {
    ask -K "$tmp/$1.access" /api/ws-token
    jq -r '.token // empty' "$tmp/body" >"$tmp/ticket"
    remember "$(cat "$tmp/ticket")"
}

# tail_stream FILE HOW [QUERY]: a WebSocket client in the background, writing to FILE.
tail_stream() {
    "$python" "$here/smoke.d/tail.py" "wss://localhost:$port/api/ws/logs${3:-}" "$cacert" "$2" <"$tmp/ticket" >"$1" 2>&1 &
    in_background $!
    within 10 grep -qE '^(\{"type":"hello"|refused|closed|Traceback)' "$1"
}

# Every message that the stream had of source $2 in file $1, in order.
messages() { grep '^{' "$1" | jq -r "select(.source == \"$2\") | .message"; }
