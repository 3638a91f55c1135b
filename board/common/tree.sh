# shellcheck shell=bash disable=SC2154
# The tree that goes onto a board's root file system: one function, for packages, archives and images. Sourced by bash, after lib.sh.

# stage_tree BOARD BINARY DEST: lays the tree out in the folder DEST, which need not exist. All files belong to who calls;
# they become root's where they are packed. What the program itself has to print (man page, completions) is asked of
# POSTERN_HOST, if that names a build for this machine, else of BINARY, through qemu-user where it is foreign.
stage_tree() {
    local board=$1 binary=$2 dest=$3 common=$top/board/common doc
    load_board "$board"
    [ -x "$binary" ] || die "$binary: there is no such program"
    mkdir -p "$dest"
    dest=$(cd "$dest" && pwd)

    put 0755 "$binary" "$dest/usr/bin/postern"
    put 0755 "$common/provision" "$dest/usr/lib/postern/provision"
    local unit
    for unit in postern.service postern.socket postern-provision.service; do
        put 0644 "$common/$unit" "$dest/usr/lib/systemd/system/$unit"
    done
    if [ -e "$top/board/$board/service.conf" ]; then
        put 0644 "$top/board/$board/service.conf" "$dest/usr/lib/systemd/system/postern.service.d/50-board.conf"
    fi
    put 0644 "$common/sysusers.conf" "$dest/usr/lib/sysusers.d/postern.conf"
    put 0644 "$common/tmpfiles.conf" "$dest/usr/lib/tmpfiles.d/postern.conf"

    # The board's own settings stand last, and a later line wins.
    { cat "$common/postern.env"; echo; cat "$top/board/$board/postern.env"; } | put 0644 - "$dest/usr/share/postern/postern.env"
    put 0600 "$dest/usr/share/postern/postern.env" "$dest/etc/postern/postern.env"
    chmod 0750 "$dest/etc/postern"
    # /etc/init.d/postern can be one of them only, and with systemd neither.
    put 0755 "$common/openrc/postern" "$dest/usr/share/postern/openrc/postern"
    put 0755 "$common/procd/postern" "$dest/usr/share/postern/procd/postern"

    generate man "$binary" | gzip -9n | put 0644 - "$dest/usr/share/man/man8/postern.8.gz"
    generate complete-bash "$binary" | put 0644 - "$dest/usr/share/bash-completion/completions/postern"
    generate complete-zsh "$binary" | put 0644 - "$dest/usr/share/zsh/vendor-completions/_postern"
    generate complete-fish "$binary" | put 0644 - "$dest/usr/share/fish/vendor_completions.d/postern.fish"

    doc=$dest/usr/share/doc/postern
    put 0644 "$top/README.md" "$doc/README.md"
    put 0644 "$top/board/$board/README.md" "$doc/README.board.md"
    # Whoever has only the board has no other documents. Packed, for a flash partition.
    local document
    for document in "$top"/docs/*.md; do
        gzip -9n <"$document" | put 0644 - "$doc/docs/${document##*/}.gz"
    done
    copyright | put 0644 - "$doc/copyright"
    same_times "$dest"
}

# put MODE FILE|- DEST: a file with the folders above it.
put() {
    mkdir -p "$(dirname "$3")"
    cat "$2" >"$3"
    chmod "$1" "$3"
    [ -s "$3" ] || die "$3 is empty"
}

# What the program prints of itself.
generate() {
    local what=$1 binary=$2
    EMULATOR=()
    if [ -n "${POSTERN_HOST:-}" ]; then binary=$POSTERN_HOST; else emulator; fi
    "${EMULATOR[@]}" "$binary" --generate "$what" || die "postern --generate $what failed"
}

copyright() {
    printf '%s\n' \
        'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/' \
        'Upstream-Name: postern' \
        '' \
        'Files: *' \
        "Copyright: $(date -ud "@$(epoch)" +%Y) the authors of postern" \
        'License: MIT or Apache-2.0' \
        'Comment:' \
        ' The libraries that it is built and tested with have licenses of their own. These' \
        ' are they, by name and version:' \
        ' .'
    awk '
        /^name = / { gsub(/"/, "", $3); name = $3 }
        /^version = / { gsub(/"/, "", $3); if (name != "" && name != "postern") print "  " name " " $3; name = "" }
    ' "$top/Cargo.lock"
    printf '%s\n' '' 'License: MIT'
    # A field's empty line is a point.
    sed -e 1,4d -e 's/^$/./' -e 's/^/ /' "$top/LICENSE-MIT"
    printf '%s\n' '' \
        'License: Apache-2.0' \
        ' On a Debian system its text is in /usr/share/common-licenses/Apache-2.0, elsewhere' \
        ' at https://www.apache.org/licenses/LICENSE-2.0.'
}

# The time that all files get: of the commit, unless SOURCE_DATE_EPOCH says another.
epoch() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    else
        git -C "$top" log -1 --format=%ct 2>/dev/null || die "not a git checkout: say SOURCE_DATE_EPOCH"
    fi
}

# Files and folders under $1: modes without the caller's umask, one time.
same_times() {
    find "$1" -mindepth 1 -type d ! -path "$1/etc/postern" ! -name DEBIAN -exec chmod 0755 {} +
    find "$1" -exec touch -h -d "@$(epoch)" {} +
}
