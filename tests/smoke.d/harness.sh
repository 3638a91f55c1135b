# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# What tests/smoke stands on: a server in a temporary folder, curl, bounded waits, and the count of what passed.

passed=0
failed=0
server=''
helpers=()

ok() {
    passed=$((passed + 1))
    printf 'ok   %s\n' "$1"
}

fail() {
    failed=$((failed + 1))
    printf 'FAIL %s: %s\n' "$1" "${2:-no details}"
}

# that STEP COMMAND...: the step passes when the command does.
that() {
    local step=$1
    shift
    if "$@" >"$tmp/that" 2>&1; then ok "$step"; else fail "$step" "$(printf '%q ' "$@" | cut -c1-200) $(tail -n 3 "$tmp/that" | tr '\n' ' ')"; fi
}

# within SECONDS COMMAND...: waits until the command succeeds, and no longer than that.
within() {
    local until=$((SECONDS + $1 + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.03
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }
has() { grep -qF -- "$2" "$1"; }
not() { ! "$@"; }
mode() { [ "$(stat -c %a "$1")" = "$2" ]; }

# start VARIABLE=value...: a server on a free port of the loopback address, with nothing else in its environment.
start() {
    runs=$((runs + 1))
    out=$tmp/out.$runs err=$tmp/err.$runs
    env -i PATH="$PATH" LISTEN=127.0.0.1:0 STATE_DIR="$state" LOG_SOURCES="file:$log" "$@" \
        "$postern" --env-file /dev/null >"$out" 2>"$err" &
    server=$!
    if ! within 15 has "$out" 'Try it here'; then
        fail "start $runs" "no banner in time; it said: $(cat "$err")"
        exit 1
    fi
    base=$(grep -om1 'https://127.0.0.1:[0-9]*' "$out")
    port=${base##*:}
}

# ended SIGNAL: sends it, waits for the end, and tells the exit status in $ended.
ended() {
    local pid=$server
    server=''
    {
        kill -s "$1" "$pid"
        within 15 gone "$pid" || kill -KILL "$pid"
        ended=0
        wait "$pid" || ended=$?
    } 2>/dev/null # bash tells there what it saw killed
}

# in_background ID: a process to be ended with everything else.
in_background() { helpers+=("$1"); }

clean_up() {
    local pid
    for pid in $server "${helpers[@]}"; do
        kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$tmp"
}

# ask CURL-ARGUMENTS...: one request; leaves $status, $tmp/body and $tmp/head. A path stands for the server's URL.
ask() {
    local words=() word
    for word in "$@"; do
        case $word in /api* | /health* | /readyz* | /nowhere) word=$base$word ;; esac
        words+=("$word")
    done
    : >"$tmp/body"
    : >"$tmp/head"
    status=$(curl -sS --path-as-is --max-time 15 --cacert "$cacert" -o "$tmp/body" -D "$tmp/head" -w '%{http_code}' \
        "${words[@]}" 2>"$tmp/curl.err") || status="$status ($(tr '\n' ' ' <"$tmp/curl.err"))"
}

# local_ask CURL-ARGUMENTS...: the same over the local socket.
local_ask() { ask --unix-socket "$state/postern.sock" "${@/#\/api/http://localhost/api}"; }

# answers STEP STATUS [JQ-CONDITION]: about what was asked last.
answers() {
    if [ "$status" = "$2" ] && jq -e "${3:-true}" "$tmp/body" >"$tmp/jq" 2>&1; then
        ok "$1"
    else
        fail "$1" "$status $(head -c 300 "$tmp/body")"
    fi
}

header() { grep -qiE "^$1" "$tmp/head"; }

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
