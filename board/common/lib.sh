# shellcheck shell=bash disable=SC2034
# What the scripts in board/ share: the boards, their settings, messages. Sourced by bash; changes no folder.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Where all that is built for boards goes.
out=${CARGO_TARGET_DIR:-$top/target}/board

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

version() { sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1; }

# A board is a folder with a board.conf.
boards() {
    local conf
    for conf in "$top"/board/*/board.conf; do basename "$(dirname "$conf")"; done
}

# Sets BOARD, and of its board.conf: TARGET (Rust's name), DEB_ARCH (Debian's), DESCRIPTION (a line); FEATURES and PROFILE
# (cargo's), if it is not to have everything.
load_board() {
    local name
    BOARD=$1 TARGET='' DEB_ARCH='' DESCRIPTION='' FEATURES=default PROFILE=release
    for name in $(boards); do
        if [ "$name" = "$BOARD" ]; then
            # shellcheck source=/dev/null
            . "$top/board/$BOARD/board.conf"
            return
        fi
    done
    die "there is no board '$BOARD'; there are: $(boards | tr '\n' ' ')"
}

# Where board/build puts the program for TARGET with FEATURES and PROFILE.
program() {
    case $PROFILE:$FEATURES in
    release:default) echo "$out/$TARGET/postern" ;;
    minimal:) echo "$out/$TARGET/minimal/postern" ;;
    *) echo "$out/$TARGET/$PROFILE-${FEATURES//[, ]/-}/postern" ;;
    esac
}

# Sets EMULATOR: what a program for TARGET is started with on this machine, nothing if it runs as it is.
emulator() {
    case $TARGET in
    "$(uname -m)"-*) EMULATOR=() ;;
    arm-*) EMULATOR=(qemu-arm-static -cpu arm1176) ;;
    armv7-*) EMULATOR=(qemu-arm-static -cpu cortex-a7) ;;
    aarch64-*) EMULATOR=(qemu-aarch64-static -cpu cortex-a53) ;;
    *) die "no way is known to run a program for $TARGET here" ;;
    esac
    [ ${#EMULATOR[@]} -eq 0 ] || command -v "${EMULATOR[0]}" >/dev/null || die "${EMULATOR[0]} is missing (package qemu-user-static)"
}
