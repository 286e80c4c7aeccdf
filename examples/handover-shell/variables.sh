# The variables that a copy is started with. What is none ends it with 78.

ho_bad() {
    echo "$1: $2" >&2
    exit 78
}

# VALUE NAME WORDS: VALUE must be one of WORDS.
ho_one_of() {
    for ho_word in $3; do [ "$1" = "$ho_word" ] && return; done
    ho_bad "$2" "must be one of: $3"
}

# VALUE NAME: must be an integer that is not negative, or empty.
ho_integer() {
    case $1 in *[!0-9]* | ???????????????????*) ho_bad "$2" "must be an integer that is not negative" ;; esac
}

# VALUE NAME: seconds such as 10 or 0.5; milliseconds come into $value.
ho_milliseconds() {
    case $1 in
        '' | *[!0-9.]* | *.*.* | .* | *. | ??????????*) ho_bad "$2" "must be seconds, such as 10 or 0.5" ;;
        *.*) ho_part=${1#*.}000 ;;
        *) ho_part=000 ;;
    esac
    ho_decimal "${1%%.*}${ho_part%"${ho_part#???}"}"
}

# Digits without zeros before them, which would make them octal: $value.
ho_decimal() {
    value=${1#"${1%%[!0]*}"}
    value=${value:-0}
}

ho_read_variables() {
    HANDOVER_DIR=${HANDOVER_DIR:-} HANDOVER_ID=${HANDOVER_ID:-} HANDOVER_LISTEN=${HANDOVER_LISTEN:-}
    HANDOVER_LOCK_WHEN=${HANDOVER_LOCK_WHEN:-window} HANDOVER_LOCK_FAIL=${HANDOVER_LOCK_FAIL:-closed}
    HANDOVER_ROLE=${HANDOVER_ROLE:-auto}
    ho_one_of "${HANDOVER_PROTOCOL:-handover/1}" HANDOVER_PROTOCOL handover/1
    ho_one_of "$HANDOVER_ROLE" HANDOVER_ROLE "active standby auto"
    ho_one_of "$HANDOVER_LOCK_WHEN" HANDOVER_LOCK_WHEN "window always"
    ho_one_of "$HANDOVER_LOCK_FAIL" HANDOVER_LOCK_FAIL "open closed"
    ho_integer "${HANDOVER_EPOCH:-}" HANDOVER_EPOCH
    ho_decimal "${HANDOVER_EPOCH:-0}"
    ho_epoch=$value ho_seen=$value
    ho_integer "${HANDOVER_STARTED_AT:-}" HANDOVER_STARTED_AT
    ho_milliseconds "${HANDOVER_MAX_AGE:-300}" HANDOVER_MAX_AGE
    ho_max_age=$value
    ho_milliseconds "${HANDOVER_BUFFER:-10}" HANDOVER_BUFFER
    ho_buffer=$value
    case $HANDOVER_ID in
        *[!A-Za-z0-9._-]* | ?????????????????????????????????????????????????????????????????*)
            ho_bad HANDOVER_ID "must be letters, digits, '.', '_' and '-', at most 64" ;;
    esac
    case $HANDOVER_LISTEN in
        '') ;;
        127.*:*[!0-9]* | *[!0-9.:]* | 127.*:) ho_bad HANDOVER_LISTEN "must be 127.0.0.1:PORT" ;;
        127.*:*) ;;
        *) ho_bad HANDOVER_LISTEN "must be 127.0.0.1:PORT" ;;
    esac
    [ -n "$HANDOVER_DIR" ] || return
    [ -d "$HANDOVER_DIR" ] && [ -w "$HANDOVER_DIR" ] || ho_bad HANDOVER_DIR "is no folder that can be used from here"
    [ -n "$HANDOVER_ID" ] || ho_bad HANDOVER_ID "is needed where HANDOVER_DIR is set"
    ho_read_lock "${HANDOVER_LOCK:-dir://$HANDOVER_DIR/claims}"
}

# Claims in a folder are what a shell can do.
ho_read_lock() {
    case $1 in
        dir:///*) ho_claims=${1#dir://} ;;
        none) ho_claims= HANDOVER_LOCK_WHEN=window ;;
        *) ho_bad HANDOVER_LOCK "must be dir:///path or none" ;;
    esac
    ho_namespace=${HANDOVER_NAMESPACE:-$(cd -P -- "$HANDOVER_DIR" && basename -- "$PWD")}
    ho_encode "$ho_namespace"
    ho_namespace=$ho_encoded
}
