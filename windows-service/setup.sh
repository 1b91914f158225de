#!/usr/bin/env bash
# Makes a Debian machine ready to cross-build fetchd for Windows and to run it under Wine: installs the
# packages that are missing and builds every library from pinned sources into the same cache as setup.sh,
# whose functions it uses. Each library is kept under a hash of its recipe; a prefix is a set of them.
# A second run only checks.
set -euo pipefail
# shellcheck source=../setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"

usage() {
  cat <<'USAGE'
usage: windows-service/setup.sh [--build-only | --print-prefix | --help]
  (nothing)       packages to cross-build and to run under Wine, and the pinned libraries
  --build-only    without Wine
  --print-prefix  print the folder that holds the libraries, and do nothing
Run ./setup.sh first: Meson, CMake and the headers that every system shares come from there.
USAGE
}

triplet=x86_64-w64-mingw32
windows_packages=(
  gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix binutils-mingw-w64-x86-64 libz-mingw-w64-dev
  nasm zip python3 uthash-dev publicsuffix
)
wine_packages=(wine wine64)

# ---- sources -----------------------------------------------------------------------------------

# Name, Debian's source package, version, sha256 of the archive as Debian keeps it. curl and BoringSSL
# are pinned in subprojects/. In the order of building: each may use what stands before it.
pins() {
  cat <<'PINS'
libuv   libuv1    1.50.0 ec9de6ecf2a780fd2afb3b007947d2cd57c3bb17f3b9e721a66774980d35cd4d
msgpack msgpack-c 6.1.0  2266aca36375894ce9725277e7e77a0469003bed2b254d6f9f7a2e3cac3ea505
inih    libinih   59     062279922805f5e9a369551a08d5ddb506140fe50774183ffdbb7c22bb97e3f4
jansson jansson   2.14   c739578bf6b764aa0752db9a2fdadcfe921c78f1228c7ec0bb47fa804c55d17b
cmocka  cmocka    1.1.7  810570eb0b8d64804331f82b29ff47c790ce9cd6b163e98d47a4807047ecad82
md      libmd     1.1.0  1bd6aa42275313af3141c7cf2e5b964e8b1fd488025caf2f971f43b00776b332
nghttp2 nghttp2   1.64.0 b452dc69a1fcbc9375389b8b154175d8b7b125cdd713fc426774c2b79a1ebd77
brotli  brotli    1.1.0  10973f4b4199eafa1d5735ef661ddb2ec2f97319ee9fd1824d4aabe08cff5265
zstd    libzstd   1.5.7  0c092ef267edce57ba7f3f2645c861f72eaf5e76273c6c3632869423464b90a5
psl     libpsl    0.21.2 11e34380f2c81d6e72c710464aae3b680df4ddcc1007826c630fb03c7ca6aa54
PINS
}

libraries=(headers libuv msgpack inih jansson cmocka md nghttp2 brotli zstd psl boringssl curl)

pin() { pins | grep "^$1 " | tr -s ' '; }

# pinned_source NAME: the checked tree in $work/NAME.
pinned_source() {
  local name package version sum file
  read -r name package version sum < <(pin "$1")
  file=$(pinned_from_cache "$package" "$version" "$sum" || pinned_from_debian "$package" "$version" "$sum") ||
    die "$name $version: no source found"
  mkdir -p "$work/$name"
  tar -C "$work/$name" --strip-components=1 -xf "$file"
}

pinned_from_cache() {
  local kept
  for kept in "$sources/$1"_"$2"*; do
    [[ -f $kept ]] && has_sha256 "$kept" "$3" && echo "$kept" && return
  done
  return 1
}

pinned_from_debian() {
  local version tarball
  for version in $(debian_versions "$1" "^${2//./\\.}[-+]"); do
    tarball=$(debian_tarball "$1" "$version") || continue
    if has_sha256 "$tarball" "$3"; then
      mv "$tarball" "$sources/" && echo "$sources/${tarball##*/}"
      return
    fi
    say "$1 $version: what came from debian has another sha256, refused"
  done
  return 1
}

# ---- building: the recipes -----------------------------------------------------------------------

# Each builds one library into a folder, and finds the others in the folder FOUND.
found=

# In place of setup.sh's: what its recipes for BoringSSL and curl ask for.
compiler_flags() { echo "-O2 -g0 -DNDEBUG -D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN -DNOMINMAX"; }
boringssl_include() { echo "$found/include"; }
boringssl_library() { echo "$found/lib/lib$2.a"; }

# toolchain: for CMake, which takes its path from the environment. The libraries at the end are BoringSSL's,
# without which curl's link checks fail in silence.
toolchain() {
  cat <<TOOLCHAIN
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_C_COMPILER $triplet-gcc-posix)
set(CMAKE_CXX_COMPILER $triplet-g++-posix)
set(CMAKE_RC_COMPILER $triplet-windres)
set(CMAKE_ASM_NASM_COMPILER nasm)
set(CMAKE_FIND_ROOT_PATH $found /usr/$triplet)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_C_STANDARD_LIBRARIES "-lws2_32 -lcrypt32 -lbcrypt -ldbghelp -liphlpapi -lstdc++" CACHE STRING "")
set(CURL_TARGET_WINDOWS_VERSION 0x0A00 CACHE STRING "")
TOOLCHAIN
}

# cmake_install NAME SOURCE FINAL OPTION...
cmake_install() {
  local name=$1 source=$2 final=$3
  shift 3
  quietly "$name-configure" cmake -G Ninja -S "$source" -B "$work/build-$name" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="$(compiler_flags)" -DCMAKE_CXX_FLAGS_RELEASE="$(compiler_flags)" \
    -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_INSTALL_PREFIX="$final" -DCMAKE_INSTALL_LIBDIR=lib \
    -DBUILD_SHARED_LIBS=OFF "$@"
  quietly "$name-build" ninja -C "$work/build-$name" install
}

# meson_cross NAME FINAL OPTION...: configured, not yet built.
meson_cross() {
  local name=$1 final=$2
  shift 2
  quietly "$name-configure" meson setup "$work/build-$name" "$work/$name" --cross-file "$work/cross.ini" \
    --prefix "$final" --libdir lib --buildtype release --default-library static "$@"
}

# What is only headers is the system's own.
build_windows_headers() {
  mkdir -p "$1/include"
  cp /usr/include/ut{hash,list,array,string,ringbuffer,stack}.h "$1/include/"
}

build_windows_libuv() {
  cmake_install libuv "$work/libuv" "$1" -DLIBUV_BUILD_SHARED=OFF -DLIBUV_BUILD_TESTS=OFF \
    -DLIBUV_BUILD_BENCH=OFF
  # Under the name that every other system has for it.
  cp "$1/lib/pkgconfig/libuv-static.pc" "$1/lib/pkgconfig/libuv.pc"
}

build_windows_msgpack() {
  cmake_install msgpack "$work/msgpack" "$1" -DMSGPACK_BUILD_TESTS=OFF -DMSGPACK_BUILD_EXAMPLES=OFF
}

build_windows_inih() {
  meson_cross inih "$1" -Dwith_INIReader=false
  quietly inih-build meson install -C "$work/build-inih"
}

build_windows_jansson() {
  cmake_install jansson "$work/jansson" "$1" -DJANSSON_BUILD_DOCS=OFF -DJANSSON_EXAMPLES=OFF \
    -DJANSSON_WITHOUT_TESTS=ON
}

# With a printf that knows %zu.
build_windows_cmocka() {
  cmake_install cmocka "$work/cmocka" "$1" -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF \
    -DCMAKE_C_FLAGS=-D__USE_MINGW_ANSI_STDIO=1
}

build_windows_md() {
  (cd "$work/md" && quietly md-configure ./configure --host="$triplet" CC="$triplet-gcc-posix" \
    CFLAGS="$(compiler_flags)" --disable-shared --enable-static --prefix="$1" --libdir="$1/lib")
  quietly md-build make -C "$work/md" install
}

build_windows_nghttp2() {
  cmake_install nghttp2 "$work/nghttp2" "$1" -DENABLE_LIB_ONLY=ON -DBUILD_STATIC_LIBS=ON -DENABLE_DOC=OFF \
    -DBUILD_TESTING=OFF
  sed -i 's/^Cflags:.*/& -DNGHTTP2_STATICLIB/' "$1/lib/pkgconfig/libnghttp2.pc"
}

# Its decoder's other half is of no use as a secret: nobody asks for `pkg-config --static`.
build_windows_brotli() {
  cmake_install brotli "$work/brotli" "$1" -DBROTLI_DISABLE_TESTS=ON
  sed -i 's/^Requires.private:/Requires:/' "$1/lib/pkgconfig/libbrotlidec.pc"
}

build_windows_zstd() {
  cmake_install zstd "$work/zstd/build/cmake" "$1" -DZSTD_BUILD_PROGRAMS=OFF -DZSTD_BUILD_SHARED=OFF \
    -DZSTD_LEGACY_SUPPORT=OFF
}

# The list is the one that the system renews; a daemon without an ICU takes names as the wire has them.
public_suffix_list=/usr/share/publicsuffix/public_suffix_list.dat
build_windows_psl() {
  meson_cross psl "$1" -Druntime=no -Dbuiltin=true -Dpsl_file="$public_suffix_list"
  quietly psl-build ninja -C "$work/build-psl" src/libpsl.a # its programs don't link here
  mkdir -p "$1/lib/pkgconfig" "$1/include"
  # Meson's own archive only names the object files.
  "$triplet-gcc-ar-posix" -rcs "$1/lib/libpsl.a" "$work"/build-psl/src/libpsl.a.p/*.obj
  cp "$work/build-psl/include/libpsl.h" "$1/include/"
  pc_file "$1" libpsl "$(pin psl | cut -d' ' -f3)" '' "-L\${libdir} -lpsl -lws2_32" \
    "-I\${includedir} -DPSL_STATIC" >"$1/lib/pkgconfig/libpsl.pc"
}

# Its header calls two functions wherever GCC is the compiler, which its assembly has for ELF and Mach-O alone. Here
# they are what that header does without assembly.
boringssl_for_mingw() {
  cat <<'MISSING'
#define OPENSSL_NO_ASM
#include "third_party/fiat/p256_64.h"
extern "C" void fiat_p256_adx_mul(uint64_t *out, const uint64_t *a, const uint64_t *b) { fiat_p256_mul(out, a, b); }
extern "C" void fiat_p256_adx_sqr(uint64_t *out, const uint64_t *a) { fiat_p256_square(out, a); }
MISSING
}

build_windows_boringssl() {
  build_boringssl "$work/boringssl" "$1"
  boringssl_for_mingw >"$work/missing.cc"
  # shellcheck disable=SC2046 # one flag a word
  quietly boringssl-missing "$triplet-g++-posix" -std=c++17 $(compiler_flags) -Wno-unused-function \
    -I"$work/boringssl" -I"$work/boringssl/include" -c "$work/missing.cc" -o "$work/missing.obj"
  "$triplet-gcc-ar-posix" -rs "$1/lib/libcrypto.a" "$work/missing.obj" 2>/dev/null
  mkdir -p "$1/lib/pkgconfig"
  pc_file "$1" boringssl "$boringssl_version" '' "-L\${libdir} -lssl -lcrypto -lws2_32 -ldbghelp -lstdc++" \
    "-I\${includedir}" >"$1/lib/pkgconfig/boringssl.pc"
}

# Static libraries, or it would look for DLLs' entries, which the linker's --wrap passes by.
build_windows_curl() {
  CFLAGS='-DNGHTTP2_STATICLIB -DPSL_STATIC' build_curl "$work/curl" "$1" no
  grep -qx '#define HAVE_SSL_SET0_WBIO 1' "$work/build-curl/lib/curl_config.h" ||
    die "curl did not find SSL_set0_wbio in BoringSSL"
  mkdir -p "$1/lib/pkgconfig"
  pc_file "$1" libcurl "$(version curl)" 'libnghttp2 libpsl boringssl' \
    "-L\${libdir} -lcurl -lws2_32 -lcrypt32 -lbcrypt -liphlpapi" "-I\${includedir} -DCURL_STATICLIB" http3=no \
    >"$1/lib/pkgconfig/libcurl.pc"
}

# ---- one library after the other -----------------------------------------------------------------

# recipe_of NAME: everything that decides what comes out of it.
recipe_of() {
  declare -f compiler_flags pc_file "build_windows_$1"
  case $1 in
    headers) sha256sum /usr/include/ut{hash,list,array,string,ringbuffer,stack}.h 2>/dev/null || true ;;
    md) ;;
    boringssl | curl) declare -f toolchain ;;
    inih | psl) declare -f meson_cross cross_file ;;
    *) declare -f toolchain cmake_install ;;
  esac
  case $1 in
    headers) ;;
    psl) sha256sum "$public_suffix_list" 2>/dev/null || true ;;
    boringssl)
      declare -f build_boringssl boringssl_for_mingw
      wrap boringssl revision ;;
    curl)
      declare -f build_curl boringssl_include boringssl_library
      wrap curl source_hash
      recipe_of nghttp2
      recipe_of psl
      recipe_of boringssl ;;
  esac
  pins | grep "^$1 " || true
  "$triplet-gcc-posix" -dumpfullversion 2>/dev/null || true
}

stage_of() { echo "$cache/windows/$1-$(recipe_of "$1" | hash_of)"; }

windows_prefix() {
  local name
  echo "$cache/windows-$(for name in "${libraries[@]}"; do stage_of "$name"; done | { cat; declare -f cross_file; } | hash_of)"
}

windows_source() {
  case $1 in
    headers) ;;
    boringssl) boringssl_source ;;
    curl) tarball_source curl && unpack curl ;;
    *) pinned_source "$1" ;;
  esac
}

# add_library NAME: built if it never was, and copied to the others.
add_library() {
  local stage new=$work/stage-$1
  stage=$(stage_of "$1")
  if [[ ! -d $stage ]]; then
    windows_source "$1"
    say "$1: building for Windows"
    "build_windows_$1" "$new"
    mkdir -p "$cache/windows"
    mv -T "$new" "$stage"
  fi
  cp -R "$stage/." "$found/"
}

# cross_file PREFIX: for Meson; also what fetchd itself is built with.
cross_file() {
  cat <<CROSS
[binaries]
c = '$triplet-gcc-posix'
cpp = '$triplet-g++-posix'
ar = '$triplet-gcc-ar-posix'
strip = '$triplet-strip'
windres = '$triplet-windres'
pkgconfig = 'pkg-config'
exe_wrapper = 'wine'

[properties]
pkg_config_libdir = ['$1/lib/pkgconfig', '/usr/$triplet/lib/pkgconfig']
needs_exe_wrapper = true

[built-in options]
c_args = ['-I$1/include']
c_link_args = ['-static', '-L$1/lib']
cpp_link_args = ['-static', '-L$1/lib']

[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
CROSS
}

# publish FOLDER PREFIX: its files speak of the place where it will stand, not of where each was built.
publish() {
  local file
  for file in "$1"/lib/pkgconfig/*.pc; do
    sed -i -e "s|^prefix=.*|prefix=$2|" -e "s|$work/stage-[a-z0-9]*|$2|g" "$file"
  done
  rm -rf "$1"/lib/*.la "$1/lib/cmake" "$1/cmake" "$1/share" "$1/bin"
  cross_file "$2" >"$1/cross.ini"
  rm -rf "$2"
  mv -T "$1" "$2"
}

build_windows_libraries() {
  local prefix=$1 name
  mkdir -p "$sources"
  exec 9>"$cache/lock-windows"
  flock -n 9 || { say "another build for Windows is under way; waiting for it"; flock 9; }
  [[ ! -d $prefix ]] || return 0
  rm -rf "$cache"/windows-work.* # left by a run that was killed
  work=$(mktemp -d "$cache/windows-work.XXXXXX")
  found=$work/prefix
  mkdir "$found"
  unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS PKG_CONFIG_PATH CC CXX
  cross_file "$found" >"$work/cross.ini"
  toolchain >"$work/toolchain.cmake"
  export CMAKE_TOOLCHAIN_FILE=$work/toolchain.cmake
  for name in "${libraries[@]}"; do
    add_library "$name"
  done
  publish "$found" "$prefix"
  say "built in $SECONDS s: $prefix"
}

windows_main() {
  local prefix
  local -a packages=("${windows_packages[@]}" "${wine_packages[@]}")
  case ${1:-} in
    '') ;;
    --build-only) packages=("${windows_packages[@]}") ;;
    --print-prefix) windows_prefix; return ;;
    --help) usage; return ;;
    *) usage >&2; exit 2 ;;
  esac
  [[ $boringssl == pinned ]] || die "for Windows there is only the pinned BoringSSL; unset FETCHD_BORINGSSL"
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  install_packages "${packages[@]}"
  prefix=$(windows_prefix)
  if [[ -d $prefix ]]; then
    say "nothing to do; libraries for Windows in $prefix"
  else
    build_windows_libraries "$prefix"
  fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  windows_main "$@"
fi
