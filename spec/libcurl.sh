#!/bin/sh
# Builds the newest libcurl of Debian's unstable sources that the mirror of
# this machine offers, with OpenSSL and nghttp2, into build/curl-VERSION.
# Done once: build/curl-sid leads there. Exit code 3: no source was found.
set -eu

cd "$(dirname "$0")/.."
build=$(pwd)/build
link=$build/curl-sid
work=$build/curl-source
. spec/debian_sources.sh

[ ! -e "$link/lib/pkgconfig/libcurl.pc" ] || exit 0

unreachable() {
  echo "No source of libcurl: $*" >&2
  echo "make faults CURL=sid needs Debian's source packages; CURL=debian and" >&2
  echo "CURL=/prefix/of/one (with lib/pkgconfig in it) do not." >&2
  exit 3
}

[ -n "$(debian_mirror)" ] || unreachable "apt knows no mirror of Debian here."

rm -rf "$work"
debian_lists "$work" sid testing
cd "$work"
found=$(debian_archive curl sid testing)
[ -n "$found" ] || {
  grep '^E:' "$work/log" >&2 || :
  unreachable "$(debian_mirror) hands none out."
}
archive=${found% *}
suite=${found#* }
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
