#!/usr/bin/env bash
# `npm test`: everything that is checked, in one command. Installs or names what the tests need, checks types, lint and
# arrows, runs the unit and the end-to-end tests, and ends with the closing line of count-tests.mjs.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

scripts/test-needs.sh

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
# Hundreds of gateways and commands are started: each finds what the first ones have compiled.
export NODE_COMPILE_CACHE="$reports/compiled"
results=()

for check in types lint arrows; do
  echo "== check: $check"
  if npm run -s "check:$check"; then results+=(passed); else
    echo "failed: check:$check"
    results+=(failed)
  fi
done

for project in unit end-to-end; do
  echo "== tests: $project"
  # Bounded, so that a hanging test fails the run instead of holding it.
  timeout --kill-after=20 1500 vitest run --project "$project" \
    --reporter=default --reporter=json --outputFile.json="$reports/$project.json"
  # The exit status counts too: vitest fails a run for errors that are in no test.
  status=$?
  results+=("$reports/$project.json")
  if [[ $status -eq 124 || $status -eq 137 ]]; then
    echo "failed: the $project tests took too long"
    results+=(failed)
  fi
done

node scripts/count-tests.mjs "${results[@]}"
