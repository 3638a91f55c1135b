# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# `postern logs` as a person uses it: at a terminal, which a helper plays, and in a script.

desk=$tmp/desk
client=$tmp/desk/.local/state/postern-client
mkdir "$desk"
printf '%s\n' "$first_password" >"$tmp/typed"

# at_terminal OUT TYPED SIGNAL-AT WORDS...: runs `postern logs` at a terminal, types the file's line when it is asked,
# and presses Ctrl-C when SIGNAL-AT has been shown. What was on the screen goes to OUT; $ended is the exit status.
at_terminal() {
    local out=$1 typed=$2 at=$3
    shift 3
    ended=0
    env -i PATH="$PATH" TERM=xterm HOME="$desk" "$python" "$here/smoke.d/terminal.py" "$typed" "$at" \
        "$postern" logs "$@" >"$out" 2>&1 || ended=$?
}
# in_script WORDS...: the same without a terminal, and with the password in the environment.
in_script() { env -i HOME="$desk" POSTERN_PASSWORD="$first_password" "$postern" logs "$@" </dev/null; }

in_script "$base" >"$tmp/desk.out" 2>"$tmp/desk.err"
that 'in a script an unknown board gets no password: 1' test "$?" -eq 1 -a ! -s "$tmp/desk.out"
that '… and the way out is said' has "$tmp/desk.err" '--fingerprint'
at_terminal "$tmp/screen.1" "$tmp/typed" 'Password of' "$base"
that 'Ctrl-C at the question for the password: 130' test "$ended" -eq 130
that '… the terminal echoes again' has "$tmp/screen.1" 'echo: on, before: on, at the question: off'
that '… the fingerprint was shown' has "$tmp/screen.1" "certificate SHA-256 $fingerprint"
that '… and nothing was kept' test ! -e "$client"

printf 'a line for the desk\n' >>"$log"
at_terminal "$tmp/screen.2" "$tmp/typed" 'a line for the desk' "$base" --follow --source board
that 'following at a terminal, ended by Ctrl-C: 0' test "$ended" -eq 0
that '… with colours' has "$tmp/screen.2" $'\033[2m20'
that '… the password is not shown' not has "$tmp/screen.2" "$first_password"
that '… the certificate is kept' grep -qxF "${base#https://} $fingerprint" "$client/known_boards"
that '… and the login' test -s "$client/logins/admin@${base#https://}"
that '… all of it 0600' test -z "$(find "$client" -type f ! -perm 600)"
that '… in folders that are 0700' test -z "$(find "$client" -type d ! -perm 700)"
tail -n 1 "$client/logins/admin@${base#https://}" >>"$tmp/secrets"

at_terminal "$tmp/screen.3" /dev/null 'never shown' "$base" --source board -n 1
that 'the next time nothing is asked' not has "$tmp/screen.3" 'Password'
that '… and nothing is said but the log' has "$tmp/screen.3" 'a line for the desk'
at_terminal "$tmp/screen.4" /dev/null 'never shown' "$base" --sign-out
that '--sign-out ends the login' test "$ended" -eq 0 -a ! -e "$client/logins/admin@${base#https://}"

in_script "$base" --source board --json -n 1 >"$tmp/desk.json" 2>"$tmp/desk.err"
that 'in a script: JSON, and not a word more' jq -es 'length == 1 and .[0].message == "a line for the desk"' "$tmp/desk.json"
that '… on standard error neither' test ! -s "$tmp/desk.err"
in_script "$base" --follow --source board 2>"$tmp/desk.err" | head -n 1 >"$tmp/desk.head"
that 'a pipe that is closed is no error' test "${PIPESTATUS[0]}" -eq 0 -a ! -s "$tmp/desk.err"
in_script "$base" --fingerprint "${fingerprint//[0-9A-F]/0}" >"$tmp/desk.out" 2>"$tmp/desk.err"
that 'another certificate than the one given: 1' test "$?" -eq 1
that '… and it says which' has "$tmp/desk.err" "$fingerprint"
"$postern" logs "https://admin:$first_password@board" >"$tmp/argv" 2>&1
that 'a password in the URL is refused' test "$?" -eq 2
that '… and not shown' not has "$tmp/argv" "$first_password"

# The server is killed and started again under the one who follows: on another port it would be another board.
(exec env -i HOME="$desk" POSTERN_PASSWORD="$first_password" "$postern" logs "$base" --follow --source board) \
    </dev/null >"$tmp/desk.out" 2>"$tmp/desk.err" &
desk_pid=$!
in_background $desk_pid
that 'following in a script' within 10 has "$tmp/desk.out" 'a line for the desk'
ended KILL
that 'a lost connection is said' within 10 has "$tmp/desk.err" 'connection lost'
start LISTEN="127.0.0.1:$port"
printf 'after the restart\n' >>"$log"
that '… and taken up again' within 40 has "$tmp/desk.out" 'after the restart'
that '… and that, too, is said' has "$tmp/desk.err" 'connected again'
that '… the restart in the flow' has "$tmp/desk.out" 'the board has started again'
kill -INT "$desk_pid"
desk_ended=0
wait "$desk_pid" || desk_ended=$?
that '… and Ctrl-C ends it with 0' test "$desk_ended" -eq 0
