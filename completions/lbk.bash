# Completions of lbk for bash. Made by `python -m lollmsbot_keys.cli.completions`, not by hand.
#
#     eval "$(lbk completion bash)"
#
# shellcheck shell=bash

# The subcommands, options and arguments of "lbk$1". Of each option: what it takes, then its spellings; of an argument
# what it is. What is taken: - nothing, =a|b one of these, or what _lbk_value knows; * after it: there may be several.
_lbk_know() {
    case $1 in
        '')
            commands=(test-keys ask route costs metrics reset-limits rotate config sandbox completion)
            options=(
                'file --config'
                'file --state'
                '- --version'
                '- -h --help'
            )
            arguments=()
            ;;
        ' test-keys')
            commands=()
            options=(
                '=ollama|openrouter|local --provider'
                '- --deep'
                '- --allow-unreachable'
                '- --models'
                '- --pillars'
                'duration --timeout'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=('key*')
            ;;
        ' ask')
            commands=()
            options=(
                'pillar --pillar -p'
                'role --role'
                'model --model -m'
                '=low|medium|high|critical --privacy'
                '- --free'
                '=normal|critical --priority'
                'key-or-local --key'
                'text --system -s'
                'number --max-tokens'
                'number --temperature'
                'duration --timeout'
                'duration --wait'
                '- --no-failover'
                '- --no-stream'
                '- --verbose -v'
                'file --log-file'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=('text')
            ;;
        ' route')
            commands=()
            options=(
                'pillar --pillar -p'
                'role --role'
                'model --model -m'
                '=low|medium|high|critical --privacy'
                '- --free'
                '=normal|critical --priority'
                'key-or-local --key'
                '- --quiet -q'
                'time --at'
                'assumption* --assume'
                '=last --replay'
                'file --log-file'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=()
            ;;
        ' costs')
            commands=()
            options=(
                '=key|provider|model|pillar|day --by'
                '- --today'
                '- --month'
                'date --since'
                '- --csv'
                '- --alert'
                '- --reconcile'
                'amount --tolerance'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=()
            ;;
        ' metrics')
            commands=()
            options=(
                'file --output -o'
                '- --serve'
                'address --listen'
                'text --pool'
                '- --grafana'
                '- --rules'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=()
            ;;
        ' reset-limits')
            commands=()
            options=(
                '=ollama|openrouter|local --provider'
                '- --all'
                '- --dry-run'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=('key*')
            ;;
        ' rotate')
            commands=()
            options=(
                'target* --to'
                '- --mint'
                '- --other-account'
                'duration --grace'
                '- --resume'
                '- --rollback'
                '- --due'
                '- --status'
                'file --config'
                'file --state'
                '- --json'
                '- -h --help'
            )
            arguments=('key')
            ;;
        ' config')
            commands=(path show check init)
            options=(
                '- -h --help'
            )
            arguments=()
            ;;
        ' config path')
            commands=()
            options=(
                'file --config'
                '- --json'
                '- -h --help'
            )
            arguments=()
            ;;
        ' config show')
            commands=()
            options=(
                'file --config'
                '- --json'
                '- -h --help'
            )
            arguments=('setting')
            ;;
        ' config check')
            commands=()
            options=(
                'file --config'
                '- --json'
                '- -h --help'
            )
            arguments=()
            ;;
        ' config init')
            commands=()
            options=(
                'file --config'
                '- --json'
                '- -h --help'
            )
            arguments=()
            ;;
        ' sandbox')
            commands=()
            options=(
                'fault* --fault -f'
                '- --list-faults'
                '- --serve-retired'
                '=sh|fish --shell'
                '- --json'
                '- -h --help'
            )
            arguments=('command-line*')
            ;;
        ' completion')
            commands=()
            options=(
                '- --json'
                '- -h --help'
            )
            arguments=('=bash|zsh|fish')
            ;;
        ' help')
            commands=()
            options=(
            )
            arguments=('=test-keys|ask|route|costs|metrics|reset-limits|rotate|config|sandbox|completion|environment|files')
            ;;
        *) return 1 ;;
    esac
}

_lbk() {
    local settings=$- # of the person who types: nothing here must depend on them, nor change them
    set +eu -f
    COMPREPLY=()
    _lbk_line
    # The space after a whole word is readline's business where it can be asked: it sees whether there is one.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *' ' ]] && compopt +o nospace 2>/dev/null; then
        COMPREPLY[0]=${COMPREPLY[0]% }
    fi
    case $settings in *f*) ;; *) set +f ;; esac
    case $settings in *u*) set -u ;; esac
    case $settings in *e*) set -e ;; esac
    return 0
}

# Finds out what stands at the cursor, and offers what may stand there.
_lbk_line() {
    local IFS=$' \t\n' # which may be another, but not for us
    local -a words starts
    _lbk_words
    local last=$((${#words[@]} - 1))
    [ "$last" -ge 1 ] || return 0

    local path='' given=' ' pending='' ended='' count=0 place word
    local -a commands options arguments
    _lbk_know ''
    for ((place = 1; place < last; place++)); do
        word=${words[place]}
        if [ -n "$pending" ]; then
            pending=''
        elif [ -z "$ended" ] && [ "$word" = -- ]; then
            ended=1
        elif [ -z "$ended" ] && [[ $word == -?* ]]; then
            _lbk_given "$word"
        elif [ ${#commands[@]} -gt 0 ]; then
            path="$path $word"
            _lbk_know "$path" || return 0
        elif [ "${arguments[0]-}" = 'command-line*' ]; then
            _lbk_inside "$place"
            return 0
        else
            count=$((count + 1))
        fi
    done
    _lbk_cursor "${words[last]}"
}

# Puts together again what COMP_WORDBREAKS took apart: `gpt-oss:120b` and `--by=day` are one word.
# `words` ends with the part before the cursor; `starts` tells where each begins in COMP_WORDS.
_lbk_words() {
    local line=${COMP_LINE:0:COMP_POINT} place rest part
    words=()
    starts=()
    for ((place = 0; place <= COMP_CWORD; place++)); do
        part=${COMP_WORDS[place]}
        rest=${line#"${line%%[![:space:]]*}"}
        if [ "$place" -eq "$COMP_CWORD" ]; then
            [[ $rest == "$part"* ]] || part=$rest # the rest of it is behind the cursor
        fi
        if [ "$place" -eq 0 ] || [ "$rest" != "$line" ] || [[ $rest != "$part"* ]]; then
            words[${#words[@]}]=$part
            starts[${#starts[@]}]=$place
        else
            words[${#words[@]} - 1]=${words[${#words[@]} - 1]}$part
        fi
        line=${rest#"$part"}
    done
}

# Takes note of an option, as it was typed: --name, --name=value, -x, -xvalue or -xyz.
_lbk_given() {
    local name=${1%%=*} letters what
    if [[ $1 == --* ]]; then
        _lbk_option "$name" && [ "$what" != - ] && [ "$name" = "$1" ] && pending=$what
        return 0
    fi
    letters=${1#-}
    while [ -n "$letters" ]; do
        _lbk_option "-${letters:0:1}" || return 0
        letters=${letters:1}
        if [ "$what" != - ]; then
            [ -n "$letters" ] || pending=$what
            return 0
        fi
    done
}

# Sets `what` to what the option $1 takes, and remembers all its spellings as given, unless it may be given again.
_lbk_option() {
    local option names
    for option in "${options[@]}"; do
        names=" ${option#* } "
        [[ $names == *" $1 "* ]] || continue
        what=${option%% *}
        [[ $what == *\* ]] || given="$given${names# }"
        what=${what%\*}
        return 0
    done
    return 1
}

# Offers what goes on as the word before the cursor begins.
_lbk_cursor() {
    local word=$1 value=$1 prefix='' quote='' what='' letters name
    if [ -n "$pending" ]; then
        what=$pending
    elif [ -z "$ended" ] && [[ $word == --*=* ]]; then
        name=${word%%=*}
        _lbk_option "$name" && [ "$what" != - ] || return 0
        prefix=$name=
        value=${word#*=}
    elif [ -z "$ended" ] && [[ $word == -* ]]; then
        letters=${word#-}
        while [[ $word != --* ]] && [ ${#letters} -gt 1 ]; do # -xvalue
            _lbk_option "-${letters:0:1}" || return 0
            letters=${letters:1}
            [ "$what" = - ] && continue
            prefix=${word%"$letters"}
            value=$letters
            break
        done
        if [ -z "$prefix" ]; then
            _lbk_options
            return 0
        fi
    elif [ ${#commands[@]} -gt 0 ]; then
        _lbk_offer "${commands[@]}"
        return 0
    else
        what=${arguments[count]-}
        if [ -z "$what" ] && [[ ${arguments[*]-} == *\* ]]; then # the last one may be given again
            what=${arguments[${#arguments[@]} - 1]}
        fi
        what=${what%\*}
        case $word$what in text | '') _lbk_options ;; esac # there is nothing else to offer
    fi
    local typed=$value
    case $value in
        \'* | \"*) quote=${value:0:1} value=${value:1} ;;
        *) value=${value//\\/} ;;
    esac
    _lbk_value "$what"
}

_lbk_options() {
    local option name
    for option in "${options[@]}"; do
        for name in ${option#* }; do
            [[ $given == *" $name "* ]] || _lbk_offer "$name"
        done
    done
}

# Offers values of the kind $1.
_lbk_value() {
    local IFS
    case $1 in
        =*)
            IFS='|'
            # shellcheck disable=SC2086 # to be taken apart
            _lbk_offer ${1#=}
            ;;
        file) _lbk_files "$typed" ;;
        target)
            _lbk_offer dotenv: file: keyring: github: command:
            case $value in
                dotenv:* | file:*)
                    prefix=$prefix${value%%:*}:
                    value=${value#*:}
                    _lbk_files "${typed#*:}"
                    ;;
            esac
            ;;
        command-line)
            IFS=$'\n'
            # shellcheck disable=SC2046 # a line is a command
            _lbk_offer $(compgen -c -- "$value")
            ;;
        key | key-or-local | pillar | role | model | assumption | fault | setting)
            local -a names
            local tab=$'\t'
            IFS=$'\n'
            # shellcheck disable=SC2207 # a line is a name
            names=($(_lbk_names "$1"))
            _lbk_offer ${names[@]+"${names[@]%%"$tab"*}"}
            ;;
    esac
}

# The names of a kind, each on a line, then a tab and what it is. The line goes along as it was typed.
_lbk_names() {
    local lbk=lbk IFS=$' \t\n'
    type -P lbk >/dev/null || lbk=${words[0]/#\~\//$HOME/}
    [ -z "${inside-}" ] || export LBK_CONFIG=/dev/null # the sandbox has a configuration of its own
    command "$lbk" __complete bash "$1" ${words[@]+"${words[@]:0:last}"} "$typed" 2>/dev/null </dev/null
}

# Adds those words that go on as `value` begins, each spelt so that it stays one word and nothing in it is run.
_lbk_offer() {
    local word text end
    for word; do
        [[ $word == "$value"* ]] || continue
        end=' '
        case $word in *[=:./]) end='' ;; esac # more is to come
        case $quote in
            \') text=${word//\'/\'\\\'\'} end='' ;;
            \") text=$(_lbk_escaped "$word") end='' ;;
            *)
                text=$word
                case $word in *[!A-Za-z0-9_.,:=@%/+-]*) printf -v text %q "$word" ;; esac
                text=$prefix$text
                _lbk_trim
                ;;
        esac
        COMPREPLY[${#COMPREPLY[@]}]=$text$end
    done
}

_lbk_escaped() {
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//\$/\\\$}
    printf %s "${text//\`/\\\`}"
}

# Takes from `text` what readline leaves where it is: all before the last of its word breaks that has been typed.
_lbk_trim() {
    local typed=${words[last]} break head longest=''
    for break in : = @; do
        [[ $COMP_WORDBREAKS == *"$break"* && $typed == *"$break"* ]] || continue
        head=${typed%"$break"*}
        [ "$break" = @ ] || head=$head$break # which readline takes for a beginning
        [ ${#head} -le ${#longest} ] || longest=$head
    done
    text=${text#"$longest"}
}

# Files: readline's own way where it can, which knows of ~ and quotes; else by hand.
_lbk_files() {
    local file text=$prefix$1 IFS=$'\n'
    _lbk_trim
    if [ -n "$quote" ] || [ "$text" = "$1" ]; then
        compopt -o default +o nospace 2>/dev/null && return 0
    fi
    local home=''
    case $value in \~/*) home=$HOME/ prefix="$prefix~/" value=${value#\~/} ;; esac
    # shellcheck disable=SC2046 # a line is a file
    for file in $(compgen -f -- "$home$value"); do
        [ ! -d "$file" ] || file=$file/
        _lbk_offer "${file#"$home"}"
    done
}

# A command line of its own begins at the word $1.
_lbk_inside() {
    local start=${starts[$1]} inside=1 name function
    local command=${words[$1]}
    name=${command##*/}
    if [ "$name" != lbk ]; then
        for function in _comp_command_offset _command_offset; do
            if declare -F "$function" >/dev/null; then
                compopt +o nospace 2>/dev/null
                set +f
                "$function" "$start"
                return 0
            fi
        done
    fi
    local line=${COMP_LINE:0:COMP_POINT} place
    for ((place = 0; place < start; place++)); do
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#"${COMP_WORDS[place]}"}
    done
    line=${line#"${line%%[![:space:]]*}"}
    local -a rest
    rest=("${COMP_WORDS[@]:start}")
    local COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$((COMP_CWORD - start))
    local -a COMP_WORDS
    COMP_WORDS=("${rest[@]}")
    if [ "$name" = lbk ]; then
        _lbk_line
        return 0
    fi
    function=$(complete -p "$name" 2>/dev/null) || function=''
    case $function in
        *' -F '*)
            function=${function#* -F }
            compopt +o nospace 2>/dev/null
            set +f
            "${function%% *}" "$name" "${words[last]}" "${words[last - 1]}"
            ;;
        *) compopt -o default +o nospace 2>/dev/null ;;
    esac
    return 0
}

complete -o nospace -F _lbk lbk
