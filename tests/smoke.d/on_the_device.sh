# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# What is done on the device itself, over the local socket or in the state folder: status, cve, lockouts, passwd, cert.

mkdir "$state/advisories"
advisory='{"id":"RUSTSEC-2026-9999","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"crates.io","name":"rustls"},
"ranges":[{"type":"SEMVER","events":[{"introduced":"0.0.0-0"}]}]}],"references":[{"type":"ADVISORY","url":"https://example.org/r"}]}'
printf '%s' "$advisory" >"$state/advisories/rustls.json"
start
cacert=$state/tls-cert.pem
here_on() { "$postern" "$@" --socket "$state/postern.sock" >"$tmp/here.out" 2>"$tmp/here.err"; }
login keeper
that 'postern status' here_on status
that '… says how it is' grep -qE '^health +healthy$' "$tmp/here.out"
that '… and what is followed' grep -qE '^log source +board \(file:[^)]+\): following' "$tmp/here.out"
that '… --json is the answer itself' here_on status --json
that '… as JSON' jq -e '.status == "success" and .logs.entries > 0' "$tmp/here.out"

update_told() { here_on status && grep -qE '^update +99\.0\.0 is available: https://example\.org/p$' "$tmp/here.out"; }
update_shown() { curl -s --cacert "$cacert" "https://localhost:$port/health" | jq -e '.update_available and .update_version == "99.0.0"'; }
printf '{"version":"99.0.0","url":"https://example.org/p"}' >"$state/update.new"
mv "$state/update.new" "$state/update.json"
that 'a dropped update.json is noticed' within 12 update_told
that '… and on /health' update_shown
rm "$state/update.json"
that '… and that it has gone' within 12 not update_shown

cve_told() { here_on cve; test "$?" -eq 1 && grep -qE '^RUSTSEC-2026-9999 +unknown +rustls +[0-9.]+ +- +https://example\.org/r$' "$tmp/here.out"; }
cve_counted() { curl -s --cacert "$cacert" "https://localhost:$port/health" | jq -e '.cves == 1 and .status == "healthy"'; }
cve_gone() { here_on cve; test "$?" -eq 1 && has "$tmp/here.out" 'not checked: there are no advisories'; }
that 'postern cve: what applies to a crate in this very program' within 20 cve_told
that '… counted by /health' cve_counted
here_on status
that '… and told by postern status' grep -qE '^vulnerabilities +1 known of 1 advisories \(1 unknown\).*; postern cve lists them$' "$tmp/here.out"
rm -r "$state/advisories"
that '… gone with the advisories, which is not called good' within 45 cve_gone

credentials wrong.json not-the-password
ask -d "@$tmp/wrong.json" /api/auth/login
that 'postern lockouts' here_on lockouts
that '… lists who failed' grep -qE '^127\.0\.0\.1 +[1-5]  ' "$tmp/here.out"
that 'postern lockouts clear' here_on lockouts clear 127.0.0.1
that '… once' not here_on lockouts clear 127.0.0.1
that '… then there is nothing to clear, in words' has "$tmp/here.err" 'no failed attempts'
here_on lockouts
that '… and the list is empty' has "$tmp/here.out" 'no failed logins'

reset_password="Reset-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
remember "$reset_password"
echo short | here_on passwd
that 'postern passwd refuses a weak one' test "$?" -eq 1
that '… with the reason' has "$tmp/here.err" '8'
ask -K "$tmp/keeper.access" /api/status
answers '… and nothing has changed' 200
printf '%s\n' "$reset_password" | here_on passwd
that 'postern passwd sets another' test "$?" -eq 0
ask -K "$tmp/keeper.access" /api/status
answers '… which ends all logins' 401
basic reset "$reset_password"
ask -K "$tmp/reset" /api/status
answers '… and works' 200
ended TERM
echo "$reset_password" | here_on passwd
that 'postern passwd --socket without a server: 2' test "$?" -eq 2
stopped_password="Stopped-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
remember "$stopped_password"
alone() { env -i STATE_DIR="$state" BCRYPT_COST=10 "$postern" --env-file /dev/null "$@" >"$tmp/here.out" 2>"$tmp/here.err"; }
echo short | alone passwd
that '… in the state folder a weak one is refused' test "$?" -eq 1
printf '%s\n' "$stopped_password" | alone passwd
that '… and another one set' test "$?" -eq 0
start
ask -K "$tmp/reset" /api/status
answers '… at the next start the old one is dead' 401
basic stopped "$stopped_password"
ask -K "$tmp/stopped" /api/status
answers '… and the new one works' 200
printf '%s\n' "$reset_password" | env -i STATE_DIR="$state" LOCAL_SOCKET= "$postern" --env-file /dev/null passwd >"$tmp/here.out" 2>"$tmp/here.err"
that '… never behind the back of one that runs' test "$?" -eq 2
ask -K "$tmp/stopped" /api/status
answers '… whose password is as it was' 200

# What openssl says of a certificate file, in the words of `postern cert`.
openssl_says() {
    openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=/fingerprint  SHA-256 /'
    openssl x509 -in "$1" -noout -ext subjectAltName | tail -n 1 | "$python" -c 'if True:
        import ipaddress, sys
        names = [part.strip() for part in sys.stdin.read().split(",")]
        names = [str(ipaddress.ip_address(n[11:])) if n.startswith("IP Address:") else n[4:] for n in names]
        print("names        " + ", ".join(names))'
    for end in start:from end:until; do
        date -u -d "$(openssl x509 -in "$1" -noout "-${end%:*}date" | sed 's/.*=//')" "+valid $(printf %-7s "${end#*:}")%F %T UTC"
    done
}
cert_says() { sed -n 's/\(UTC\),.*/\1/; /^fingerprint\|^names\|^valid/p' "$1"; }
# The certificate that the server shows to a newcomer.
shown() { openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256; }
shows() { [ "$(shown)" = "$(openssl x509 -in "$state/tls-cert.pem" -noout -fingerprint -sha256)" ]; }
alone cert
that 'postern cert' test "$?" -eq 0
that "… says what openssl says" diff <(cert_says "$tmp/here.out") <(openssl_says "$state/tls-cert.pem")
that '… and that it is good for years' grep -qE '^valid until .* in 3[0-9]{3} days$' "$tmp/here.out"
alone cert --json
that '… --json' jq -e '.expired == false and .origin == "generated" and (.names | index("localhost"))' "$tmp/here.out"
cp "$state/tls-cert.pem" "$tmp/old.pem"
old=$(openssl x509 -in "$tmp/old.pem" -noout -fingerprint -sha256 | sed 's/.*=//')
curl -sN --cacert "$tmp/old.pem" -K "$tmp/stopped" "$base/api/logs?follow=true" >"$tmp/living.stream" 2>&1 &
in_background $!
that '(somebody follows the log)' within 10 has "$tmp/living.stream" '"type":"hello"'
alone cert renew
that 'postern cert renew' test "$?" -eq 0
that '… shows the new one' diff <(cert_says "$tmp/here.out") <(openssl_says "$state/tls-cert.pem")
that '… which is another' not has "$tmp/here.out" "$old"
that '… and warns of those who keep the old one' has "$tmp/here.err" known_boards
that '… leaves no more files than there were' test -z "$(find "$state" -name '*.n*')"
that '… all of them 0600' test -z "$(find "$state" -mindepth 1 ! -perm 600)"
that '… the running server shows it by itself' within 10 shows
echo 'a line after the renewal' >>"$log"
that '… and open connections go on' within 10 has "$tmp/living.stream" 'a line after the renewal'
ask -K "$tmp/stopped" /api/status
answers '… new ones with the new certificate' 200
POSTERN_PASSWORD=$stopped_password "$postern" logs "localhost:$port" --fingerprint "$old" >"$tmp/pinned" 2>&1
that '… and whoever pinned the old one refuses it' test "$?" -eq 1
that '… with the new one named' has "$tmp/pinned" "$(shown | sed 's/.*=//')"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=own.example \
    -addext subjectAltName=DNS:own.example,IP:192.0.2.7,IP:2001:db8::7 -keyout "$tmp/own-key.pem" -out "$tmp/own.pem" 2>/dev/null
owned() { env -i STATE_DIR="$state" TLS_CERT_FILE="$tmp/own.pem" TLS_KEY_FILE="$tmp/own-key.pem" "$postern" --env-file /dev/null "$@" >"$tmp/here.out" 2>"$tmp/here.err"; }
cp "$tmp/own.pem" "$tmp/own.before"
owned cert renew
that "postern cert renew leaves your own certificate alone" test "$?" -eq 1
that '… with the reason' has "$tmp/here.err" TLS_CERT_FILE
that '… and touches nothing' cmp "$tmp/own.pem" "$tmp/own.before"
owned cert
that '… which postern cert shows' diff <(cert_says "$tmp/here.out") <(openssl_says "$tmp/own.pem")
ended TERM
