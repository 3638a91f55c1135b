# shellcheck shell=bash disable=SC2154,SC2034
# What the tests in shell stand on: one line a step and the count of what passed, bounded waits, a server, and curl.
# $postern is the program: a path, or an array of words where it takes an emulator. $tmp is a folder of the caller's, by
# own_folder or otherwise. tests/lib/steps.py prints the same.

passed=0
failed=0
runs=0
server=''
helpers=()

# --- Steps ---

ok() {
    passed=$((passed + 1))
    printf 'ok   %s\n' "$1"
}

# fail STEP WHY: the step failed; others are still to be tried.
fail() {
    failed=$((failed + 1))
    printf 'FAILED %s: %s\n' "$1" "${2:-no details}"
}

# that STEP COMMAND...: the step passes when the command does. What the command says is shown if it fails, and what it
# leaves in $note if not.
that() {
    local step=$1
    shift
    note=''
    if "$@" >"$tmp/that" 2>&1; then
        ok "$step${note:+: $note}"
    else
        fail "$step" "$(printf '%q ' "$@" | cut -c1-200)"
        tail -n 50 "$tmp/that" | sed 's/^/     /'
    fi
}

# What this machine does not permit.
not_checked() { printf 'NOT CHECKED: %s: %s\n' "${0##*/}" "$1"; }

# The last thing that a test says; its exit status.
summary() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}

# --- What steps ask ---

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
not() { if "$@"; then echo "should not be: $*"; return 1; fi; }
same() { [ "$1" = "$2" ] || { printf 'got:  %s\nwant: %s\n' "$1" "$2"; return 1; }; }
mode() { [ "$(stat -c %a "$1")" = "$2" ]; }
there() { command -v "$1" >/dev/null; }

# needs TOOL...: ends the test where one is missing.
needs() {
    local tool
    for tool in "$@"; do
        there "$tool" || { echo "${0##*/} needs $tool" >&2; exit 2; }
    done
}

# --- The server ---

# A folder for all of it, which goes with every process when the script ends; and nothing of this user's own for curl.
own_folder() {
    umask 077
    tmp=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    state=$tmp/state log=$tmp/board.log cacert=$tmp/state/tls-cert.pem
    : >"$log"
    unset CDPATH SSLKEYLOGFILE
    export CURL_HOME=$tmp HOME=$tmp
}

# launch COMMAND...: starts the program so, and waits until it listens. $banner and $err are files with what it says; $base
# and $port are where it is.
launch() {
    runs=$((runs + 1))
    banner=$tmp/out.$runs err=$tmp/err.$runs
    : >"$banner"
    "$@" >"$banner" 2>"$err" &
    server=$!
    within "${patience:-15}" settled || true
    if ! is_up; then
        echo "no banner in time; it said: $(cat "$err")"
        return 1
    fi
    base=$(grep -om1 'https://127.0.0.1:[0-9]*' "$banner")
    port=${base##*:}
}
is_up() { has "$banner" /api/auth/login; }
settled() { is_up || gone "$server"; }

# start VARIABLE=value...: a server on a port that the kernel chooses, with nothing else in its environment.
start() {
    launch env -i PATH="$PATH" LISTEN=127.0.0.1:0 STATE_DIR="$state" LOG_SOURCES="file:$log" "$@" \
        "${postern[@]}" --env-file /dev/null >"$tmp/launch" || { fail "start $runs" "$(cat "$tmp/launch")"; exit 1; }
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
        { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
    done
    rm -rf "$tmp"
}

# --- curl ---

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
