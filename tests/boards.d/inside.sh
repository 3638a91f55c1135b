#!/usr/bin/env bash
# The part of tests/packages that runs in a copy of the root file system: tries a package, and a later one, and leaves how many
# steps passed and failed in /mnt/result.

set -uo pipefail
first=/mnt/first.deb second=/mnt/second.deb
changes=/tmp/changes
tmp=/tmp
# shellcheck source=tests/lib.sh
. /mnt/lib.sh
trap '[ -z "$server" ] || kill "$server" 2>/dev/null' EXIT
state=/var/lib/postern
# As the unit does it, but for its sandbox.
up() {
    /usr/lib/postern/provision || return 1
    launch env -i STATE_DIRECTORY="$state" /usr/bin/postern --user postern serve && /usr/lib/postern/provision up
}
down() { ended TERM && [ "$ended" -eq 0 ]; }
# From the board's own card, as its user would do it.
provisioned() {
    mkdir -p /boot/firmware
    printf 'LISTEN=127.0.0.1:0\r\nBASIC_AUTH_PASSWORD=from the card\r\nLOG_SOURCES=\r\n' >/boot/firmware/postern.env
    up || return 1
    [ ! -e /boot/firmware/postern.env ] && not grep -q '^BASIC_AUTH_PASSWORD' /etc/postern/postern.env
}
# As postern's user would find it, and not as root would.
refused() {
    openssl ecparam -genkey -name prime256v1 -noout -out /tmp/key.pem
    openssl req -x509 -new -key /tmp/key.pem -days 2 -subj /CN=board -out /tmp/cert.pem || return 1
    chmod 600 /tmp/key.pem
    printf 'WORKERS=none\nTLS_CERT_FILE=/tmp/cert.pem\nTLS_KEY_FILE=/tmp/key.pem\n' >/boot/firmware/postern.env
    not /usr/lib/postern/provision || return 1
    cat /boot/firmware/postern.env.refused.txt
    grep -q 'WORKERS (postern.env, line 1)' /boot/firmware/postern.env.refused.txt &&
        grep -q 'TLS_KEY_FILE.*ermission' /boot/firmware/postern.env.refused.txt && rm /boot/firmware/*
}
logged_in() {
    token=$(printf '{"username":"admin","password":"from the card"}' |
        curl -sf --cacert "$state/tls-cert.pem" -d @- "$base/api/auth/login" | grep -o '"access_token":"[^"]*"' | cut -d'"' -f4)
    [ -n "$token" ] && welcome
}
welcome() { curl -sf --cacert "$state/tls-cert.pem" -H "Authorization: Bearer $token" "$base/api/status" >/dev/null; }
installed() {
    DEBIAN_FRONTEND=noninteractive dpkg -i "$1" </dev/null && same "$(dpkg-query -Wf '${Status}' postern)" 'install ok installed'
}
owned() {
    same "$(stat -c '%U:%G %a' /etc/postern /etc/postern/postern.env "$state" | tr '\n' '|')" \
        'root:postern 750|root:postern 640|postern:postern 700|' &&
        [ -e /etc/systemd/system/multi-user.target.wants/postern.service ] &&
        not test -e /etc/systemd/system/sockets.target.wants/postern.socket
}
# Who may not enter the service's folders is told what to type, word for word.
advised() {
    local words said
    for words in status 'status --json' health cve lockouts 'lockouts clear 192.0.2.1' passwd cert 'cert renew' audit 'audit verify' 'journal stat' check "status --socket $state/postern.sock" "journal stat $state/journal" "audit $state"; do
        # shellcheck disable=SC2086 # words are what is wanted
        said=$(setpriv --reuid nobody --regid nogroup --clear-groups env -i HOME=/nonexistent /usr/bin/postern $words 2>&1 </dev/null) &&
            { echo "$words: $said"; return 1; }
        case $said in *": sudo postern $words") ;; *) echo "$words: $said"; return 1 ;; esac
    done
}
# postern reads its settings and cannot change them; where it could, `check` says so.
settings_are_roots() {
    local env=/etc/postern/postern.env said
    setpriv --reuid postern --regid postern --clear-groups test -r $env || return 1
    not setpriv --reuid postern --regid postern --clear-groups test -w $env || return 1
    said=$(postern check 2>&1 >/dev/null) && same "$said" '' || return 1
    chown postern $env
    said=$(postern check 2>&1 >/dev/null)
    chown root $env
    grep 'only root may change' <<<"$said"
}
# What root does in postern's folder it does as postern.
handed_over() {
    down
    printf 'set by root 77' | postern passwd && postern journal compact && postern cert renew >/dev/null || return 1
    same "$(find "$state" ! -user postern)" '' || return 1
    rm "$state/lock" && ln -s /tmp/made-by-root "$state/lock"
    not postern journal compact && not test -e /tmp/made-by-root || return 1
    rm "$state/lock"
    printf 'from the card' | postern passwd && up && logged_in
}
# Anybody may run it; nobody else's files are in it.
whole() { (cd / && md5sum --quiet -c /var/lib/dpkg/info/postern.md5sums) && postern --version; }
upgraded() {
    local before
    before=$(cat /etc/postern/postern.env)
    down && installed "$second" || return 1
    same "$(dpkg-query -Wf '${Version}' postern)" 9.0.0 && same "$(cat /etc/postern/postern.env)" "$before" && owned && up && welcome
}
removed() {
    down && dpkg -r postern && not test -e /usr/bin/postern && [ -s "$state/journal" ] && [ -s /etc/postern/postern.env ]
}
again() { installed "$first" && up && welcome && down; }
purged() {
    dpkg -P postern || return 1
    # All that the copy differs in from the machine. A file that was removed from below would show as one, too.
    (cd "$changes" && find . \( -type f -o -type l -o -type c -o -name '*postern*' \) |
        grep -vE '^\./(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc/\.pwd\.lock|var/lib/dpkg/.*|var/log/.*|var/cache/.*|var/lib/systemd/deb-systemd-helper-.*/.*\.target\.wants|run/.*)$') >/tmp/left
    [ ! -s /tmp/left ] || { cat /tmp/left; return 1; }
    not compgen -G "$changes/var/lib/dpkg/info/postern.*" && not grep -rl postern "$changes/var/lib/systemd"
}

that "installs" installed "$first"
that "what is whose" owned
that "its files are what they were" whole
that "starts with the card's settings" provisioned
that "its settings are root's, and postern check says where not" settings_are_roots
that "what postern itself could not use is refused" refused
that "login with the card's password" logged_in
that "who may not ask it is told how, as root" advised
that "root's commands are done as postern, and follow no link of its" handed_over
that "an upgrade asks nothing and keeps settings, password and logins" upgraded
that "removed, it keeps its state" removed
that "installed again, the login of before is good" again
that "purged, it leaves nothing but its user" purged
printf '%d %d\n' "$passed" "$failed" >/mnt/result
