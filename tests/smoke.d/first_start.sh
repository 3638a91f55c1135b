# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# With nothing configured: the banner, the lines in it as they stand there, the certificate's names, and who is let in.

start
that 'the state folder is 0700' mode "$state" 700
that 'all that is kept is 0600' test -z "$(find "$state" -mindepth 1 ! -perm 600)"
first_password=$(sed -n 's/^  password  *//p' "$banner")
that 'the first password is printed and kept' grep -qxF -- "$first_password" "$state/initial-password"
basic admin "$first_password"
credentials login.json "$first_password"
remember "$(cat "$state/secret-key")"

# The banner's own lines, in a shell, as they stand there. Without a terminal curl reads the password that it asks for
# from standard input; in the login's body it takes PASSWORD's place, from a file.
lines=0
while IFS= read -r line; do
    lines=$((lines + 1))
    answer=$tmp/banner.$lines
    step="banner line $lines: …${line##*"$base"}"
    case $line in
    *follow=true*)
        setsid sh -c "exec $line" <"$state/initial-password" >"$answer" 2>"$answer.err" &
        follower=$!
        in_background $follower
        that "$step" within 10 has "$answer" '"type":"hello"'
        kill "$follower" && wait "$follower" 2>/dev/null
        ;;
    *PASSWORD*)
        line=$(printf '%s' "$line" | sed "s|-d '{.*}'|-d @$tmp/login.json|")
        setsid -w sh -c "$line" >"$answer" 2>"$answer.err"
        jq -r '.access_token, .refresh_token' "$answer" >>"$tmp/secrets"
        that "$step" jq -e '.status == "success" and (.access_token | length > 100)' "$answer"
        ;;
    *)
        setsid -w sh -c "$line" <"$state/initial-password" >"$answer" 2>"$answer.err"
        that "$step" jq -e '.status == "healthy" or (.status == "success" and .version != null)' "$answer"
        ;;
    esac
done < <(grep '^  curl ' "$banner")
# The fifth is for other machines; nobody comes from there to a server on the loopback address.
that 'the banner has all its curl lines' test "$lines" -eq 4

# On a terminal the log's lines stand there too. What comes later than the banner pushes it away.
env -i PATH="$PATH" LISTEN=127.0.0.1:0 STATE_DIR="$tmp/told" LOG_SOURCES="file:$log" "$postern" --env-file /dev/null >"$tmp/told.out" 2>&1 &
told=$!
in_background $told
that 'the banner is the last thing that a start says' within 15 has "$tmp/told.out" ' passwd --socket '
sleep 0.3
that '… behind the lines of the log' test -z "$(sed '1,/ is ready$/d' "$tmp/told.out" | grep ' info \| warn ')"
that '… among them that of a log source' has "$tmp/told.out" 'a log source changed its state'
kill "$told" && wait "$told" 2>/dev/null

fingerprint=$(openssl x509 -in "$cacert" -noout -fingerprint -sha256 | sed 's/.*=//')
that "the banner's fingerprint is the certificate's" has "$banner" "SHA-256 $fingerprint"
ask "https://localhost:$port/health"
answers 'the certificate names localhost' 200
machine=$(hostname)
for name in "$machine" "${machine%%.*}.local"; do
    ask --resolve "$name:$port:127.0.0.1" "https://$name:$port/health"
    answers "the certificate names $name" 200
done
for version in 1.2 1.3; do
    ask --tlsv$version --tls-max $version /health
    answers "TLS $version" 200
done
ask "http://127.0.0.1:$port/health"
answers 'plain HTTP on the TLS port is told so' 400 '.status == "error" and (.detail | contains("this port speaks HTTPS"))'

ask /api/health
answers 'health needs no credential' 200 '.status == "healthy" and (.version | test("^[0-9]+[.][0-9]+[.][0-9]+"))'
ask -I /health
that 'HEAD works where GET does' test "$status" = 200
ask /readyz
answers 'ready' 200 '.status == "ready"'
ask /nowhere
answers 'an unknown path is 404' 404 '.status == "error"'
ask /api/nowhere
answers 'an unknown path under /api is 401 to a stranger' 401 '.status == "error"'
that '401 names both schemes' grep -qi 'www-authenticate:.*basic' "$tmp/head"
that '401 names both schemes, Bearer too' grep -qi 'www-authenticate:.*bearer' "$tmp/head"
ask -K "$tmp/admin" /api/nowhere
answers '… and 404 to the administrator' 404 '.status == "error"'
ask -X DELETE /health
answers 'a wrong method is 405' 405 '.status == "error"'
that '405 tells which are allowed' header 'allow:.*GET'
for path in /api/%2e%2e/health /api/../api/status //api/status /api/health/; do
    ask "$base$path"
    case $status in
    400 | 401 | 404) ok "$path is no way around ($status)" ;;
    *) fail "$path is no way around" "$status $(cat "$tmp/body")" ;;
    esac
done
head -c 9000 /dev/zero | tr '\0' x | sed 's/^/header = "X-Long: /; s/$/"/' >"$tmp/long"
ask -K "$tmp/long" /health
answers 'a head over 8 KiB is 431' 431 '.status == "error"'
head -c 70000 /dev/zero | tr '\0' ' ' >"$tmp/large"
ask -d "@$tmp/large" /api/auth/login
answers 'a body over 64 KiB is 413' 413 '.status == "error"'
ask -d '{"username":' /api/auth/login
answers 'malformed JSON is 400' 400 '.status == "error"'
ask -d '{"username":"admin"}' /api/auth/login
answers 'a missing member is named' 400 '.detail | contains("password")'
