# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# The kernel's own log: what it has from before the start, what is written to it now, and a user who may not read it.

if [ -r /dev/kmsg ] && [ -w /dev/kmsg ]; then
    start LOG_SOURCES=kmsg
    that 'kmsg is followed' within 5 source_is kmsg '.state == "following"'
    word="postern test $$ $RANDOM"
    printf '<4>%s: a\tb \303\274\n' "$word" >/dev/kmsg
    that 'what is written to /dev/kmsg arrives, with its level and facility' within 5 has_entry kmsg \
        "(.message == \"$word: a\\tb ü\") and .level == \"warn\" and .fields.facility == \"user\""
    that '… and dated to within 3 seconds' has_entry kmsg \
        "(.message | startswith(\"$word\")) and ((.timestamp | sub(\"[.][0-9]+Z\"; \"Z\") | fromdate) - now | fabs) < 3"
    written=$(dmesg 2>/dev/null | wc -l)
    if [ "$written" -gt 1 ]; then
        that 'what the kernel has from before the start is there' has_entry kmsg '.fields.facility == "kern"'
        that '… and nothing is dated in the future' \
            test "$(jq -s 'any(.[]; (.timestamp | sub("[.][0-9]+Z"; "Z") | fromdate) > now + 1)' "$tmp/entries")" = false
    else
        not_checked 'kmsg: messages from before the start: the kernel has none'
    fi
    ended TERM
    that 'SIGTERM ends it while it waits for the kernel' test "$ended" -eq 0
else
    not_checked 'kmsg: /dev/kmsg cannot be read and written here'
fi

if [ "$(id -u)" -eq 0 ] && ! setpriv --reuid 65534 --regid 65534 --clear-groups sh -c ': </dev/kmsg' 2>/dev/null; then
    start_as_nobody LOG_SOURCES=kmsg
    that 'a user who may not read it is told what it takes' within 5 source_is kmsg \
        '.state == "error" and (.error | contains("CAP_SYSLOG"))'
    end_as_nobody
else
    not_checked 'kmsg: a user who may not read it'
fi
