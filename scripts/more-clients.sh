#!/usr/bin/env bash
# `npm run test:more-clients`: clients that need more than `npm test` may ask for: compilers, other registries, hundreds of
# megabytes. Installs what is missing through apt (as root), PyPI and Maven (into folders of their own), then runs test/more-clients.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

packages=(golang-go golang-golang-x-crypto-dev default-jdk-headless maven erlang-base erlang-ssh
  php-cli php-ssh2 rclone python3-netmiko python3-venv nmap)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing+=("$package")
done
if [[ ${#missing[@]} -gt 0 ]]; then
  if [[ $(id -u) -eq 0 ]]; then
    echo "Installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 </dev/null
  else
    echo "Missing, and skipped because of it: ${missing[*]}"
  fi
fi

# The newest Python clients, beside Debian's older ones.
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-tests/python
if [[ ! -x $venv/bin/python ]]; then
  mkdir -p "$(dirname "$venv")"
  /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q asyncssh paramiko fabric || rm -rf "$venv"
fi
export SALLYPORT_TEST_VENV=$venv

report=$(mktemp)
trap 'rm -f "$report"' EXIT
timeout --kill-after=20 1200 vitest run --project more-clients \
  --reporter=default --reporter=json --outputFile.json="$report"
node scripts/count-tests.mjs "$report"
