#!/bin/sh
# Builds the newest libcurl of Debian's unstable sources that the mirror of
# this machine offers, with OpenSSL and nghttp2, into build/curl-VERSION.
# Done once: build/curl-sid leads there. Exit code 3: no source was found.
set -eu

cd "$(dirname "$0")/.."
build=$(pwd)/build
link=$build/curl-sid
work=$build/curl-source

[ ! -e "$link/lib/pkgconfig/libcurl.pc" ] || exit 0

unreachable() {
  echo "No source of libcurl: $*" >&2
  echo "make faults CURL=sid needs Debian's source packages; CURL=debian and" >&2
  echo "CURL=/prefix/of/one (with lib/pkgconfig in it) do not." >&2
  exit 3
}

command -v apt-get >/dev/null || unreachable "there is no apt-get here."
mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' |
  sed -n '/security/!s/^Debian //p' | head -n 1)
[ -n "$mirror" ] || unreachable "apt knows no mirror of Debian."

# apt in folders of our own: what the system installs from stays as it is.
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
for suite in sid testing; do
  echo "deb-src $mirror $suite main" >>"$work/sources.list"
done
cat >"$work/apt.conf" <<EOF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$work/cache";
APT::Sandbox::User "";
EOF
export APT_CONFIG="$work/apt.conf"

cd "$work"
apt-get -q update >"$work/log" 2>&1 || :
# A mirror may list what it does not have yet; then testing has it next.
for suite in sid testing; do
  apt-get -q source --download-only --tar-only "curl/$suite" \
    >>"$work/log" 2>&1 || :
  for archive in curl_*.orig.tar.*z; do
    [ -e "$archive" ] && break 2
  done
done
[ -e "$archive" ] || {
  grep '^E:' "$work/log" >&2 || :
  unreachable "$mirror hands none out."
}
version=${archive#curl_}
version=${version%.orig.tar.*}

echo "Building libcurl $version of Debian's $suite"
mkdir tree
tar -xf "$archive" -C tree --strip-components=1
cd tree
{
  nice -n 10 ./configure --prefix="$build/curl-$version" --disable-static \
    --with-openssl --with-nghttp2 --with-zlib --without-brotli --without-zstd \
    --without-libpsl --without-libidn2 --without-librtmp --without-libssh2 \
    --disable-ldap --disable-docs --disable-manual &&
    nice -n 10 make -j2 -C lib install-libLTLIBRARIES &&
    make install-pkgconfigDATA && make -C include install
} >>"$work/log" 2>&1 || {
  tail -n 20 "$work/log" >&2
  echo "libcurl $version was not built; $work/log tells more" >&2
  exit 1
}
ln -sfn "curl-$version" "$link"
rm -rf "$work"
