#compdef lbk
# Completions of lbk for zsh. Made by `python -m lollmsbot_keys.cli.completions`, not by hand.
#
#     source <(lbk completion zsh)

_lbk() {
    local curcontext=$curcontext ret=1
    local -a state line
    typeset -A opt_args
    local -a lbk_line=("${(@)words[1,CURRENT]}") # whole, for _lbk_names: _arguments changes `words`
@commands@
    return ret
}

# The names of a kind from the configuration, which is the last argument; what stands before it is for compadd.
# What ends with = or . is only a beginning.
_lbk_names() {
    local lbk=lbk kind=${argv[-1]} name about
    local -a found begun whole
    (( $+commands[lbk] )) || lbk=${(Q)lbk_line[1]/#\~\//$HOME/}
    found=("${(@f)$(_lbk_ask "$kind" 2>/dev/null </dev/null)}")
    for name in "${(@)found}"; do
        [[ -n $name ]] || continue
        about=${name#*$'\t'} name=${name%%$'\t'*}
        name=${${name//\\/\\\\}//:/\\:}
        if [[ $name == *[=.] ]]; then begun+=("$name${about:+:$about}"); else whole+=("$name${about:+:$about}"); fi
    done
    _describe -t "$kind" "${kind//-/ }" whole "${(@)argv[1,-2]}" -- begun "${(@)argv[1,-2]}" -S ''
}

# Runs in a shell of its own. A variable before the command (LBK_CONFIG=… lbk …) is not in `words`.
_lbk_ask() {
    local word
    local -a before
    if (( ${+lbk_sandbox} )); then
        export LBK_CONFIG=/dev/null # the sandbox has a configuration of its own
    else
        for word in ${(z)LBUFFER-}; do
            case $word in
                LBK_CONFIG=?*) before=("--config=${word#*=}") ;;
                [\;\|\&]*) before=() ;;
            esac
        done
    fi
    command "$lbk" __complete zsh "$1" "${(@)before}" "${(@)lbk_line[1,-2]}" "$PREFIX"
}

_lbk_targets() {
    if compset -P '(dotenv|file):'; then
        _files
    else
        local -a schemes=(
@targets@
        )
        _describe -t targets target schemes -S ''
    fi
}

# A command line of its own: first the command, then what that takes.
_lbk_inside() {
    local lbk_sandbox=1
    if [[ ${words[1]} == -- ]] && (( CURRENT > 1 )); then # where no option stands before it, _arguments leaves it
        shift words
        (( CURRENT-- ))
    elif (( CURRENT == 1 )) && [[ $PREFIX == -* ]]; then
        return 1 # no command is called so
    fi
    _normal
}

if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
    _lbk "$@"
else # sourced, by somebody who may not have started the completion system
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i -D }
    compdef _lbk lbk
fi
