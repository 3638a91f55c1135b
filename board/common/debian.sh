# shellcheck shell=bash disable=SC2154
# Packages of Debian's for a board's architecture, without a word to this machine's own package system. Sourced by bash,
# after lib.sh.

# debian_package PACKAGE DEST: unpacks the newest PACKAGE of the Debian release of this machine into DEST. A package that
# only depends on the real one (linux-image-arm64) is followed to it.
debian_package() {
    local package=$1 dest=$2 real file
    debian_lists
    real=$(apt_of_board apt-cache depends "$package" | sed -n "s/^ *Depends: \(${package%-"$DEB_ARCH"}-[0-9][^ ]*\)$/\1/p" | head -n 1)
    [ -z "$real" ] || package=$real
    mkdir -p "$debian/packages"
    rm -f "$debian/packages/${package}"_*.deb
    (cd "$debian/packages" && apt_of_board apt-get -qq download "$package") || die "Debian's $package for $DEB_ARCH could not be fetched; this needs the network"
    file=$(find "$debian/packages" -name "${package}_*.deb" | sort | tail -n 1)
    dpkg -x "$file" "$dest"
    say "Debian's $(basename "$file" .deb)"
}

# The lists of packages, once a run.
debian_lists() {
    [ -z "${debian:-}" ] || return 0
    debian=$out/debian-$DEB_ARCH
    mkdir -p "$debian"/{state/lists/partial,cache/archives/partial}
    : >"$debian/status"
    apt_of_board apt-get -qq update || die 'the lists of packages could not be fetched; this needs the network'
}

apt_of_board() {
    "$1" -o "APT::Architecture=$DEB_ARCH" -o "APT::Architectures=$DEB_ARCH" -o "Dir::State=$debian/state" \
        -o "Dir::State::status=$debian/status" -o "Dir::Cache=$debian/cache" -o "APT::Sandbox::User=$(id -un)" "${@:2}"
}
