# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# A password change: all at once, and held through kill -9.

remember "$new_password"
change() { printf '{"current_password":"%s","new_password":"%s"}' "$1" "$2" >"$tmp/change.json"; }
login changer
for refused in short admin "$first_password" "$(head -c 80 /dev/zero | tr '\0' z)"; do
    change "$first_password" "$refused"
    ask -K "$tmp/changer.access" -d "@$tmp/change.json" /api/change-password
    answers "a new password of ${#refused} bytes is refused, with the reason" 400 '.detail | length > 10'
done
change "not-$first_password" "$new_password"
ask -K "$tmp/changer.access" -d "@$tmp/change.json" /api/change-password
answers 'a wrong current password is 400' 400
ticket other
tail_stream "$tmp/other.stream" query
ticket changer
tail_stream "$tmp/changer.stream" query
change "$first_password" "$new_password"
ask -K "$tmp/changer.access" -d "@$tmp/change.json" /api/change-password
answers 'the password is changed' 200 '.status == "success"'
basic new-admin "$new_password"
cp "$tmp/login.json" "$tmp/old-login.json"
credentials login.json "$new_password"

changed() {
    ask -K "$tmp/admin" /api/status
    answers "$1: the old password is dead" 401
    ask -K "$tmp/new-admin" /api/status
    answers "$1: the new one works" 200
    ask -K "$tmp/other.access" /api/status
    answers "$1: other access tokens are dead" 401
    ask -d "@$tmp/other.refresh" /api/auth/refresh
    answers "$1: other refresh tokens are dead" 401
    ask -K "$tmp/changer.access" /api/status
    answers "$1: the token that made the change lives" 200
    that "$1: the initial password's file is gone" test ! -e "$state/initial-password"
}
changed 'changed'
that "another login's stream closes with 1008" within 5 has "$tmp/other.stream" 'closed 1008'
that "the changer's own goes on" within 5 has "$tmp/changer.stream" 'password changed'
ended KILL
start
changed 'changed and killed'
