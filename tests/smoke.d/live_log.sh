# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# The live log of a file that grows, is rotated and is truncated, by WebSocket and by curl, without a seam.

printf 'before anybody listens\n' >>"$log"
recent() {
    ask -K "$tmp/first.access" '/api/logs?source=board'
    has "$tmp/body" "$1"
}
that 'a line of the file is in GET /api/logs' within 5 recent 'before anybody listens'

ticket first
tail_stream "$tmp/query.stream" query
that 'a ticket opens the stream' has "$tmp/query.stream" '"type":"hello"'
tail_stream "$tmp/again.stream" query
that 'a ticket is used up' grep -q '^refused 401 .*invalid or expired token' "$tmp/again.stream"
tail_stream "$tmp/none.stream" none
that 'without a ticket: missing token' grep -q '^refused 401 .*missing token' "$tmp/none.stream"
ticket first
tail_stream "$tmp/subprotocol.stream" subprotocol '?source=board'
that 'a ticket as a subprotocol selects postern.logs' has "$tmp/subprotocol.stream" 'open postern.logs'
curl -sSN --cacert "$cacert" -K "$tmp/first.access" "$base/api/logs?follow=true&source=board" >"$tmp/follow.stream" 2>&1 &
follower=$!
in_background $follower
that 'follow=true begins with hello' within 10 has "$tmp/follow.stream" '"type":"hello"'

streams=(query subprotocol follow)
arrives() {
    local stream
    for stream in "${streams[@]}"; do has "$tmp/$stream.stream" "$1" || return 1; done
}
printf 'one\ntwo\n' >>"$log"
that 'appended lines arrive on every stream' within 5 arrives '"message":"two"'
printf 'thr' >>"$log"
printf 'ee\n' >>"$log"
that 'a line written in two pieces arrives whole' within 5 arrives '"message":"three"'
mv "$log" "$log.1"
printf 'late, to the old file\n' >>"$log.1"
printf 'first of the new file\n' >"$log"
that 'after rename and create: the new file is followed' within 5 arrives 'first of the new file'
that '… and the last line of the old one is not lost' within 5 arrives 'late, to the old file'
: >"$log"
printf 'cut\n' >>"$log"
that 'after truncation the file is followed from its start' within 5 arrives '"message":"cut"'
printf 'not utf-8: \377\n' >>"$log"
that 'invalid UTF-8 does not stop it' within 5 arrives 'not utf-8'
head -c 70000 /dev/zero | tr '\0' y >>"$log"
printf '\nend\n' >>"$log"
that 'nor does a line over 64 KiB' within 5 arrives '"message":"end"'
kill "$follower" && wait "$follower" 2>/dev/null

printf '%s\n' one two three 'late, to the old file' 'first of the new file' cut end >"$tmp/expected"
for stream in "${streams[@]}"; do
    messages "$tmp/$stream.stream" board | grep -v -e '^not utf-8' -e '^yyy' >"$tmp/messages"
    that "$stream: each line once, in order" diff "$tmp/expected" "$tmp/messages"
    that "$stream: nothing was lost" not has "$tmp/$stream.stream" '"type":"gap"'
done
sequence=$(grep '^{' "$tmp/query.stream" | jq -s '[.[] | select(.type == "log") | .seq] | . == [range(.[0]; .[0] + length)]')
that 'seq rises by one' test "$sequence" = true
since=$(grep '^{' "$tmp/query.stream" | jq -r 'select(.message == "three") | .seq')
ticket first
tail_stream "$tmp/since.stream" query "?source=board&since=$since"
that 'since replays what came after' within 5 has "$tmp/since.stream" '"message":"end"'
that '… and nothing before' not has "$tmp/since.stream" '"message":"three"'
