# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Refresh, its single use, and a logout that holds through kill -9.

login second
ask -d "@$tmp/second.refresh" /api/auth/refresh
answers 'refresh gives a fresh pair' 200 '.access_token and .refresh_token'
pair third
ask -d "@$tmp/second.refresh" /api/auth/refresh
answers 'a refresh token is used up' 401
ask -K "$tmp/third.access" /api/status
answers '… and a second use within the grace harms nobody' 200
login other
ticket second
cp "$tmp/ticket" "$tmp/old.ticket"
ticket third
tail_stream "$tmp/logout.stream" query
ask -K "$tmp/third.access" -X POST /api/logout
answers 'logout' 200 '.status == "success" and .message'
that 'the stream of that login closes with 1008' within 5 has "$tmp/logout.stream" 'closed 1008'

refused_everywhere() {
    local name
    for name in second third; do
        ask -K "$tmp/$name.access" /api/status
        answers "$1: access token of the $name pair" 401
    done
    ask -d "@$tmp/third.refresh" /api/auth/refresh
    answers "$1: the refresh token of that login" 401
}
refused_everywhere 'logged out'
# Once more, and killed in the moment of the answer.
login killed
ask -K "$tmp/killed.access" -X POST /api/logout
ended KILL
that 'killed in the moment of the answer' test "$ended" -eq 137

start
that 'after a kill -9 it starts' has "$banner" 'is ready'
that '… and no password is printed a second time' not has "$banner" "$first_password"
that '… and its certificate is the same' has "$banner" "SHA-256 $fingerprint"
ask -K "$tmp/killed.access" /api/status
answers 'still logged out' 401
ask -d "@$tmp/killed.refresh" /api/auth/refresh
answers 'still logged out: the refresh token' 401
refused_everywhere 'still logged out'
ask -K "$tmp/other.access" /api/status
answers 'another login lives on' 200
ask -K "$tmp/admin" /api/status
answers 'the password is as it was' 200
cp "$tmp/old.ticket" "$tmp/ticket"
tail_stream "$tmp/old.stream" query
that 'a ticket does not outlive the run' grep -q '^refused 401' "$tmp/old.stream"
