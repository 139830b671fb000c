#!/bin/sh
# Signs a program for macOS or Windows, on Linux: sh scripts/sign.sh TARGET FILE
#
# macOS: rcodesign (apple-codesign) signs it, lets Apple notarize it, and waits for that.
#   APPLE_CERTIFICATE           a Developer ID certificate with its key, PKCS #12 in base64
#   APPLE_CERTIFICATE_PASSWORD  its password
#   APPLE_API_KEY               a key of App Store Connect, as `rcodesign encode-app-store-connect-api-key` writes it
# Windows: osslsigncode signs it, with a time stamp.
#   WINDOWS_CERTIFICATE, WINDOWS_CERTIFICATE_PASSWORD  a code-signing certificate, PKCS #12 in base64
#
# Without the variables of a system it does nothing for it, and says so.

set -eu

target=$1
file=$2

say() {
  printf 'sign: %s\n' "$*" >&2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# secret TEXT FILE: nobody else on this machine reads it.
secret() {
  (umask 077 && printf '%s' "$1" >"$work/$2")
}

case "$target" in
*-apple-darwin)
  if [ -z "${APPLE_CERTIFICATE:-}" ]; then
    say "$target: APPLE_CERTIFICATE is not set; not signed"
    exit 0
  fi
  : "${APPLE_API_KEY:?is not set, and Apple notarizes nothing without it}"
  secret "$APPLE_CERTIFICATE" certificate.base64
  (umask 077 && base64 -d <"$work/certificate.base64" >"$work/certificate.p12")
  secret "${APPLE_CERTIFICATE_PASSWORD:-}" password
  secret "$APPLE_API_KEY" key.json
  # V8 writes the code that it runs.
  cat >"$work/entitlements.plist" <<'PLIST'
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>com.apple.security.cs.allow-jit</key><true/>
  <key>com.apple.security.cs.allow-unsigned-executable-memory</key><true/>
</dict>
</plist>
PLIST
  rcodesign sign --p12-file "$work/certificate.p12" --p12-password-file "$work/password" \
    --code-signature-flags runtime --entitlements-xml-file "$work/entitlements.plist" "$file"
  (cd "$(dirname "$file")" && zip -q "$work/program.zip" "$(basename "$file")")
  rcodesign notary-submit --api-key-file "$work/key.json" --wait "$work/program.zip"
  ;;
*-windows-*)
  if [ -z "${WINDOWS_CERTIFICATE:-}" ]; then
    say "$target: WINDOWS_CERTIFICATE is not set; not signed"
    exit 0
  fi
  secret "$WINDOWS_CERTIFICATE" certificate.base64
  (umask 077 && base64 -d <"$work/certificate.base64" >"$work/certificate.p12")
  secret "${WINDOWS_CERTIFICATE_PASSWORD:-}" password
  osslsigncode sign -pkcs12 "$work/certificate.p12" -readpass "$work/password" \
    -n fd-bridge -h sha256 ${TIME_SERVER:+-ts "$TIME_SERVER"} -in "$file" -out "$work/signed.exe"
  mv "$work/signed.exe" "$file"
  ;;
*) exit 0 ;;
esac
say "$target: signed"
