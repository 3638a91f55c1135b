# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# logger(1), by Unix socket and by UDP, in both formats; and the places of others.

socket=$tmp/log.sock
# A free UDP port: asked for by one run and used by the next would be a race; a taken one is tried again by the test.
udp=$((20000 + RANDOM % 10000))
start LOG_SOURCES="syslog:$socket,syslog:udp:127.0.0.1:$udp?name=lan"
while ! within 5 source_is lan '.state == "listening"'; do
    ended TERM
    udp=$((20000 + RANDOM % 10000))
    start LOG_SOURCES="syslog:$socket,syslog:udp:127.0.0.1:$udp?name=lan"
done
that 'the socket is there for everybody' mode "$socket" 666
that '… and is listened on' source_is syslog '.state == "listening"'

recent='((.timestamp | sub("[.][0-9]+Z"; "Z") | fromdate) - now | fabs) < 5'
logger --socket "$socket" -t greeter -p local3.warning --id=4711 'hello there'
that 'logger --socket: level, facility, app and pid' within 5 has_entry syslog \
    ".message == \"hello there\" and .level == \"warn\" and .fields == {facility: \"local3\", app: \"greeter\", pid: 4711} and $recent"
TZ=Asia/Kathmandu logger --socket "$socket" -t zone 'from another zone'
if [ "$(TZ=Asia/Kathmandu date +%z)" = +0545 ]; then
    that '… in another time zone it is not dated five hours off' within 5 has_entry syslog ".message == \"from another zone\" and $recent"
else
    not_checked 'syslog: another time zone: no tzdata here'
fi
logger --socket "$socket" --rfc5424 --sd-id 'unit@32473' --sd-param 'speed="9\"9"' --msgid M1 -t greeter 'structured'
that '… --rfc5424 with structured data' within 5 has_entry syslog \
    '.message == "structured" and .fields.msgid == "M1" and .fields.structured_data["unit@32473"].speed == "9\"9"'
that '… without the name of this machine' has_entry syslog '.message == "structured" and (.fields | has("hostname") | not)'

for format in rfc3164 rfc5424; do
    logger --server 127.0.0.1 --port "$udp" --udp "--$format" -t greeter -p daemon.err -i "by UDP, $format"
    that "logger --udp --$format: where from, app, level" within 5 has_entry lan \
        ".message == \"by UDP, $format\" and .level == \"error\" and .fields.facility == \"daemon\" and .fields.app == \"greeter\" and .fields.from == \"127.0.0.1\" and (.fields.pid | type) == \"number\" and $recent"
done
{ : >"/dev/udp/127.0.0.1/$udp"; head -c 3000 /dev/urandom >"/dev/udp/127.0.0.1/$udp"; } 2>/dev/null
logger --server 127.0.0.1 --port "$udp" --udp 'after the garbage'
that 'garbage hurts nobody' within 5 has_entry lan '.message == "after the garbage"'
seq -f 'number %g' 500 | logger --socket "$socket" -t flood
flood() { entries syslog && [ "$(jq -r 'select(.fields.app == "flood").message' "$tmp/entries")" = "$(seq -f 'number %g' 500)" ]; }
that 'of 500 messages in one go each arrives once, in order' within 10 flood

first=$server first_state=$state
state=$tmp/second
start LOG_SOURCES="syslog:$socket,file:$log"
that "a second one leaves the first one's socket alone, and says so" within 5 source_is syslog \
    '.state == "error" and (.error | contains("another program listens"))'
that '… and its other sources run' source_is board '.state == "following"'
ended TERM
server=$first state=$first_state
logger --socket "$socket" 'still here'
that '… which the first one still listens on' within 5 has_entry syslog '.message == "still here"'
ended KILL
that 'kill -9 leaves the socket behind' test -S "$socket"
start LOG_SOURCES="syslog:$socket"
that '… and the next start takes its place' within 5 source_is syslog '.state == "listening"'
ended TERM
that 'SIGTERM takes the socket away' not test -e "$socket"
