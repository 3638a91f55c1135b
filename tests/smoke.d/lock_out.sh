# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Guessers are locked out; then the end in good order.

unlock() { local_ask -X DELETE /api/security/rate-limits/127.0.0.1; }
unlock
answers 'the failures so far are cleared over the local socket' 200 '.status == "success"'
unlock
answers '… and then there is nothing to clear' 404
login owner
ticket owner
tail_stream "$tmp/guess.stream" query '?source=postern'
credentials wrong.json 'wrong-password-1'
basic wrong 'wrong-password-2'
for attempt in 1 2 3 4 5; do
    if [ $((attempt % 2)) = 0 ]; then ask -K "$tmp/wrong" /api/status; else ask -d "@$tmp/wrong.json" /api/auth/login; fi
    answers "wrong password $attempt" 401
done
locked() {
    ask -d "@$tmp/wrong.json" /api/auth/login
    answers "$1: a wrong password is 429" 429 '.status == "error"'
    retry_after=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]*\).*/\1/p' "$tmp/head")
    that "$1: with Retry-After (${retry_after:-none} s)" test "${retry_after:-0}" -gt 200 -a "${retry_after:-0}" -le 300
    ask -d "@$tmp/login.json" /api/auth/login
    answers "$1: so is the right one" 429
    ask -K "$tmp/new-admin" /api/status
    answers "$1: by Basic too" 429
    ask -K "$tmp/owner.access" /api/security/rate-limits
    answers "$1: a bearer token works, and lists the address" 200 \
        '.data | any(.ip == "127.0.0.1" and .attempts == 5 and .blocked and .retry_after > 200)'
}
locked 'locked out'
that 'failed logins are on the stream' within 5 has "$tmp/guess.stream" '"message":"login failed'
that '… and so is the lock-out' within 5 grep -qi 'locked out\|lock-out' "$tmp/guess.stream"
ended KILL
start
locked 'locked out and killed'
unlock
answers 'cleared over the local socket' 200
ask -K "$tmp/new-admin" /api/status
answers 'then the right password works' 200
that 'the local socket is 0600' mode "$state/postern.sock" 600
local_ask /api/status
answers 'whoever may open it is the administrator' 200 '.status == "success"'

that 'postern health says healthy' "$postern" health --socket "$state/postern.sock"
env -i STATE_DIR="$state" LISTEN=127.0.0.1:0 "$postern" --env-file /dev/null >"$tmp/second.out" 2>&1
that 'a second one on the same state leaves with 1' test "$?" -eq 1
that '… and says why' grep -qi 'another\|already\|lock' "$tmp/second.out"
ticket owner
tail_stream "$tmp/end.stream" query
ended TERM
that 'SIGTERM: exit status 0' test "$ended" -eq 0
that '… and streams are closed with 1001' within 5 has "$tmp/end.stream" 'closed 1001'
that '… and the local socket is gone' test ! -e "$state/postern.sock"
"$postern" health --socket "$state/postern.sock" >/dev/null 2>&1
that 'postern health without a server: 2' test "$?" -eq 2
