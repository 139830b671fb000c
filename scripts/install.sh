#!/bin/sh
# Installs fd-bridge for the user who runs it; no root needed:
#
#   curl -fsSL https://github.com/fd-bridge/fd-bridge/releases/latest/download/install.sh | sh
#
# It downloads the program for this system and its checksum, compares them, and puts the program into
# ~/.local/bin. Run it again to upgrade. Variables that change what it does:
#
#   FD_BRIDGE_VERSION      a version, such as 1.2.3, or "latest", which is the default
#   FD_BRIDGE_INSTALL_DIR  the folder to install to; ~/.local/bin otherwise
#   FD_BRIDGE_BASE_URL     where the files of a release are; GitHub otherwise

set -eu

repository="https://github.com/fd-bridge/fd-bridge"
# The oldest glibc that the program runs on: that of Deno's runtime, which is in it.
glibc=2.27

say() {
  printf '%s\n' "$*" >&2
}

fail() {
  say "install: $*"
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Refuses a Linux whose C library the program can't use; one that can't be told is tried.
check_libc() {
  libc=$({ ldd --version 2>&1 || true; } | head -n 2)
  case "$libc" in
  *musl*)
    fail "this Linux uses musl (as Alpine does); the program needs glibc $glibc or newer, as Debian,
  Ubuntu, Fedora and the like have. On this machine the container image works: see $repository"
    ;;
  esac
  found=$(printf '%s\n' "$libc" | sed -n '1s/^ldd .* \([0-9][0-9]*\.[0-9][0-9]*\)[^ ]*$/\1/p')
  [ -n "$found" ] || return 0
  if [ "${found%%.*}" -lt "${glibc%%.*}" ] ||
    { [ "${found%%.*}" -eq "${glibc%%.*}" ] && [ "${found#*.}" -lt "${glibc#*.}" ]; }; then
    fail "this Linux has glibc $found; the program needs $glibc or newer. A newer system has it, and
  the container image works here: see $repository"
  fi
}

# path_hint FOLDER: how the user's shell gets the folder into its PATH.
# shellcheck disable=SC2088 # The tilde is for the person who reads it.
path_hint() {
  say "install: $1 is not in your PATH. To have it there:"
  case "${SHELL:-}" in
  */fish) say "  fish_add_path \"$1\"" && return ;;
  */zsh) profile="~/.zshrc" ;;
  */bash)
    # A terminal of macOS starts login shells, which don't read ~/.bashrc.
    profile="~/.bashrc"
    [ "$(uname -s)" != Darwin ] || profile="~/.bash_profile"
    ;;
  *) profile="~/.profile" ;;
  esac
  say "  echo 'export PATH=\"$1:\$PATH\"' >> $profile"
  say "and open a new terminal."
}

# The target of this machine, as the archives are called.
target() {
  system=$(uname -s)
  processor=$(uname -m)
  case "$system" in
  Darwin)
    # A shell under Rosetta says x86_64 on an arm64 machine.
    if [ "$processor" = x86_64 ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null)" = 1 ]; then
      processor=arm64
    fi
    system=apple-darwin
    ;;
  Linux)
    check_libc
    system=unknown-linux-gnu
    ;;
  MINGW* | MSYS* | CYGWIN* | Windows_NT)
    fail "on Windows download fd-bridge-x86_64-pc-windows-msvc.zip from $repository/releases"
    ;;
  *) fail "there is no fd-bridge for $system; see $repository for running it from source." ;;
  esac
  case "$processor" in
  x86_64 | amd64) processor=x86_64 ;;
  arm64 | aarch64) processor=aarch64 ;;
  *) fail "there is no fd-bridge for $processor; see $repository for running it from source." ;;
  esac
  printf '%s-%s' "$processor" "$system"
}

# download URL FILE [progress]: with a third word curl draws a bar, in a terminal.
download() {
  case "$1" in
  https://*) only_https=1 ;;
  http://127.0.0.1:* | http://localhost:*) only_https="" ;;
  *) fail "$1: expected an address that begins with https://" ;;
  esac
  if has curl; then
    # Redirects must not leave https either.
    quiet=-sS
    if [ -n "${3:-}" ] && [ -t 2 ]; then quiet=--progress-bar; fi
    curl -fL "$quiet" ${only_https:+--proto "=https" --tlsv1.2} -o "$2" "$1" ||
      fail "$1 could not be downloaded."
  elif has wget; then
    wget -q -O "$2" "$1" || fail "$1 could not be downloaded."
  else
    fail "curl or wget is needed to download."
  fi
}

# The SHA-256 of a file.
checksum() {
  if has sha256sum; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif has shasum; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  elif has openssl; then
    openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
  else
    fail "sha256sum, shasum or openssl is needed to verify the download."
  fi
}

main() {
  version=${FD_BRIDGE_VERSION:-latest}
  if [ -n "${FD_BRIDGE_BASE_URL:-}" ]; then
    base=${FD_BRIDGE_BASE_URL%/}
  elif [ "$version" != latest ]; then
    base=$repository/releases/download/v${version#v}
  else
    base=$repository/releases/latest/download
  fi
  folder=${FD_BRIDGE_INSTALL_DIR:-}
  if [ -z "$folder" ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set: name the folder in FD_BRIDGE_INSTALL_DIR."
    folder=$HOME/.local/bin
  fi
  # A command of its own: inside another one a failure would go unnoticed.
  target=$(target)
  archive=fd-bridge-$target.tar.gz

  # Before anything is downloaded.
  if ! mkdir -p "$folder" 2>/dev/null || [ ! -w "$folder" ]; then
    fail "$folder can't be written to: name another folder in FD_BRIDGE_INSTALL_DIR."
  fi

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  say "install: downloading $base/$archive"
  download "$base/SHA256SUMS" "$work/SHA256SUMS"
  download "$base/$archive" "$work/$archive" progress
  expected=$(awk -v name="$archive" '$2 == name { print $1 }' "$work/SHA256SUMS")
  [ -n "$expected" ] || fail "SHA256SUMS does not name $archive."
  found=$(checksum "$work/$archive")
  [ "$found" = "$expected" ] || fail "$archive is not the file of the release:
  expected SHA-256 $expected
  found            $found
Nothing was installed."

  tar -xzf "$work/$archive" -C "$work" fd-bridge
  chmod 755 "$work/fd-bridge"
  says=$("$work/fd-bridge" --version) || fail "the program does not run on this machine."
  # Onto the same disk first, then into its place at once: a program that runs keeps its own file.
  cp "$work/fd-bridge" "$folder/.fd-bridge.new"
  mv -f "$folder/.fd-bridge.new" "$folder/fd-bridge"
  say "install: $says"
  say "install: it is $folder/fd-bridge"
  command=fd-bridge
  case ":${PATH:-}:" in
  *":$folder:"*) ;;
  *)
    command=$folder/fd-bridge
    path_hint "$folder"
    ;;
  esac
  say "install: to try it, without an account:  $command --demo"
}

# At the very end: half a download runs nothing.
main "$@"
