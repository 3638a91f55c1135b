# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# What is done on the device itself, over the local socket: status, lockouts, passwd.

start
cacert=$state/tls-cert.pem
here_on() { "$postern" "$@" --socket "$state/postern.sock" >"$tmp/here.out" 2>"$tmp/here.err"; }
login keeper
that 'postern status' here_on status
that '… says how it is' grep -qE '^health +healthy$' "$tmp/here.out"
that '… and what is followed' grep -qE '^log source +board: following' "$tmp/here.out"
that '… --json is the answer itself' here_on status --json
that '… as JSON' jq -e '.status == "success" and .logs.entries > 0' "$tmp/here.out"

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
ended TERM
