#!/usr/bin/env bash
# Makes a machine ready to build and test fetchd: installs the distribution's packages that are
# missing, and builds the pinned libraries (BoringSSL, libcurl, and for HTTP/3 ngtcp2 and nghttp3) into a
# cache outside the tree.
# What is there already is left alone, so a second run only checks.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: setup.sh [--build-only | --packages deb | --packages systemd | --print-prefix | --help]
  (nothing)       packages to build and to test fetchd, and the pinned libraries
  --build-only    without the packages that only tests and benchmarks need
  --packages WHAT only what `make deb`, or `make test-systemd`, needs besides
  --print-prefix  print the folder that holds the pinned libraries, and do nothing
environment:
  FETCHD_BORINGSSL=system  curl against android-libboringssl-dev, where the pin can't be had
  XDG_CACHE_HOME           the libraries live in $XDG_CACHE_HOME/fetchd-deps (default ~/.cache)
USAGE
}

build_packages=(
  meson ninja-build cmake gcc g++ make pkg-config git curl ca-certificates xz-utils
  libuv1-dev libmsgpack-dev libinih-dev libnghttp2-dev zlib1g-dev libbrotli-dev libzstd-dev
  libpsl-dev uthash-dev libsystemd-dev libseccomp-dev libcmocka-dev libmd-dev libjansson-dev
  scdoc
)
# libcurl4-openssl-dev is what a benchmark compares with. Ours can't be mistaken for it: it comes
# from the prefix by pkg-config path, and that stands before the system's.
test_packages=(
  clang libclang-rt-dev clang-format
  nginx libnginx-mod-http-echo caddy openssl libcurl4-openssl-dev
  python3 python3-msgpack python3-h2 python3-cryptography python3-websockets websocketd
  python3-brotli python3-zstandard zsh iproute2
  python3-httpbin python3-gunicorn
  tinyproxy microsocks dante-server
  python3-pyftpdlib python3-openssl vsftpd
  gnuplot-nox strace
  valgrind
)
deb_packages=(debhelper dpkg-dev)
systemd_packages=(systemd-container debootstrap python3)
# Debian starts these when it installs them; tests start their own on ports of their own.
unwanted_services=(nginx caddy tinyproxy danted vsftpd)

# Debian's chromium carries one BoringSSL per milestone; this one holds the revision that
# subprojects/boringssl.wrap pins. The revision is checked, not trusted.
chromium_milestone=150
boringssl_version=0.20260413.0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fetchd-deps
sources=$cache/sources
boringssl=${FETCHD_BORINGSSL:-pinned}
work=

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# wrap NAME KEY: a value of subprojects/NAME.wrap.
wrap() { sed -n "s/^$2 *= *//p" "$here/subprojects/$1.wrap"; }

# quietly NAME COMMAND...: its output goes to a log, of which the end is shown if it fails.
quietly() {
  local log=$work/$1.log
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; die "failed: $*"; }
}

# ---- packages ----------------------------------------------------------------------------------

missing_packages() {
  local status name
  local -A installed=()
  while read -r status name; do
    [[ $status == installed ]] && installed[$name]=1
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do
    [[ ${installed[$name]:-} ]] || echo "$name"
  done
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

may_be_root() { ((EUID == 0)) || { have sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; }; }

# install_packages PACKAGE...: those that are missing.
install_packages() {
  have dpkg-query || { say "no Debian here; these must be there already: $*"; return; }
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  may_be_root || die "not root and no sudo; please install: ${missing[*]}"
  say "installing ${missing[*]}"
  as_root apt-get -qq -o DPkg::Lock::Timeout=300 update || say "package lists not renewed, going on"
  deny_service_starts
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    install -y --no-install-recommends "${missing[@]}" >/dev/null
  allow_service_starts
  keep_services_off "${missing[@]}"
}

# Maintainer scripts ask this file whether they may start a service. A machine that has one of its
# own keeps it.
policy=/usr/sbin/policy-rc.d
policy_is_ours=
deny_service_starts() {
  [[ ! -e $policy ]] || return 0
  say "no package may start a service while it is installed"
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  policy_is_ours=1
}

allow_service_starts() {
  [[ $policy_is_ours ]] || return 0
  as_root rm -f "$policy"
  policy_is_ours=
}

# keep_services_off PACKAGE...: those just installed shall not start at the next boot either.
keep_services_off() {
  [[ -d /run/systemd/system ]] || return 0
  local service
  for service in "${unwanted_services[@]}"; do
    [[ " $* " == *" $service "* ]] || continue
    say "disabling the $service service that came with the package"
    as_root systemctl --quiet disable --now "$service" || true
  done
}

# ---- sources -----------------------------------------------------------------------------------

has_sha256() { echo "$2  $1" | sha256sum --check --status 2>/dev/null; }

# version NAME: of a library whose wrap names a tarball.
version() { wrap "$1" directory | sed "s/^$1-//"; }

# tarball_source NAME: the checked upstream tarball in $sources. Fails where it can't be had.
tarball_source() {
  local from file
  file=$sources/$(wrap "$1" source_filename)
  for from in cache upstream debian; do
    "tarball_from_$from" "$1" "$file.part" "$file" || continue
    if has_sha256 "$file.part" "$(wrap "$1" source_hash)"; then
      mv "$file.part" "$file"
      say "$1: source from $from, sha256 as pinned"
      return
    fi
    say "$1: what came from $from has another sha256, refused"
    rm -f "$file.part" "$file"
  done
  say "$1: no source found"
  return 1
}

tarball_from_cache() { [[ -f $3 ]] && cp "$3" "$2"; }

tarball_from_upstream() {
  curl -fsSL --connect-timeout 5 --max-time 300 -o "$2" "$(wrap "$1" source_url)" 2>/dev/null
}

tarball_from_debian() {
  local version tarball
  for version in $(debian_versions "$1" "^$(version "$1" | sed 's/[.]/\\./g')-"); do
    tarball=$(debian_tarball "$1" "$version") && mv "$tarball" "$2" && return
  done
  return 1
}

# unpack NAME: its tarball into $work/NAME.
unpack() {
  mkdir "$work/$1"
  tar -C "$work/$1" --strip-components=1 -xf "$sources/$(wrap "$1" source_filename)"
}

# HTTP/3 is left out where its sources can't be had, and with a BoringSSL that is not the pinned one.
http3_sources() { [[ $boringssl == pinned ]] && tarball_source ngtcp2 && tarball_source nghttp3; }

# boringssl_source: the checked tree in $work/boringssl.
boringssl_source() {
  local from revision
  revision=$(wrap boringssl revision)
  for from in cache upstream debian; do
    rm -rf "$work/boringssl"
    "boringssl_from_$from" "$work/boringssl" "$revision" || continue
    say "boringssl: source from $from, revision as pinned"
    [[ $from == cache ]] || keep_boringssl "$revision"
    return
  done
  die "boringssl: revision $revision not found; FETCHD_BORINGSSL=system is the last resort"
}

# The tree alone, without the archive it may have come in, and with a sum of our own to trust it by.
keep_boringssl() {
  local file=$sources/boringssl-$1.tar.xz
  tar -C "$work" --exclude=.git -cf - boringssl | xz -1 -T0 >"$file.part"
  mv "$file.part" "$file"
  sha256sum <"$file" | cut -d' ' -f1 >"$file.sha256"
}

boringssl_from_cache() {
  local file=$sources/boringssl-$2.tar.xz
  [[ -f $file && -f $file.sha256 ]] || return 1
  has_sha256 "$file" "$(<"$file.sha256")" || { say "boringssl: the cached source is damaged"; return 1; }
  tar -C "$work" -xJf "$file"
}

# A commit id is its own check. The look at the address first: git has no time-out for a connect.
boringssl_from_upstream() {
  local url
  url=$(wrap boringssl url)
  curl -fsSL --connect-timeout 5 --max-time 20 -o /dev/null \
    "$url/info/refs?service=git-upload-pack" 2>/dev/null || return 1
  git init -q "$1" && GIT_TERMINAL_PROMPT=0 timeout 600 \
    git -C "$1" fetch -q --depth 1 "$url" "$2" && git -C "$1" checkout -q FETCH_HEAD || return 1
  [[ $(git -C "$1" rev-parse HEAD) == "$2" ]]
}

boringssl_from_debian() {
  local version tarball inside=third_party/boringssl unpacked=$work/chromium
  for version in $(debian_versions chromium "^$chromium_milestone\\."); do
    say "boringssl: not at its own address; from Debian's chromium $version (about 1 GB)"
    tarball=$(debian_tarball chromium "$version") || continue
    rm -rf "$unpacked" && mkdir "$unpacked"
    xz -dcT0 "$tarball" | tar -C "$unpacked" --strip-components=1 -xf - \
      --wildcards "*/$inside/src/*" "*/$inside/README.chromium" || continue
    rm -f "$tarball"
    if grep -qxF "Revision: $2" "$unpacked/$inside/README.chromium"; then
      mv "$unpacked/$inside/src" "$1"
      return
    fi
    say "boringssl: chromium $version carries another revision, refused"
  done
  return 1
}

# debian_versions PACKAGE REGEX: matching versions of a source package in any suite, oldest first.
debian_versions() {
  have apt-get && private_apt_ready || return 0
  private_apt apt-cache showsrc "$1" 2>/dev/null | sed -n 's/^Version: //p' | grep -E "$2" | sort -Vu
}

# debian_tarball PACKAGE VERSION: downloads the upstream tarball, of which apt checks the hash, and
# prints its path. A mirror may lack a file that its index names.
debian_tarball() {
  local folder=$work/download
  rm -rf "$folder" && mkdir "$folder"
  if (cd "$folder" && private_apt apt-get -qq source --download-only --tar-only --only-source \
    "$1=$2" >/dev/null 2>"$work/apt.log"); then
    ls "$folder/$1"_*.orig.tar.*
  else
    say "$1 $2: $(tail -n 1 "$work/apt.log")"
    return 1
  fi
}

private_apt() { APT_CONFIG=$work/apt/apt.conf "$@"; }

# Other suites' source lists, read without touching the machine's own apt set-up. The addresses
# are the machine's own, its signature checks stay on. How old a mirror's list is does not matter:
# what it leads to is compared with the pin.
private_apt_ready() {
  [[ ! -f $work/apt/ready ]] || return 0
  local uri release keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed=
  local main_uri='' security_uri=''
  while read -r uri release; do
    case $release in
      *-security) security_uri=${security_uri:-$uri} ;;
      *) main_uri=${main_uri:-$uri} ;;
    esac
  done < <(apt_addresses)
  [[ $main_uri ]] || { say "no Debian archive in this machine's apt sources"; return 1; }
  [[ -f $keyring ]] && signed="[signed-by=$keyring]"
  mkdir -p "$work"/apt/{lists/partial,cache/archives/partial}
  {
    for release in bookworm trixie trixie-backports forky sid; do
      echo "deb-src $signed $main_uri $release main"
    done
    for release in bookworm-security trixie-security; do
      [[ ! $security_uri ]] || echo "deb-src $signed $security_uri $release main"
    done
  } >"$work/apt/sources.list"
  cat >"$work/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$work/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "$(id -un)";
CONF
  # One suite may be missing; the others will do.
  private_apt apt-get -qq update 2>"$work/apt.log" || say "apt: $(tail -n 1 "$work/apt.log")"
  touch "$work/apt/ready"
}

# "ADDRESS RELEASE" of the Debian archives that apt is set up for; apt knows them only when it has
# fetched its lists once.
apt_addresses() {
  local -a ask=(apt-get indextargets --format '$(REPO_URI) $(RELEASE)'
    'Created-By: Packages' 'Component: main' 'Origin: Debian')
  if [[ -z $("${ask[@]}") ]] && may_be_root; then
    as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 || true
  fi
  "${ask[@]}" | sort -u
}

# ---- building: the recipe ------------------------------------------------------------------------

# The prefix is named after a hash of these functions, the pins and the system, so that a change to
# any of them makes a new one.
compiler_flags() {
  echo "-O2 -g0 -DNDEBUG -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
}

# build_boringssl SOURCE PREFIX
build_boringssl() {
  local build=$work/build-boringssl
  quietly boringssl-configure cmake -G Ninja -S "$1" -B "$build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="$(compiler_flags)" -DCMAKE_CXX_FLAGS_RELEASE="$(compiler_flags)" \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF
  quietly boringssl-build ninja -C "$build" crypto ssl
  mkdir -p "$2/lib" "$2/include"
  cp "$build/libssl.a" "$build/libcrypto.a" "$2/lib/"
  strip --strip-debug "$2/lib/libssl.a" "$2/lib/libcrypto.a"
  cp -R "$1/include/openssl" "$2/include/"
}

# stage_boringssl PREFIX: most of the work, so it is built once for all recipes that differ in the rest.
stage_boringssl() {
  local stage
  stage=$cache/boringssl-$(boringssl_hash)
  if [[ ! -d $stage ]]; then
    boringssl_source
    say "boringssl: building (two minutes of work for two cores)"
    build_boringssl "$work/boringssl" "$work/stage"
    mv -T "$work/stage" "$stage"
  fi
  mkdir -p "$1"
  cp -R "$stage/lib" "$stage/include" "$1/"
}

# build_ng NAME PREFIX LIBRARY... -- OPTION...: nghttp3 or ngtcp2, static.
build_ng() {
  local name=$1 prefix=$2 build=$work/build-$1
  local -a libraries=()
  shift 2
  while [[ $1 != -- ]]; do libraries+=("$1"); shift; done
  shift
  unpack "$name"
  say "$name: building"
  quietly "$name-configure" cmake -G Ninja -S "$work/$name" -B "$build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="$(compiler_flags)" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DENABLE_LIB_ONLY=ON -DENABLE_STATIC_LIB=ON -DENABLE_SHARED_LIB=OFF -DBUILD_TESTING=OFF "$@"
  quietly "$name-build" ninja -C "$build"
  cp "${libraries[@]/#/$build/}" "$prefix/lib/"
  strip --strip-debug "$prefix"/lib/lib"${name}"*.a
  mkdir -p "$prefix/include/$name"
  cp "$work/$name/lib/includes/$name/"*.h "$prefix/include/$name/"
}

# build_http3 PREFIX: what curl needs for QUIC and HTTP/3, with the BoringSSL that is there.
build_http3() {
  build_ng nghttp3 "$1" lib/libnghttp3.a --
  build_ng ngtcp2 "$1" lib/libngtcp2.a crypto/boringssl/libngtcp2_crypto_boringssl.a -- \
    -DENABLE_OPENSSL=OFF -DENABLE_BORINGSSL=ON -DBORINGSSL_INCLUDE_DIR="$1/include" \
    -DBORINGSSL_LIBRARIES="$1/lib/libssl.a;$1/lib/libcrypto.a"
  cp "$work"/ngtcp2/crypto/includes/ngtcp2/ngtcp2_crypto{,_boringssl}.h "$1/include/ngtcp2/"
}

http3_options() {
  echo "-DUSE_NGTCP2=ON -DNGTCP2_INCLUDE_DIR=$1/include -DNGTCP2_LIBRARY=$1/lib/libngtcp2.a" \
    "-DNGTCP2_CRYPTO_BORINGSSL_LIBRARY=$1/lib/libngtcp2_crypto_boringssl.a" \
    "-DNGHTTP3_INCLUDE_DIR=$1/include -DNGHTTP3_LIBRARY=$1/lib/libnghttp3.a"
}

# build_curl SOURCE PREFIX HTTP3: http, https, ws, wss, ftp and ftps, and nothing that fetchd refuses.
build_curl() {
  local build=$work/build-curl feature
  local -a options=(
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="$(compiler_flags)"
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF -DBUILD_STATIC_LIBS=ON
    -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DBUILD_EXAMPLES=OFF -DBUILD_LIBCURL_DOCS=OFF
    -DBUILD_MISC_DOCS=OFF -DENABLE_CURL_MANUAL=OFF
    -DCURL_USE_OPENSSL=ON -DUSE_SSLS_EXPORT=ON -DCURL_DISABLE_OPENSSL_AUTO_LOAD_CONFIG=ON
    -DOPENSSL_INCLUDE_DIR="$(boringssl_include "$2")"
    -DOPENSSL_SSL_LIBRARY="$(boringssl_library "$2" ssl)"
    -DOPENSSL_CRYPTO_LIBRARY="$(boringssl_library "$2" crypto)"
    # BoringSSL is C++: without its runtime curl's link checks fail in silence.
    "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--no-as-needed -lstdc++ -Wl,--as-needed -lpthread"
    # The worker hands over one trust store of its own.
    -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none -DCURL_CA_FALLBACK=OFF
    # Threads follow nsswitch and the hosts file; CURLMOPT_RESOLVE_THREADS_MAX bounds them.
    -DENABLE_THREADED_RESOLVER=ON -DENABLE_ARES=OFF
    -DUSE_NGHTTP2=ON -DCURL_USE_LIBPSL=ON
    # Bodies are decoded by the worker, which can bound what a decoder holds.
    -DCURL_ZLIB=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF
    -DCURL_USE_LIBSSH2=OFF -DCURL_USE_LIBSSH=OFF -DCURL_USE_GSSAPI=OFF -DCURL_USE_GSASL=OFF
    -DUSE_LIBIDN2=OFF -DENABLE_UNIX_SOCKETS=OFF -DCURL_ENABLE_NTLM=OFF -DCURL_ENABLE_SMB=OFF
  )
  for feature in AWS DICT FILE FORM_API GETOPTIONS GOPHER HTTPSIG IMAP IPFS KERBEROS_AUTH LDAP \
    LDAPS MQTT NEGOTIATE_AUTH NETRC POP3 PROGRESS_METER RTSP SMTP TELNET TFTP; do
    options+=("-DCURL_DISABLE_$feature=ON")
  done
  if [[ $3 == yes ]]; then
    # shellcheck disable=SC2207 # no name in it has a space
    options+=($(http3_options "$2"))
  fi
  quietly curl-configure cmake -G Ninja -S "$1" -B "$build" "${options[@]}"
  quietly curl-build ninja -C "$build"
  mkdir -p "$2/lib" "$2/include/curl"
  cp "$build/lib/libcurl.a" "$2/lib/"
  strip --strip-debug "$2/lib/libcurl.a"
  cp "$1"/include/curl/*.h "$2/include/curl/"
}

system_library_folder() { echo "/usr/lib/$(gcc -print-multiarch)/android"; }

boringssl_include() {
  if [[ $boringssl == system ]]; then echo /usr/include/android; else echo "$1/include"; fi
}

boringssl_library() {
  if [[ $boringssl == system ]]; then
    echo "$(system_library_folder)/lib$2.so"
  else
    echo "$1/lib/lib$2.a"
  fi
}

# write_pkgconfig FOLDER PREFIX HTTP3: all that a static link needs, so that no one has to say --static.
write_pkgconfig() {
  local includes="-I\${includedir}" libraries="-L\${libdir} -lssl -lcrypto -lstdc++ -pthread"
  if [[ $boringssl == system ]]; then
    includes=-I/usr/include/android
    libraries="-L$(system_library_folder) -Wl,-rpath,$(system_library_folder) -lssl -lcrypto"
  fi
  mkdir -p "$1/lib/pkgconfig"
  pc_file "$2" boringssl "$boringssl_version" '' "$libraries" "$includes" \
    >"$1/lib/pkgconfig/boringssl.pc"
  local curl='-L${libdir} -lcurl'
  [[ $3 == no ]] || curl+=' -lngtcp2_crypto_boringssl -lngtcp2 -lnghttp3'
  pc_file "$2" libcurl "$(version curl)" 'libnghttp2 libpsl boringssl' \
    "$curl -pthread" '-I${includedir} -DCURL_STATICLIB' "http3=$3" >"$1/lib/pkgconfig/libcurl.pc"
}

pc_file() {
  cat <<PC
prefix=$1
libdir=\${prefix}/lib
includedir=\${prefix}/include
${7:-}

Name: $2
Description: $2, pinned and static, for fetchd
Version: $3
Requires: $4
Libs: $5
Cflags: $6
PC
}

# ---- proving and publishing --------------------------------------------------------------------

# prove PREFIX HTTP3: links a program against it as fetchd does, and compares what it says of itself.
prove() {
  local said wanted='BoringSSL | ftp ftps http https ws wss'
  cat >"$work/prove.c" <<'PROVE'
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
int main(void)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    int wanted = CURL_VERSION_HTTP2 | CURL_VERSION_ASYNCHDNS | CURL_VERSION_PSL | CURL_VERSION_HSTS;
#ifdef WITH_HTTP3
    wanted |= CURL_VERSION_HTTP3;
#endif
    if(!context || curl_global_init(CURL_GLOBAL_DEFAULT) || (curl->features & wanted) != wanted)
        return 1;
    if(curl->cainfo || curl->capath || (curl->features & CURL_VERSION_LIBZ))
        return 2;
    printf("%s |", curl->ssl_version);
    for(const char *const *protocol = curl->protocols; *protocol; protocol++)
        printf(" %s", *protocol);
    SSL_CTX_free(context);
    return 0;
}
PROVE
  local -a flags
  read -ra flags < <(PKG_CONFIG_PATH=$1/lib/pkgconfig \
    pkg-config --define-variable=prefix="$1" --cflags --libs libcurl boringssl)
  [[ $2 == no ]] || flags+=(-DWITH_HTTP3)
  quietly prove-link gcc "$work/prove.c" -o "$work/prove" "${flags[@]}"
  said=$("$work/prove") || die "the new libcurl lacks a feature (check $?)"
  [[ $said == "$wanted" ]] || die "the new libcurl says '$said', not '$wanted'"
  grep -qx '#define HAVE_SSL_SET0_WBIO 1' "$work/build-curl/lib/curl_config.h" ||
    die "curl did not find SSL_set0_wbio in BoringSSL"
}

recipe_hash() {
  {
    declare -f compiler_flags build_boringssl build_ng build_http3 http3_options build_curl \
      boringssl_include boringssl_library system_library_folder write_pkgconfig pc_file
    echo "$boringssl $(wrap boringssl revision) $(wrap curl source_hash)" \
      "$(wrap ngtcp2 source_hash) $(wrap nghttp3 source_hash)"
    this_system
  } | hash_of
}

boringssl_hash() {
  {
    declare -f compiler_flags build_boringssl
    wrap boringssl revision
    this_system
  } | hash_of
}

this_system() {
  uname -sm
  grep -E '^(ID|VERSION_ID)=' /etc/os-release 2>/dev/null || true
}

hash_of() { sha256sum | cut -c1-16; }

is_built() { [[ -f $1/lib/pkgconfig/libcurl.pc ]]; }

# say_ready PREFIX
say_ready() {
  say "nothing to do; libraries in $1"
  grep -qx http3=yes "$1/lib/pkgconfig/libcurl.pc" ||
    say "without HTTP/3, as its sources could not be had; to try again, remove that folder"
}

# build_libraries PREFIX: in a folder beside it, renamed at the end; so a prefix is whole or absent.
build_libraries() {
  local prefix=$1 new http3=no
  mkdir -p "$sources"
  exec 9>"$cache/lock"
  flock -n 9 || { say "another setup.sh is building; waiting for it"; flock 9; }
  is_built "$prefix" && return
  rm -rf "$cache"/work.* # left by a run that was killed
  work=$(mktemp -d "$cache/work.XXXXXX")
  new=$work/prefix
  unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS PKG_CONFIG_PATH
  export CC=gcc CXX=g++
  tarball_source curl || exit 1
  unpack curl
  if [[ $boringssl == system ]]; then
    say "boringssl: the system's android-libboringssl, years older than the pin"
  else
    stage_boringssl "$new"
  fi
  if http3_sources; then
    http3=yes
    build_http3 "$new"
  else
    say "HTTP/3: left out; everything else is built"
  fi
  write_pkgconfig "$new" "$prefix" "$http3"
  say "curl: building"
  build_curl "$work/curl" "$new" "$http3"
  prove "$new" "$http3"
  rm -rf "$prefix"
  mv -T "$new" "$prefix"
  say "built in $SECONDS s: $prefix"
}

clean_up() {
  allow_service_starts
  [[ -z $work ]] || rm -rf "$work"
}

main() {
  local prefix
  local -a packages=("${build_packages[@]}" "${test_packages[@]}")
  prefix=$cache/$(recipe_hash)
  case ${1:-} in
    '') ;;
    --build-only) packages=("${build_packages[@]}") ;;
    --packages)
      case ${2:-} in
        deb) packages=("${deb_packages[@]}") ;;
        systemd) packages=("${systemd_packages[@]}") ;;
        *) usage >&2; exit 2 ;;
      esac
      trap clean_up EXIT
      install_packages "${packages[@]}"
      return ;;
    --print-prefix) echo "$prefix"; return ;;
    --help) usage; return ;;
    *) usage >&2; exit 2 ;;
  esac
  case $boringssl in
    pinned) ;;
    system) packages+=(android-libboringssl-dev) ;;
    *) die "FETCHD_BORINGSSL is 'system' or nothing" ;;
  esac
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  install_packages "${packages[@]}"
  if is_built "$prefix"; then
    say_ready "$prefix"
  else
    build_libraries "$prefix"
  fi
}

# windows-service/setup.sh takes the functions and runs a main of its own.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  main "$@"
fi
