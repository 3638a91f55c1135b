# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# A second server, with its own certificate by file, no grace for refresh tokens, and later a small bucket.

certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' -keyout "$tmp/$1.key" -out "$tmp/$1.pem" 2>/dev/null
}
install_pair() {
    cp "$tmp/$2" "$tmp/own.key"
    cp "$tmp/$1" "$tmp/own.pem"
}
certificate one
certificate two
install_pair one.pem one.key
cacert=$tmp/one.pem
start REFRESH_REUSE_GRACE_SECONDS=0 TLS_CERT_FILE="$tmp/own.pem" TLS_KEY_FILE="$tmp/own.key"
ask /health
answers 'its own certificate by file' 200
install_pair two.pem two.key
kill -HUP "$server"
cacert=$tmp/two.pem
reloaded() { ask /health && [ "$status" = 200 ]; }
that 'SIGHUP: the new certificate is served' within 10 reloaded
cp "$tmp/one.key" "$tmp/own.key"
kill -HUP "$server"
that 'a pair that does not fit is refused' within 10 has "$err" 'and is refused; the one before it serves on'
ask /health
answers '… and the old one serves on' 200 '.status == "degraded" and (.reasons[0] | contains("TLS_CERT_FILE"))'

install_pair one.pem one.key
cacert=$tmp/one.pem
that 'without a signal: a new pair is seen by itself' within 15 reloaded

login thief
ask -d "@$tmp/thief.refresh" /api/auth/refresh
pair owner
login bystander
ticket bystander
tail_stream "$tmp/theft.stream" query '?source=postern'
ask -d "@$tmp/thief.refresh" /api/auth/refresh
answers 'a refresh token used again, later' 401
for name in thief owner; do
    ask -K "$tmp/$name.access" /api/status
    answers "… ends the whole login: access token of $name" 401
done
ask -d "@$tmp/owner.refresh" /api/auth/refresh
answers '… ends the whole login: the newest refresh token' 401
that '… and is on the stream' within 5 has "$tmp/theft.stream" 'refresh token reused'
ask -K "$tmp/bystander.access" /api/status
answers '… and no other login is touched' 200
ended INT
that 'SIGINT: exit status 0' test "$ended" -eq 0

cacert=$state/tls-cert.pem
start RATE_LIMIT_RPS=1 RATE_LIMIT_BURST=5
curl -sS --cacert "$cacert" -D "$tmp/head" -o /dev/null -w '%{http_code}\n' "$base/health?[1-12]" 2>/dev/null | sort | uniq -c >"$tmp/codes"
that 'a burst of 5 passes the bucket, and little more' awk '$2 == 200 && $1 >= 5 && $1 <= 7 { found = 1 } END { exit !found }' "$tmp/codes"
that '… the rest are 429' awk '$2 == 429 && $1 >= 5 { found = 1 } END { exit !found }' "$tmp/codes"
that '… with Retry-After' header 'retry-after: *[1-9]'
again() { ask /health && [ "$status" = 200 ]; }
that '… and the bucket fills again' within 5 again
ended TERM
