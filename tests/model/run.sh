#!/bin/sh
# Checks one variant of a model with spin and compares the result with what is expected.
#
#   run.sh MODEL EXPECTED CLAIM FAULTS [-DNAME]…
#
# MODEL is agree, remint or silence, EXPECTED is "holds" or "violated", CLAIM is the name of an ltl
# property or "safety" (assertions and deadlocks only), FAULTS is how many faults the environment
# has. Prints the numbers of states. Fairness (pan -f) stays off: with it even the bogus claim would
# hold.

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
model=$here/$1.pml
expected=$2
claim=$3
faults=$4
shift 4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
cd "$work"

if [ "$claim" = safety ]; then
    compile=-DSAFETY
    run=
    sed '/^ltl /,$d' "$model" >model.pml
else
    compile=
    run="-a -N $claim"
    cp "$model" model.pml
fi

spin -a -DFAULTS="$faults" "$@" model.pml >spin.log 2>&1 || {
    cat spin.log
    exit 1
}
# shellcheck disable=SC2086 # lists of options
cc -O2 -w -DMEMLIM=3072 -DCOLLAPSE -DVECTORSZ=2048 $compile -o pan pan.c
# shellcheck disable=SC2086
./pan -m2000000 $run >pan.log 2>&1 || {
    cat pan.log
    exit 1
}
grep -E 'errors:|states, stored|elapsed time' pan.log

# a search that was cut short has shown nothing
if grep -qE 'max search depth too small|reached -DMEMLIM|out of memory|not completed' pan.log &&
    [ "$expected" = holds ]; then
    cat pan.log
    exit 1
fi
errors=$(sed -n 's/.*errors: *\([0-9]*\).*/\1/p' pan.log)
case $expected:$errors in
holds:0) ;;
violated:[1-9]*)
    # of the kind that is expected: an assertion, or a run that the claim does not accept
    case $claim in
    safety) grep -q 'assertion violated' pan.log ;;
    *) grep -q 'acceptance cycle' pan.log ;;
    esac
    ;;
*)
    cat pan.log
    echo "expected: $expected" >&2
    exit 1
    ;;
esac
