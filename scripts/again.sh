# Does what needs the network, for scripts that source it: a hiccup of it is no failure.
#
#   again COMMAND...
#
# What fails is done again after a while, up to three times in all. Whatever was fetched before is kept
# by apt, pip and npm themselves.

again() {
    local pause
    for pause in 5 20; do
        if "$@"; then return; fi
        echo "again in $pause s: $*" >&2
        sleep "$pause"
    done
    "$@"
}
