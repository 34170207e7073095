#!/usr/bin/env bash
# Sees to what the tests use beside npm's packages: installs what is missing where it may (root and apt), and names
# what stays missing with what is skipped because of it. Never fails: a test whose program is missing is skipped.
set -uo pipefail
cd "$(dirname "$0")"

# Prints `package|what is skipped` for each need that is not met.
probe_all() {
  local line package probe skipped
  while IFS= read -r line; do
    [[ -z "$line" || "$line" == \#* ]] && continue
    line=${line//\\|/$'\x01'}
    IFS='|' read -r package probe skipped <<<"$line"
    package=${package%%[[:space:]]*}
    skipped=${skipped#"${skipped%%[![:space:]]*}"}
    bash -c "${probe//$'\x01'/|}" >/dev/null 2>&1 </dev/null || printf '%s|%s\n' "$package" "$skipped"
  done <test-needs.txt
}

needed=$(probe_all)
if [[ -n "$needed" && $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  packages=$(cut -d'|' -f1 <<<"$needed" | sort -u | tr '\n' ' ')
  echo "Installing what the tests need: $packages"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  {
    timeout 120 apt-get update -q
    timeout 600 apt-get install -y -q --no-install-recommends $packages ||
      # One that can't be had must not keep the others away.
      for package in $packages; do timeout 300 apt-get install -y -q --no-install-recommends "$package"; done
  } >/dev/null 2>&1 </dev/null
  needed=$(probe_all)
fi
if [[ -n "$needed" ]]; then
  echo "Missing, and skipped because of it:"
  while IFS='|' read -r package skipped; do echo "  $package: $skipped"; done <<<"$needed"
fi
exit 0
