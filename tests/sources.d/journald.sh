# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# A systemd-journald of our own, without systemd: real entries, a journalctl that is killed in their midst, and the ends.

start_journald() {
    mount -t tmpfs tmpfs /run || return 1
    mkdir -p /run/systemd/journal /run/systemd/journald.conf.d "/run/log/journal/$(cat /etc/machine-id)" || return 1
    if [ -d /var/log/journal ]; then mount -t tmpfs tmpfs /var/log/journal || return 1; fi
    printf '[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nForwardToWall=no\nRateLimitIntervalSec=0\n' \
        >/run/systemd/journald.conf.d/test.conf
    chmod -R go+rX /run
    /lib/systemd/systemd-journald >"$tmp/journald.out" 2>&1 &
    in_background $!
    within 10 test -S /run/systemd/journal/stdout
}

why=''
if [ "$SOURCES_NAMESPACE" != own ]; then
    why='it takes root and a mount namespace'
elif ! command -v journalctl >/dev/null || ! command -v systemd-cat >/dev/null || [ ! -x /lib/systemd/systemd-journald ]; then
    why='systemd is not installed'
elif [ ! -s /etc/machine-id ]; then
    why='there is no /etc/machine-id'
elif ! start_journald; then
    why="journald does not start here: $(tail -n 1 "$tmp/journald.out" 2>/dev/null)"
fi
if [ -n "$why" ]; then
    not_checked "journald: $why"
    return 0
fi

tell() { logger --socket /run/systemd/journal/dev-log "$@"; }
tell -t early 'before the start'
secret=$(od -An -N32 -tx1 /dev/urandom | tr -d " \n")
start LOG_SOURCES="journald,file:$log" SECRET_KEY="$secret"
that 'the journal is followed' within 5 source_is journald '.state == "following" and .error == null'
that 'what was there before the start is shown' within 5 has_entry journald '.message == "before the start"'
tell -t greeter -p daemon.err --id=4711 'hello there'
that 'logger: level and identifier' within 5 has_entry journald \
    '.message == "hello there" and .level == "error" and .fields.identifier == "greeter" and (.fields.pid | type) == "number"'
systemd-cat -t catty -p warning printf 'not UTF-8: \377, then\nanother\n'
that 'systemd-cat: bytes that are not UTF-8' within 5 has_entry journald '.message == "not UTF-8: �, then" and .level == "warn"'
systemd-cat -t catty sh -c 'head -c 20000 /dev/zero | tr "\0" y; echo'
that 'a message of 20 kB is whole' within 5 has_entry journald '(.message | length) == 20000 and (.message | test("^y*$"))'

child=$(children "$server")
that 'it has one child, journalctl' grep -qzx journalctl <(tr '\0' '\n' <"/proc/${child% }/cmdline" | sed 's|.*/||' | head -n 1 | tr '\n' '\0')
that 'no secret is in its environment' not grep -qa -e SECRET_KEY -e "$secret" "/proc/${child% }/environ"

# 900 lines while its child is killed three times.
(
    i=0
    while [ $i -lt 900 ]; do
        i=$((i + 1))
        echo "line $i"
        [ $((i % 3)) -ne 0 ] || sleep 0.01
    done | tell -t seam
) &
in_background $!
writer=$!
kills=0
while [ $kills -lt 3 ]; do
    child=$(children "$server")
    if [ -n "${child% }" ]; then
        kill -KILL "${child% }" && kills=$((kills + 1))
        if [ $kills -eq 1 ]; then
            that 'the wait for the next journalctl is told' within 5 source_is journald \
                '.state == "waiting to start journalctl again" and (.error | contains("signal: 9"))'
        fi
    fi
    sleep 0.3
done
wait "$writer"
seam() { entries journald && [ "$(jq -r 'select(.fields.identifier == "seam").message' "$tmp/entries")" = "$(seq -f 'line %g' 900)" ]; }
that 'journalctl killed three times among 900 lines: each is there once, in order' within 15 seam
that 'it is followed again' within 5 source_is journald '.state == "following"'

child=$(children "$server")
ended TERM
that 'SIGTERM ends it, and journalctl' gone "${child% }"
start LOG_SOURCES=journald
within 5 source_is journald '.state == "following"'
child=$(children "$server")
ended KILL
that 'after kill -9 journalctl ends by itself' within 10 gone "${child% }"

# As a service its standard error is the journal.
systemd-cat -t postern-unit env -i LISTEN=127.0.0.1:0 STATE_DIR="$state" LOG_SOURCES=journald "$postern" --env-file /dev/null &
server=$!
that 'with its own log in the journal' within 15 source_is journald '.state == "following"'
tell -t after 'after its own lines'
that '… other lines arrive' within 5 has_entry journald '.message == "after its own lines"'
that '… its own lines are in the journal' within 5 sh -c 'journalctl -q --no-pager -t postern-unit | grep -q "log source"'
that '… and on the stream as its own, once' within 5 has_entry postern '.message | contains("log source")'
entries journald
that '… not a second time out of the journal' not grep -q '"identifier":"postern-unit"' "$tmp/entries"
ended TERM

start_as_nobody LOG_SOURCES=journald
that "a user who may not read it is told journalctl's own words" within 5 source_is journald \
    '.error != null and (.error | test("ermission|not seeing"))'
end_as_nobody

mount --bind /dev/null "$(realpath "$(command -v journalctl)")"
start LOG_SOURCES="journald,file:$log"
that 'without journalctl: an error that says so' within 5 source_is journald '.state == "error" and (.error | contains("journalctl is not there"))'
that '… and the other sources run' within 5 source_is board '.state == "following"'
ended TERM
umount "$(realpath "$(command -v journalctl)")"
