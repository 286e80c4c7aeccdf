# The event lock as files in a folder, at most once: of two that link one name, one can.

# ID. 0: won. 1: another copy has it. 2: no answer, which is neither.
ho_claim() {
    [ -n "$ho_claims" ] || return 0
    ho_encode "$1"
    ho_digest=$(printf %s "$1" | sha256sum) && ho_digest=${ho_digest%% *} || return 2
    ho_place=$ho_claims/$ho_namespace/${ho_digest#"${ho_digest%??}"}
    ho_name=$ho_place/$ho_encoded
    [ ! -e "$ho_name" ] || return 1
    [ -d "$ho_place" ] || mkdir -p -- "$ho_place" 2>/dev/null || return 2
    # it is done before it is claimed: whoever finds the claim leaves it alone
    [ -e "$ho_name.done" ] || (set -C && : >"$ho_name.done") 2>/dev/null || [ -e "$ho_name.done" ] || return 2
    ho_written=$ho_place/.$$.$ho_number.${ho_owner##*:}
    (printf '%s\n' "$ho_owner" >"$ho_written") 2>/dev/null || return 2
    link "$ho_written" "$ho_name" 2>/dev/null
    ho_linked=$?
    rm -f -- "$ho_written"
    [ $ho_linked -ne 0 ] || return 0
    [ -e "$ho_name" ] && return 1
    return 2
}

# TEXT as a file name: $ho_encoded.
ho_encode() {
    ho_encoded=$1
    case $1 in
        *[!A-Za-z0-9_-]*) ho_encoded=$(ho_percent "$1") ;;
    esac
    [ ${#ho_encoded} -le 200 ] && return
    ho_encoded=$(printf %s "$1" | sha256sum)
    ho_encoded="~${ho_encoded%% *}"
}

ho_percent() {
    for ho_byte in $(printf %s "$1" | od -An -v -tx1); do
        case $ho_byte in
            2d | 3[0-9] | 4[1-9a-f] | 5[0-9af] | 6[1-9a-f] | 7[0-9a])
                printf "\\$(printf %o "0x$ho_byte")" ;;
            *) printf '%%%s' "$ho_byte" | tr a-f A-F ;;
        esac
    done
}

# Once a minute, what is older than the horizon.
ho_sweep() {
    [ $((ho_now % 60000)) -eq 0 ] && [ "$ho_state" = ACTIVE ] && [ -n "$HANDOVER_DIR" ] || return
    [ -d "$ho_claims/$ho_namespace" ] || return
    find "$ho_claims/$ho_namespace" -type f -mmin "+$((ho_horizon / 60000))" -delete \
        2>/dev/null 3<&- 8<&- 9<&- &
}
