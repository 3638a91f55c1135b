#!/usr/bin/env bash
# The part of tests/packages that runs under a systemd of its own: the units as the package brings them, sandbox and all. Leaves
# what it says in /mnt/said, and how many steps passed and failed in /mnt/result.

set -uo pipefail
exec >/mnt/said 2>&1
tmp=/tmp
# shellcheck source=tests/lib.sh
. /mnt/lib.sh

unit() { systemctl show -p "$1" --value postern.service; }
answers() { curl -sfk -m 5 "https://127.0.0.1:$1/health"; }
told() { journalctl -q --no-pager -o cat -u postern.service -u postern-provision.service; }
installed() {
    mkdir -p /boot/firmware /etc/systemd/system/postern.service.d
    printf 'BASIC_AUTH_PASSWORD=on-the-card-9\r\n' >/boot/firmware/postern.env
    # So that a fed watchdog shows soon.
    printf '[Service]\nWatchdogSec=2\n' >/etc/systemd/system/postern.service.d/watchdog.conf
    DEBIAN_FRONTEND=noninteractive dpkg -i /mnt/first.deb || return 1
    # It is up when dpkg is done, or it has failed.
    same "$(unit ActiveState)" active || { systemctl status --no-pager -l postern postern-provision; return 1; }
}
provisioned() {
    [ ! -e /boot/firmware/postern.env ] && not grep '^BASIC_AUTH_PASSWORD' /etc/postern/postern.env || return 1
    curl -sfk -m 5 -u 'admin:on-the-card-9' https://127.0.0.1:8443/api/status >/dev/null || return 1
    not grep -F on-the-card-9 <(told) && not test -e /var/lib/postern/initial-password
}
confined() {
    same "$(awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' "/proc/$(unit MainPID)/status")" \
        '0000000000000000 0000000000000000 1 2 ' && same "$(stat -c %U "/proc/$(unit MainPID)")" postern
}
# What the sandbox must leave it.
able() {
    # `following` needs the group, pipes and a child.
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        postern status --json >"$tmp/status" || return 1
        grep -q '"state": *"following"' "$tmp/status" && break
        sleep 0.1
    done
    grep -q '"state": *"following"' "$tmp/status" || { cat "$tmp/status"; return 1; }
    if ! grep -q '"load"' "$tmp/status" || ! grep -q '"available_bytes"' "$tmp/status"; then cat "$tmp/status"; return 1; fi
    # Netlink: the addresses in the certificate.
    openssl x509 -in /var/lib/postern/tls-cert.pem -noout -ext subjectAltName | grep 'IP Address:127.0.0.1'
}
watched() {
    # Twice what systemd waits for.
    sleep 4
    same "$(unit NRestarts) $(unit ActiveState)" '0 active'
}
stopped() { systemctl reload postern && systemctl restart postern && answers 8443 && systemctl stop postern && same "$(unit Result)" success; }
on_443() {
    # As docs/boards.md has it.
    systemctl enable postern.socket && systemctl stop postern && systemctl start postern.socket postern || return 1
    answers 443 && not answers 8443
}
quiet() { not grep -iE 'denied|not permitted|panicked|error' <(told); }

that "systemd: installed, it is up" installed
that "systemd: the card's password is used, and stands nowhere" provisioned
that "systemd: it runs as postern, with no capability, filtered" confined
that "systemd: it follows the system's log, and knows load, memory and addresses" able
that "systemd: the watchdog is fed" watched
that "systemd: reload, restart, stop" stopped
that "systemd: port 443 by postern.socket" on_443
that "systemd: nothing was denied to it" quiet
printf '%d %d\n' "$passed" "$failed" >/mnt/result
