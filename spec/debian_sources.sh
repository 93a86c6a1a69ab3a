# To be sourced, with `set -eu`: source packages of Debian from the mirror that
# this machine installs from. apt works in folders of our own: what the system
# installs from stays as it is.

# The mirror of this machine; nothing where apt knows none.
debian_mirror() {
  command -v apt-get >/dev/null || return 0
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' |
    sed -n '/security/!s/^Debian //p' | head -n 1
}

# debian_lists FOLDER SUITE...: gets the lists of these suites. From then on
# apt-get works in FOLDER.
debian_lists() {
  apt_work=$1
  apt_mirror=$(debian_mirror)
  shift
  mkdir -p "$apt_work/lists/partial" "$apt_work/cache/archives/partial"
  for suite; do
    echo "deb-src $apt_mirror $suite main"
  done >"$apt_work/sources.list"
  cat >"$apt_work/apt.conf" <<END
Dir::Etc::SourceList "$apt_work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$apt_work/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$apt_work/cache";
APT::Sandbox::User "";
END
  export APT_CONFIG="$apt_work/apt.conf"
  apt-get -q update >>"$apt_work/log" 2>&1 || :
}

# debian_archive PACKAGE SUITE...: the archive of its authors, in this folder,
# from the first of these suites that has it: a mirror may list what it does not
# have. Prints its name and the suite, and nothing where none has it.
debian_archive() {
  package=$1
  shift
  for suite; do
    apt-get -q source --download-only --tar-only "$package/$suite" \
      >>"$apt_work/log" 2>&1 || :
    for archive in "$package"_*.orig.tar.*z; do
      [ -e "$archive" ] || continue
      echo "$archive $suite"
      return
    done
  done
}
